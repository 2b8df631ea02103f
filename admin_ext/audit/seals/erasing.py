"""The two ways in which something leaves the record: a person's data on request, and rows past their time.

Both are done by the owner of the tables, one command each, and both say so for ever: a tombstone is written first, in the
same transaction, and is sealed like everything else. What was erased can no longer be tried against its hash either: the
leaf stays and forgets its salt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connection, models, transaction

from admin_ext.audit.context import change_set
from admin_ext.audit.exempt import EXEMPT_COLUMNS
from admin_ext.audit.models import Door, Tombstone
from admin_ext.audit.seals.sealing import hold_rounds

# Rows that one tombstone covers, one transaction removes.
CHUNK = 10_000


class CannotErase(Exception):
    """The column cannot be blanked, or the record is not there; the message says which and why."""


def erase_record(
    *, model: type[models.Model], keys: Sequence[int], columns: Sequence[str], reason: str, ordered_by: str
) -> int:
    """Blank columns of records, in every history row and in the live row. How many history rows were blanked.

    The live row is changed in an ordinary change set. Raises CannotErase; nothing is half done.
    """
    blanks = {name: _blank(model, name) for name in columns}
    history = model.history.model
    with transaction.atomic(), connection.cursor() as cursor:
        hold_rounds(cursor)
        rows = list(history.objects.filter(id__in=keys).order_by("history_id").values_list("history_id", flat=True))
        if not rows:
            raise CannotErase(f"The record knows no {model._meta.label} with the key {', '.join(map(str, keys))}.")
        with change_set(actor=None, door=Door.COMMAND, verb="audit.erase", reason=reason):
            for row in model._base_manager.filter(pk__in=keys):
                values = {name: blank.format(key=row.pk) if blank else blank for name, blank in blanks.items()}
                model._base_manager.filter(pk=row.pk).update(**values)
        stored = [history._meta.get_field(name).column for name in columns]
        for chunk in _chunks(rows):
            _bury(cursor, Tombstone.Kind.ERASURE, history, chunk, stored, reason, ordered_by)
            nothing = ", ".join(f'"{column}" = NULL' for column in stored)
            cursor.execute(
                f'UPDATE public."{history._meta.db_table}" SET {nothing} WHERE history_id = ANY(%s)', [chunk]
            )
            _forget_salts(cursor, history._meta.db_table, chunk)
    return len(rows)


def retire_history(*, model: type[models.Model], before: datetime, reason: str, ordered_by: str) -> int:
    """Remove history rows written before an instant that a later one supersedes, and those of deleted records.

    The last state of a living record stays, however old. How many were removed; each chunk is its own transaction.
    """
    history, removed = model.history.model, 0
    while chunk := _superseded(history, before):
        with transaction.atomic(), connection.cursor() as cursor:
            hold_rounds(cursor)
            _bury(cursor, Tombstone.Kind.RETENTION, history, chunk, [], reason, ordered_by)
            cursor.execute(f'DELETE FROM public."{history._meta.db_table}" WHERE history_id = ANY(%s)', [chunk])
            _forget_salts(cursor, history._meta.db_table, chunk)
        removed += len(chunk)
    return removed


def _blank(model: type[models.Model], name: str) -> str | None:
    """What stands in the live row instead: NULL, an empty text, or a name that tells nothing where one must be there."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise CannotErase(f"{model._meta.label} has no column {name}.") from error
    if not getattr(field, "concrete", False) or field.primary_key or field.name in EXEMPT_COLUMNS:
        raise CannotErase(f"{model._meta.label}.{name} is not a column that the record keeps, or is its key.")
    if field.null:
        return None
    if not isinstance(field, models.CharField | models.TextField) or field.choices:
        raise CannotErase(f"{model._meta.label}.{name} must hold a value and is no text: it cannot be blank.")
    return "erased-{key}" if field.unique else ""


def _superseded(history: type[models.Model], before: datetime) -> list[int]:
    later = history._default_manager.filter(id=models.OuterRef("id"), history_id__gt=models.OuterRef("history_id"))
    old = history._default_manager.filter(history_date__lt=before).filter(
        models.Q(models.Exists(later)) | models.Q(history_type="-")
    )
    return list(old.order_by("history_id").values_list("history_id", flat=True)[:CHUNK])


def _bury(
    cursor: Any,
    kind: str,
    history: type[models.Model],
    rows: list[int],
    columns: list[str],
    reason: str,
    ordered_by: str,
) -> None:
    """Write the tombstone and name it to the triggers, which let the owner through for it."""
    cursor.execute(
        "INSERT INTO public.audit_tombstone (kind, table_name, row_ids, columns, reason, ordered_by, db_user, xid) "
        "VALUES (%s, %s, %s, %s, %s, %s, session_user, pg_current_xact_id()::text::bigint) RETURNING id",
        [kind, history._meta.db_table, rows, columns, reason, ordered_by],
    )
    cursor.execute("SELECT set_config('opsadmin.tombstone', %s, true)", [str(cursor.fetchone()[0])])


def _forget_salts(cursor: Any, table: str, rows: list[int]) -> None:
    cursor.execute(
        "UPDATE public.audit_leaf SET salt = NULL WHERE salt IS NOT NULL AND row_id = ANY(%s) "
        "AND source_id = (SELECT id FROM public.audit_sealedtable WHERE name = %s)",
        [rows, table],
    )


def _chunks(rows: list[int]) -> Iterable[list[int]]:
    return (rows[n : n + CHUNK] for n in range(0, len(rows), CHUNK))

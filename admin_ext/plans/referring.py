"""Which rows are still named by others, that an undo would have to leave without what they name."""

from __future__ import annotations

from typing import Any

from django.db import connection

from admin_ext.access.rights import can
from admin_ext.models import Record


def still_named(model: Any, keys: list[int], act: int, actor: Any) -> dict[int, str]:
    """Of the rows of `model` with these keys those that rows name which the act `act` did not write last, each with a
    sentence. Of what the actor may not see there is only a number.
    """
    found: dict[int, dict[str, int]] = {}
    for relation in model._meta.get_fields(include_hidden=True):
        if not (relation.auto_created and not relation.concrete and getattr(relation.field, "db_constraint", False)):
            continue
        if relation.one_to_many or relation.one_to_one:
            for key, number in _named(relation, keys, act):
                kind = _kind(relation.related_model, actor)
                by_kind = found.setdefault(key, {})
                by_kind[kind] = by_kind.get(kind, 0) + number
    return {key: _sentence(by_kind) for key, by_kind in found.items()}


def _named(relation: Any, keys: list[int], act: int) -> list[tuple[int, int]]:
    other: Any = relation.related_model
    column, table = relation.field.column, other._meta.db_table
    written_by_others = ""
    if hasattr(other, "history"):
        history, key = other.history.model._meta.db_table, other._meta.pk.column
        # Row by row through the index on the key; see Note [one row at a time] in `touched`.
        written_by_others = (
            f'AND (SELECT h.change_set_id FROM "{history}" h WHERE h."{key}" = r."{key}" '
            f'ORDER BY h."{key}", h.history_id DESC LIMIT 1) IS DISTINCT FROM %s'
        )
    sql = f'SELECT r."{column}", count(*) FROM "{table}" r WHERE r."{column}" = ANY(%s) {written_by_others} GROUP BY 1'
    with connection.cursor() as cursor:
        cursor.execute(sql, [keys, act] if written_by_others else [keys])
        return cursor.fetchall()


def _kind(model: Any, actor: Any) -> str:
    return model._meta.label if issubclass(model, Record) and can(actor, "view", model) else ""


def _sentence(by_kind: dict[str, int]) -> str:
    from django.apps import apps

    told = []
    for label, number in sorted(by_kind.items(), reverse=True):
        meta = apps.get_model(label)._meta if label else None
        one, many = (meta.verbose_name, meta.verbose_name_plural) if meta else ("other row", "other rows")
        told.append(f"{number:,} {one if number == 1 else many}")
    refer = "refers" if sum(by_kind.values()) == 1 else "refer"
    return f"{' and '.join(told)} of others {refer} to it."

"""One moment for everything that a file tells: one snapshot of the rows, and rights that stayed as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import connection, models, transaction

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.fields import treatment_of
from admin_ext.access.rights import NotPermitted, access_of, whole_of
from admin_ext.filtering.telling import has_rights
from admin_ext.jobs.running import Run
from admin_ext.transfers.export_columns import label_of


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """A transaction that sees the database as it was when it began."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


@contextlib.contextmanager
def time_zone(name: str) -> Iterator[None]:
    """Inside a transaction: the zone in which the database tells instants."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('TimeZone'), set_config('TimeZone', %s, true)", [name])
        before = cursor.fetchone()[0]
        yield
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [before])


def rights_unchanged(run: Run, model: type[models.Model], columns: Iterable[str] = ()) -> Callable[[], None]:
    """What asks, whenever it is called, whether the owner of the job may still take out what they could when it began.

    A snapshot does not see a right that is taken while it is read. Where it was, the question raises NotPermitted.
    `columns` are ORM paths: the rights to related rows on their way count too.
    """
    asked = [(model, "export"), *((related, "view") for related in _related(model, columns))]

    def mark() -> list[Any]:
        actor = run.actor
        return [_mark(actor, *each) for each in asked]

    before = mark()

    def ask() -> None:
        if mark() != before:
            raise NotPermitted(
                "Your rights changed while the file was written, so it was thrown away. Start it again for what you may "
                "have now."
            )

    return ask


def _related(model: type[models.Model], paths: Iterable[str]) -> list[type[models.Model]]:
    """The models on the ways to columns, each once."""
    found: dict[type[models.Model], None] = {}
    for path in paths:
        here = model
        for step in path.split("__"):
            field = here._meta.pk if step == "pk" else here._meta.get_field(step)
            if field is None or field.related_model is None:
                break
            here = field.related_model  # type: ignore[assignment]
            if has_rights(here):
                found[here] = None
    return list(found)


def _mark(actor: Any, model: type[models.Model], action: str) -> tuple[Any, ...]:
    """All that decides which rows and columns of a model somebody takes out."""
    access, whole, rights = access_of(actor), whole_of(model), field_rights(actor, action, model)
    places = [access.places(dimension) for dimension in getattr(whole, "scopes", {})]
    granted: list[Any] = [
        sorted(rows) if isinstance(rows, list) else rows.count() for rows in access.granted(whole, action)
    ]
    return (
        actor.is_superuser,
        access.holds(model, action),
        [None if keys is None else sorted(keys) for keys in places],
        granted,
        rights.visible,
        rights.readable,
    )


def check_still_read(actor: Any, model: type[models.Model], columns: Iterable[str], action: str = "view") -> None:
    """Raises NotPermitted where a file has columns that the actor may not read any more. Names of fields or columns."""
    columns = list(columns)
    readable = field_rights(actor, action, model).readable
    named = {name: field for field in model._meta.concrete_fields for name in (field.name, field.column)}
    lost = [str(named[name].verbose_name) for name in columns if name in named and named[name].name not in readable]
    lost += [label_of(model, name) for name in columns if "__" in name and treatment_of(actor, model, name)]
    if lost:
        labels = ", ".join(lost)
        raise NotPermitted(
            f"The file tells {labels} of {model._meta.verbose_name_plural}, which you have no right to read any more. "
            "Make it anew."
        )

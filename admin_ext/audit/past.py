"""The business as it stood at an instant of the past, read by the same code that reads it now.

For every model with a past there is a view of the table's name in the schema `asof`: the rows that its history table
held at the instant that the transaction names. Inside `as_of()` these views stand before the tables in the search path,
so that the ORM's queries, filters, searches, joins and totals read the past and nothing of them has to know.

The tables that rights are read from have no past: who may see what is always asked of now (`access.rights`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import date, datetime
from typing import Any

from django.db import ProgrammingError, connection, connections, models, transaction
from django.utils import timezone

from admin_ext.audit.context import has_open_act
from admin_ext.audit.history import tracked_models

SCHEMA = "asof"

_looked_at: ContextVar[datetime | None] = ContextVar("opsadmin_as_of", default=None)


class PastNotThere(Exception):
    """The views of the past are not there: the database is being migrated, or was never migrated to have them."""


@contextlib.contextmanager
def as_of(instant: datetime) -> Iterator[None]:
    """Read, and read only, what stood at `instant` (aware). Raises PastNotThere.

    A queryset made inside must be read inside. Ends with a rollback, which puts back the path and the right to write,
    in a transaction of its own as well as inside somebody else's.
    """
    if has_open_act():
        raise RuntimeError("The past cannot be read in the middle of a change.")
    with transaction.atomic():
        _step_back(instant)
        token = _looked_at.set(instant)
        try:
            yield
        finally:
            _looked_at.reset(token)
        transaction.set_rollback(True)


def instant_looked_at() -> datetime | None:
    """The instant of the past that is being read; None while it is now."""
    return _looked_at.get()


def day_looked_at() -> date:
    """The day, in the person's zone, that is being read: today unless it is the past."""
    return timezone.localdate(_looked_at.get())


def past_models() -> list[type[models.Model]]:
    """The models that can be read as of an instant: those on the record that say `has_past`."""
    return [model for model in tracked_models() if getattr(model, "has_past", False)]


def _step_back(instant: datetime) -> None:
    """Name the instant to the database. No savepoint of its own: the end of one gives back the right to write."""
    views = ", ".join(_view(model) for model in past_models())
    try:
        with connection.cursor() as cursor:
            # A view that is not there would let the table of now show through; locked, none can go away meanwhile.
            cursor.execute(f"LOCK TABLE {views} IN ACCESS SHARE MODE")
            cursor.execute(
                "SELECT set_config('opsadmin.as_of', %s, true), set_config('transaction_read_only', 'on', true), "
                f"set_config('search_path', '{SCHEMA}, public, pg_temp', true)",
                [instant.isoformat()],
            )
    except ProgrammingError as error:
        raise PastNotThere("The past cannot be read while the database is being migrated. Try again later.") from error


def drop_views(*, using: str = "default", **kwargs: Any) -> None:
    """Receiver of pre_migrate: migrations may change columns that the views show."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace WHERE nspname = %s", [SCHEMA]
        )
        if cursor.fetchone() == (True,):
            cursor.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def make_views(cursor: Any, *, reader: str) -> None:
    """Make the views of every model whose tables are there, for `reader` to read and nobody to write."""
    cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    cursor.execute(f"CREATE SCHEMA {SCHEMA}")
    cursor.execute(
        f"CREATE FUNCTION {SCHEMA}.opsadmin_as_of() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS "
        "$$ SELECT nullif(pg_catalog.current_setting('opsadmin.as_of', true), '')::pg_catalog.timestamptz $$"
    )
    cursor.execute(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    there = {row[0] for row in cursor.fetchall()}
    for model in past_models():
        history = model.history.model._meta
        # Migrated back to before a column or the table: no view, and `as_of` says so.
        if all(f"{history.db_table}.{field.column}" in there for field in model._meta.concrete_fields):
            cursor.execute(_definition(model))
    cursor.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {reader}")
    cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {reader}")


def missing_views(cursor: Any) -> list[str]:
    """Tables whose past cannot be read."""
    cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = %s", [SCHEMA])
    there = {row[0] for row in cursor.fetchall()}
    return sorted({model._meta.db_table for model in past_models()} - there)


def _definition(model: type[models.Model]) -> str:
    """The last version of each row not after the instant, unless that is its end.

    Written as an anti-join, so that conditions on the row reach the history table and one row is found by its index.
    The reader's own rights on the history table count (`security_invoker`): the view gives away nothing by itself.
    """
    history = model.history.model
    columns = ", ".join(_column(field, history) for field in model._meta.concrete_fields)
    key, table = model._meta.pk.column, history._meta.db_table
    return (
        f"CREATE VIEW {_view(model)} WITH (security_invoker = true) AS SELECT {columns} "
        f'FROM public."{table}" h '
        f"WHERE h.history_date <= {SCHEMA}.opsadmin_as_of() AND h.history_type <> '-' AND NOT EXISTS ("
        f'SELECT 1 FROM public."{table}" n WHERE n."{key}" = h."{key}" '
        f"AND n.history_id > h.history_id AND n.history_date <= {SCHEMA}.opsadmin_as_of())"
    )


def _column(field: models.Field, history: type[models.Model]) -> str:
    """The history's column in the type of the table's."""
    wanted = field.db_type(connection)
    kept = history._meta.get_field(field.name).db_type(connection)
    cast = "" if wanted == kept else f"::{wanted}"
    return f'h."{field.column}"{cast} AS "{field.column}"'


def _view(model: type[models.Model]) -> str:
    return f'{SCHEMA}."{model._meta.db_table}"'

"""A scope key of its own: the column in which a big table keeps the place that it hangs from through another row.

A list of one region's orders that reaches the region through the customer reads every order of the other regions on
its way. With the region in the order's own table, and an index that begins with it, it reads nothing else. The database
keeps the column equal to where it comes from, on every path and with two people at work at once; nobody writes it.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import migrations

from admin_ext.audit.triggers import BESIDE_MODELS, GuardedTrigger


class ScopeKeyTrigger(GuardedTrigger):
    """Fills `column` from `source_column` of the row of `source` to which `through` leads.

    That row is locked in share mode: who moves it to another place waits for this transaction, and then sees its rows.
    """

    level = pgtrigger.Row
    when = pgtrigger.Before

    def __init__(self, *, column: str, through: str, source: str, source_column: str) -> None:
        self.column, self.through, self.source, self.source_column = column, through, source, source_column
        operation = pgtrigger.Insert | pgtrigger.UpdateOf(column, through)
        # In the order of the alphabet it comes before raise_version: what follows from it is one change with it.
        super().__init__(name=f"keep_{column}", operation=operation)

    def get_func(self, model: Any) -> str:
        return f"""
            NEW."{self.column}" := (
                SELECT s."{self.source_column}" FROM public."{self.source}" s WHERE s.id = NEW."{self.through}" FOR SHARE
            );
            RETURN NEW;
        """


def pass_on_scope_key(
    *, name: str, table: str, column: str, through: str, source: str, source_column: str
) -> migrations.RunSQL:
    """The other half, for a migration of the table's app: where a row of `source` moves, the rows of `table` follow."""
    moved = f"""
        CREATE FUNCTION public.{name}() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            UPDATE public."{table}" t SET "{column}" = n."{source_column}"
            FROM new_rows n JOIN old_rows o ON o.id = n.id
            WHERE t."{through}" = n.id AND n."{source_column}" IS DISTINCT FROM o."{source_column}";
            RETURN NULL;
        END $$;
        REVOKE ALL ON FUNCTION public.{name}() FROM PUBLIC;
        CREATE TRIGGER {name} AFTER UPDATE ON public."{source}"
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION public.{name}();
        ALTER TABLE public."{source}" ENABLE ALWAYS TRIGGER {name};
    """
    return migrations.RunSQL(
        moved, f'DROP TRIGGER {name} ON public."{source}"; DROP FUNCTION public.{name}();', elidable=False
    )


def fill_scope_key(*, table: str, column: str, reason: str, rows: int = 20_000) -> migrations.RunPython:
    """Fills the column of the rows that are there already, `rows` at a time, each time in a transaction of its own; for
    a migration with `atomic = False`, whose record says `reason`."""

    def fill(apps: Any, schema_editor: Any) -> None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f'SELECT min(id), max(id) FROM public."{table}"')
            first, last = cursor.fetchone()
            for begin in range(first or 0, (last or -1) + 1, rows):
                cursor.execute("BEGIN")
                cursor.execute("SELECT set_config('opsadmin.reason', %s, true)", [reason])
                cursor.execute(
                    f'UPDATE public."{table}" SET "{column}" = NULL WHERE id BETWEEN %s AND %s AND "{column}" IS NULL',
                    [begin, begin + rows - 1],
                )
                cursor.execute("COMMIT")

    return migrations.RunPython(fill, migrations.RunPython.noop)


def announce(source: str, name: str) -> None:
    """Tell the start-up check of a trigger that `pass_on_scope_key` installs; when the app is ready."""
    BESIDE_MODELS.add((source, name))

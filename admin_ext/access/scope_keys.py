"""A scope key of its own: the column in which a big table keeps the place that it hangs from through another row.

A list of one region's orders that reaches the region through the customer reads every order of the other regions on
its way. With the region in the order's own table, and an index that begins with it, it reads nothing else. The database
keeps the column equal to where it comes from, on every path and with two people at work at once; nobody writes it.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import migrations, models

from admin_ext.audit.triggers import BESIDE_MODELS, GuardedTrigger


def scope_key(to: str, *, help_text: str) -> Any:
    """The column: a foreign key to the scope model that no form offers. Give it an index that begins with it."""
    return models.ForeignKey(
        to,
        on_delete=models.PROTECT,
        null=True,
        db_default=None,  # it begins as the database says
        editable=False,
        db_index=False,
        # The row that it is taken from has the key checked; a second check of every new row would find the same.
        db_constraint=False,
        related_name="+",
        help_text=help_text,
    )


class ScopeKeyTrigger(GuardedTrigger):
    """Fills `column` from `source`, which is `table.column`, of the row to which `through` leads.

    That row is locked in share mode: who moves it to another place waits for this transaction, and then sees its rows.
    """

    level = pgtrigger.Row
    when = pgtrigger.Before

    def __init__(self, *, column: str, through: str, source: str) -> None:
        self.column, self.through, self.source = column, through, source
        operation = pgtrigger.Insert | pgtrigger.UpdateOf(column, through)
        # In the order of the alphabet it comes before raise_version: what follows from it is one change with it.
        super().__init__(name=f"keep_{column}", operation=operation)

    def get_func(self, model: Any) -> str:
        table, _, column = self.source.partition(".")
        return f"""
            NEW."{self.column}" := (
                SELECT s."{column}" FROM public."{table}" s WHERE s.id = NEW."{self.through}" FOR SHARE
            );
            RETURN NEW;
        """


def pass_on_scope_key(*, name: str, table: str, column: str, through: str, source: str) -> migrations.RunSQL:
    """The other half, for a migration of the table's app: where a row of the source moves, the rows of `table` follow."""
    whole, _, place = source.partition(".")
    moved = f"""
        CREATE FUNCTION public.{name}() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            -- The trigger on the rows themselves fills in what is new. (EXCEPT, and not a join: plpgsql keeps the plan
            -- that was made for one row, and a nested loop over a hundred thousand never ends.)
            UPDATE public."{table}" SET "{column}" = NULL WHERE "{through}" = ANY (ARRAY(
                SELECT m.id FROM (SELECT id, "{place}" FROM new_rows EXCEPT SELECT id, "{place}" FROM old_rows) m
            ));
            RETURN NULL;
        END $$;
        REVOKE ALL ON FUNCTION public.{name}() FROM PUBLIC;
        CREATE TRIGGER {name} AFTER UPDATE ON public."{whole}"
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION public.{name}();
        ALTER TABLE public."{whole}" ENABLE ALWAYS TRIGGER {name};
    """
    return migrations.RunSQL(
        moved, f'DROP TRIGGER {name} ON public."{whole}"; DROP FUNCTION public.{name}();', elidable=False
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

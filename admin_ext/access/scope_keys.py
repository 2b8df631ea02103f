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
    """Keeps `column` what `source`, which is `table.column`, says of the row to which `through` leads.

    That row is locked in share mode: who moves it to another place waits for this transaction, and then sees its rows.
    """

    level = pgtrigger.Row
    when = pgtrigger.Before

    def __init__(self, *, column: str, through: str, source: str) -> None:
        self.column, self.through, self.source = column, through, source
        super().__init__(**self.declared())

    def declared(self) -> dict[str, Any]:
        """Its name, and when it is called."""
        # In the order of the alphabet it comes before raise_version: what follows from it is one change with it.
        return {"name": f"keep_{self.column}", "operation": pgtrigger.UpdateOf(self.column, self.through)}

    @property
    def source_table(self) -> str:
        return self.source.partition(".")[0]

    @property
    def source_column(self) -> str:
        return self.source.partition(".")[2]

    @property
    def rule(self) -> str:
        """The name under which the database refuses a new row that brings another place."""
        return f"{self.column}_follows_{self.through}"

    def get_func(self, model: Any) -> str:
        return f"""
            NEW."{self.column}" := (
                SELECT s."{self.source_column}" FROM public."{self.source_table}" s
                WHERE s.id = NEW."{self.through}" FOR SHARE
            );
            RETURN NEW;
        """


class NewScopeKeyTrigger(ScopeKeyTrigger):
    """Fills `column` of a new row, where whoever inserts it has not."""

    def declared(self) -> dict[str, Any]:
        is_empty = pgtrigger.Condition(f'NEW."{self.column}" IS NULL')
        return {"name": f"fill_{self.column}", "operation": pgtrigger.Insert, "condition": is_empty}


class ScopeKeyCheck(ScopeKeyTrigger):
    """Refuses new rows whose `column` is not what `source` says: for all rows of a statement with one query, so that
    an insert of thousands may bring it."""

    level = pgtrigger.Statement
    when = pgtrigger.After

    def declared(self) -> dict[str, Any]:
        referencing = pgtrigger.Referencing(new="new_rows")
        return {"name": f"check_{self.column}", "operation": pgtrigger.Insert, "referencing": referencing}

    def get_declare(self, model: Any) -> list[tuple[str, str]]:
        return [("wrong", "bigint")]

    def get_func(self, model: Any) -> str:
        # (An array, and not a join: plpgsql keeps the plan, and one for a single row must not read the whole source.)
        return f"""
            WITH places AS MATERIALIZED (
                SELECT s.id, s."{self.source_column}" AS place FROM public."{self.source_table}" s
                WHERE s.id = ANY (ARRAY(SELECT DISTINCT n."{self.through}" FROM new_rows n)) FOR SHARE
            )
            SELECT n.id INTO wrong FROM new_rows n LEFT JOIN places s ON s.id = n."{self.through}"
            WHERE n."{self.column}" IS DISTINCT FROM s.place LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, COLUMN = '{self.column}',
                    CONSTRAINT = '{self.rule}',
                    MESSAGE = 'A new row of ' || TG_TABLE_NAME || ' brings a {self.column} that is not that of its {self.through}.';
            END IF;
            RETURN NULL;
        """


def scope_key_triggers(*, column: str, through: str, source: str) -> list[ScopeKeyTrigger]:
    """What keeps the column of a table equal to where it comes from, on every path. Its other half is `pass_on_scope_key`."""
    kinds = (ScopeKeyTrigger, NewScopeKeyTrigger, ScopeKeyCheck)
    return [kind(column=column, through=through, source=source) for kind in kinds]


def scope_keys(model: Any) -> list[ScopeKeyTrigger]:
    """The scope keys of a model's table: for each the trigger that keeps it."""
    return [trigger for trigger in getattr(model._meta, "triggers", ()) if type(trigger) is ScopeKeyTrigger]


def path_before_writing(model: Any, path: str) -> str:
    """How a row that is not written yet reaches its place: its scope key is filled only then, from where it hangs."""
    first, _, _ = path.partition("__")
    for trigger in scope_keys(model):
        if trigger.column in (first, f"{first}_id"):
            through = next(field.name for field in model._meta.concrete_fields if field.column == trigger.through)
            return f"{through}__{path}"
    return path


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

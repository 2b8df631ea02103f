"""The triggers that write the record and guard it.

Statement-level triggers with transition tables see every row that a statement changed, whatever path it took.
They are declared beside the model (django-pgtrigger), installed by migrations as the owner of the tables, run with
the owner's rights (the runtime role cannot write history itself), and are `ENABLE ALWAYS`, so that neither
`session_replication_role` nor pgtrigger's ignore setting switches them off.

Note [enable_nestloop off]
    plpgsql keeps the plan of the join of old and new rows. Made for one row it is a nested loop, which for a later
    statement over 20,000 rows in the same session is quadratic. The setting on the function forbids that plan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pgtrigger
from django.db import models
from pgtrigger import compiler

from admin_ext.audit.exempt import EXEMPT_COLUMNS

# Columns whose change alone is no change: the version and the instants follow from the rest.
FOLLOWING_COLUMNS = frozenset({"version", "created_at", "updated_at"})


class GuardedTriggerSql(compiler.UpsertTriggerSql):
    """Installs a function that runs as its owner and a trigger that nobody's session can skip.

    Migrations refer to this class: a changed template changes what old migrations install, so leave it alone.
    """

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER
                SET search_path = pg_catalog, public, pg_temp
                SET enable_nestloop = off
            AS $guard$ {declare} BEGIN {func} END $guard$;
            REVOKE ALL ON FUNCTION {pgid}() FROM PUBLIC;
            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE TRIGGER {pgid} {when} {operation} ON {table} {referencing}
                FOR EACH {level} {condition} EXECUTE FUNCTION {execute};
            ALTER TABLE {table} ENABLE ALWAYS TRIGGER {pgid};
            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class GuardedTrigger(pgtrigger.Trigger):
    """A trigger installed by `GuardedTriggerSql`."""

    def compile(self, model: Any) -> compiler.Trigger:
        declared = self.render_declare(model)
        return compiler.Trigger(
            name=self.name,
            sql=GuardedTriggerSql(
                pgid=self.get_pgid(model),
                table=model._meta.db_table,
                when=self.when,
                operation=self.operation,
                referencing=self.referencing or "",
                level=self.level,
                condition=self.render_condition(model),
                declare=declared,
                func=self.render_func(model),
            ),
        )


class CaptureTrigger(GuardedTrigger):
    """Writes one history row for every row that an INSERT, UPDATE or DELETE changed."""

    level = pgtrigger.Statement
    when = pgtrigger.After

    def __init__(self, *, kind: str, history_table: str, excluded: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.history_table = history_table
        self.excluded = excluded
        operation, referencing = {
            "+": (pgtrigger.Insert, pgtrigger.Referencing(new="new_rows")),
            "~": (pgtrigger.Update, pgtrigger.Referencing(old="old_rows", new="new_rows")),
            "-": (pgtrigger.Delete, pgtrigger.Referencing(old="old_rows")),
        }[kind]
        name = {"+": "record_insert", "~": "record_update", "-": "record_delete"}[kind]
        super().__init__(name=name, operation=operation, referencing=referencing)

    def get_declare(self, model: type[models.Model]) -> list[tuple[str, str]]:
        # What is the same for every row is asked once.
        return [
            ("act", "record"),
            ("recorded", "bigint"),
            ("instant", "timestamptz := statement_timestamp()"),
            ("transaction", "bigint := pg_current_xact_id()::text::bigint"),
            ("login", "text := session_user"),
        ]

    def get_func(self, model: type[models.Model]) -> str:
        columns = [field.column for field in model._meta.concrete_fields if field.name not in self.excluded]
        key = model._meta.pk.column
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join(f'{"o" if self.kind == "-" else "n"}."{column}"' for column in columns)
        if self.kind == "~":
            compared = [column for column in columns if column not in FOLLOWING_COLUMNS and column != key]
            changed = ", ".join(
                f'CASE WHEN o."{column}" IS DISTINCT FROM n."{column}" THEN \'{column}\' END' for column in compared
            )
            source = (
                f'new_rows n JOIN old_rows o ON o."{key}" = n."{key}" '
                f"CROSS JOIN LATERAL (SELECT array_remove(ARRAY[{changed}]::text[], NULL) AS columns) c "
                f"WHERE cardinality(c.columns) > 0"
            )
            changed = "c.columns"
        else:
            source = "old_rows o" if self.kind == "-" else "new_rows n"
            changed = "NULL::text[]"
        return f"""
            SELECT * INTO act FROM public.opsadmin_act();
            INSERT INTO public."{self.history_table}"
                ({names}, history_date, history_type, change_set_id, history_user_id, xid, db_user, changed)
            SELECT {values}, instant, '{self.kind}', act.change_set_id, act.actor_id, transaction, login, {changed}
            FROM {source};
            GET DIAGNOSTICS recorded = ROW_COUNT;
            IF recorded > 0 THEN PERFORM public.opsadmin_recorded(recorded, act.change_set_id, TG_TABLE_NAME); END IF;
            RETURN NULL;
        """


class VersionTrigger(GuardedTrigger):
    """Raises `version` and `updated_at` when a row really changes, on every path; refuses a changed primary key."""

    name = "raise_version"
    level = pgtrigger.Row
    when = pgtrigger.Before
    operation = pgtrigger.Update

    def get_func(self, model: type[models.Model]) -> str:
        # Generated columns have no value yet in a BEFORE trigger; they follow from the others.
        columns = [
            field.column
            for field in model._meta.concrete_fields
            if not getattr(field, "generated", False)
            and field.column not in FOLLOWING_COLUMNS
            and field.column not in EXEMPT_COLUMNS
        ]
        key = model._meta.pk.column
        old = ", ".join(f'OLD."{column}"' for column in columns)
        new = ", ".join(f'NEW."{column}"' for column in columns)
        return f"""
            IF NEW."{key}" <> OLD."{key}" THEN
                RAISE EXCEPTION USING ERRCODE = 'check_violation',
                    MESSAGE = 'The primary key of ' || TG_TABLE_NAME || ' never changes.';
            END IF;
            NEW.version := OLD.version; NEW.created_at := OLD.created_at; NEW.updated_at := OLD.updated_at;
            IF ROW({old}) IS DISTINCT FROM ROW({new}) THEN
                NEW.version := OLD.version + 1; NEW.updated_at := statement_timestamp();
            END IF;
            RETURN NEW;
        """


class RefuseTrigger(GuardedTrigger):
    """Refuses operations on a table, for every role, the owner included.

    `unless` is a condition on OLD and NEW under which an UPDATE passes; without it the trigger is statement-level, which
    is what TRUNCATE needs. Where `erasable`, the owner may update and delete under a tombstone (`Tombstone`).
    """

    when = pgtrigger.Before

    def __init__(self, *, name: str, operations: str, message: str, unless: str = "", erasable: bool = False) -> None:
        if unless and operations != "UPDATE":
            raise ValueError("Only an UPDATE can be let through under a condition.")
        self.message = message
        self.unless = unless
        self.erasable = erasable
        wanted = {"UPDATE": pgtrigger.Update, "DELETE": pgtrigger.Delete, "TRUNCATE": pgtrigger.Truncate}
        operation = None
        for word in operations.split():
            operation = wanted[word] if operation is None else operation | wanted[word]
        super().__init__(name=name, operation=operation, level=pgtrigger.Row if unless else pgtrigger.Statement)

    def get_func(self, model: type[models.Model]) -> str:
        refusal = f"RAISE EXCEPTION '{self.message}' USING ERRCODE = 'insufficient_privilege';"
        if self.erasable:
            named = "TG_OP <> 'TRUNCATE' AND public.opsadmin_tombstone_named(TG_TABLE_NAME)"
            return f"IF {named} THEN RETURN NULL; END IF; {refusal}"
        if not self.unless:
            return refusal
        return f"IF NOT ({self.unless}) THEN {refusal} END IF; RETURN NEW;"


def read_sql(module: str, name: str, **words: str) -> str:
    """The text of a trigger's function, `sql/<name>.sql` beside a module's file, with its `:words` filled in."""
    text = (Path(module).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    for word, meaning in words.items():
        text = text.replace(f":{word}", meaning)
    return text


def capture_triggers(*, history_table: str, excluded: tuple[str, ...] = ()) -> list[pgtrigger.Trigger]:
    """The triggers that write `history_table` from the model they are registered on, and refuse its TRUNCATE."""
    captures = [CaptureTrigger(kind=kind, history_table=history_table, excluded=excluded) for kind in "+~-"]
    refuse = RefuseTrigger(
        name="record_truncate", operations="TRUNCATE", message="TRUNCATE leaves no record. Use DELETE."
    )
    return [*captures, refuse]


def append_only_triggers() -> list[pgtrigger.Trigger]:
    """The triggers that keep a history table as it was written."""
    return [
        RefuseTrigger(
            name="append_only",
            operations="UPDATE DELETE TRUNCATE",
            message="The record is append-only.",
            erasable=True,
        )
    ]


# Guarded triggers that migrations install in SQL of their own.
BESIDE_MODELS = {("audit_changeset", "acts_end")}


def unguarded(connection: Any) -> list[str]:
    """Guarded triggers that are declared but not installed or not `ENABLE ALWAYS`, as `table.trigger`."""
    declared = {
        (model._meta.db_table, trigger.get_pgid(model))
        for model, trigger in pgtrigger.registered()
        if isinstance(trigger, GuardedTrigger)
    } | BESIDE_MODELS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal AND t.tgenabled = 'A'"
        )
        installed = set(cursor.fetchall())
    return sorted(f"{table}.{name}" for table, name in declared - installed)

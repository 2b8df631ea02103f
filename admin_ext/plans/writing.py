"""Writing planned rows: as sets, model by model, or by a verb row by row. Each tells of the rows that did not go as planned.

Planned documents become typed rows inside the database (`jsonb_populate_record`), inserted with `ON CONFLICT DO
NOTHING`, updated and deleted where the version still matches. Where the database refuses a set, it is halved until one bad row
costs only itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, check_inside, may_add, restrict
from admin_ext.access.scope_keys import scope_keys
from admin_ext.lookups import as_array
from admin_ext.plans.documents import TypedColumns
from admin_ext.plans.making import Source
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.refusals import UNIQUE, DatabaseRefused, told
from admin_ext.services import Refused

CHUNK = 5000
ROW_CHUNK = 50
MOVED = "Somebody changed this row after the plan was made. Nothing was overwritten."
TAKEN = "A row of this name was made after the plan was made."
# At which end of a foreign key a table stands, as pg_constraint says it.
OWN, NAMING = "conrelid", "confrelid"
CREATED = "p.plan_id = %s AND p.number BETWEEN %s AND %s AND p.action = 'create'"

Failures = dict[int, tuple[Action, str]]


class PlannedRow(NamedTuple):
    """What is needed of a plan row to write it as one of a set."""

    pk: int
    number: int
    action: str
    model: str
    target_id: int | None
    version: int | None


def applier(plan: Plan, source: Source, *, rehearsing: bool = False) -> Applier:
    """What writes the rows of a plan. When `rehearsing`, a row that is in the way is told by the rule it would break."""
    if source.is_row_by_row:
        return RowByRow(plan, source)
    return (source.applier or SetBased)(plan, rehearsing=rehearsing)


class Applier:
    """Applies a list of plan rows in the current transaction and returns those that did not go as planned."""

    size = CHUNK

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def read(self, rows: models.QuerySet[PlanRow]) -> Sequence[Any]:
        """The plan rows of a query, as far as they are needed here."""
        return list(rows.only("id", "number", "key", "action", "model", "target_id", "version"))

    def __call__(self, rows: Sequence[Any], actor: Any) -> Failures:
        raise NotImplementedError


class SetBased(Applier):
    """Creates, updates and deletes as sets, model by model."""

    def __init__(self, plan: Plan, *, rehearsing: bool = False) -> None:
        super().__init__(plan)
        self.may_be_taken = not rehearsing
        self.tables: dict[str, Table] = {}

    def read(self, rows: models.QuerySet[PlanRow]) -> Sequence[PlannedRow]:
        sql, parameters = rows.values_list(*PlannedRow._fields).query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            # All at once: an iterator over the query would fetch them by hundreds.
            return list(map(PlannedRow._make, cursor.fetchall()))

    def __call__(self, rows: Sequence[PlannedRow], actor: Any) -> Failures:
        failures: Failures = {}
        for label, group in groupby(rows, key=lambda row: row.model or self.plan.model):
            if label not in self.tables:
                written = self.plan.parameters["written"][label]
                self.tables[label] = Table(self.plan, apps.get_model(label), written, may_be_taken=self.may_be_taken)
            failures |= self.tables[label].apply(list(group), actor)
        return failures


class Table:
    """Writes planned rows of one model: such as follow each other in their plan."""

    def __init__(
        self, plan: Plan, model: type[models.Model], written: dict[str, list[str]], *, may_be_taken: bool
    ) -> None:
        self.plan = plan
        self.model = model
        self.name = model._meta.db_table
        self.written = written
        self.may_be_taken = may_be_taken
        self.foreign_keys: dict[str, str] = {}
        self.inserting: tuple[str, TypedColumns] | None = None
        # Those that follow from what is written; others the database fills row by row.
        through = written.get(Action.CREATE, ())
        self.scope_keys = [kept for kept in scope_keys(model) if kept.through in through]

    def apply(self, rows: list[PlannedRow], actor: Any) -> Failures:
        try:
            with transaction.atomic():
                return self._apply(rows, actor)
        except (*DatabaseRefused, NotPermitted, Refused) as error:
            if len(rows) == 1:
                return {rows[0].pk: (Action.REFUSED, told(error, self.model))}
        half = len(rows) // 2
        return self.apply(rows[:half], actor) | self.apply(rows[half:], actor)

    def _apply(self, rows: list[PlannedRow], actor: Any) -> Failures:
        creates = [row for row in rows if row.action == Action.CREATE]
        updates = [row for row in rows if row.action == Action.UPDATE]
        deletes = [row for row in rows if row.action == Action.DELETE]
        failures = self._create(creates, actor) if creates else {}
        failures |= self._change(updates, actor) if updates else {}
        return failures | (self._remove(deletes, actor) if deletes else {})

    def _create(self, rows: list[PlannedRow], actor: Any) -> Failures:
        if not may_add(actor, self.model):
            lost = f"You have no right to add {self.model._meta.verbose_name_plural} any more."
            return {row.pk: (Action.REFUSED, lost) for row in rows}
        made, taken = self._insert(rows[0].number, rows[-1].number)
        self._check_now(OWN)
        check_inside(actor, self.model, made, "add")
        return dict.fromkeys(taken, (Action.DRIFTED, TAKEN))

    def _change(self, rows: list[PlannedRow], actor: Any) -> Failures:
        targets = [row.target_id for row in rows]
        allowed = restrict(self.model._default_manager.filter(pk__among_few=targets).order_by(), actor, "change")
        may = set(allowed.values_list("pk", flat=True))
        failures = self._not_writable(rows, actor)
        changed = self._update([row for row in rows if row.target_id in may and row.pk not in failures])
        self._check_now(OWN)
        check_inside(actor, self.model, changed, "change")
        for row in rows:
            if row.target_id not in may:
                failures[row.pk] = Action.REFUSED, "You have no right to change this row any more."
            elif row.target_id not in changed and row.pk not in failures:
                failures[row.pk] = Action.DRIFTED, MOVED
        return failures

    def _check_now(self, end: str) -> None:
        """Ask about foreign keys now, those of this table's rows (OWN) or those that name its rows (NAMING): at the commit
        it would be too late to say whose row it was."""
        with connection.cursor() as cursor:
            if end not in self.foreign_keys:
                cursor.execute(
                    "SELECT string_agg(quote_ident(conname), ', ') FROM pg_constraint "
                    f"WHERE {end} = %s::regclass AND contype = 'f' AND condeferrable",
                    [f'"{self.name}"'],
                )
                self.foreign_keys[end] = cursor.fetchone()[0] or ""
            if named := self.foreign_keys[end]:
                cursor.execute(f"SET CONSTRAINTS {named} IMMEDIATE")
                cursor.execute(f"SET CONSTRAINTS {named} DEFERRED")

    def _not_writable(self, rows: list[PlannedRow], actor: Any) -> Failures:
        """Rows that would write a column which the actor may not write (any more)."""
        fields = [self.model._meta.get_field(name) for name in field_rights(actor, "change", self.model).writable]
        if not (forbidden := set(self.written[Action.UPDATE]) - {field.column for field in fields}):
            return {}
        touching = PlanRow.objects.filter(pk__any_of=[row.pk for row in rows], after__has_any_keys=list(forbidden))
        lost = f"You have no right to write {', '.join(sorted(forbidden))} of this row."
        return dict.fromkeys(touching.values_list("pk", flat=True), (Action.REFUSED, lost))

    def _insert(self, first: int, last: int) -> tuple[list[int], list[int]]:
        """Returns the keys of the new rows, and the plan rows that met a row of the same name or key.

        Rows are named by the numbers of the first and the last: a list of thousands of keys would have the planner read
        the whole table.

        A name is hardly ever taken, and to ask costs a fifth of the insert: so it is asked when one was met. So it is
        with what new rows take their scope keys from: it hardly ever moves meanwhile, and the database tells when it did.
        """
        key, typed = self._inserting()
        sql = f"""
            {self._insert_into(f"coalesce(p.target_id, {key})", typed)}
            FROM plans_planrow p {typed.join} {self._places(typed)} WHERE {CREATED} ORDER BY p.number
            RETURNING id
        """
        try:
            return self._made(sql, first, last), []
        except IntegrityError as error:
            if self.may_be_taken and getattr(error.__cause__, "sqlstate", "") == UNIQUE:
                return self._insert_around(first, last)
            if not self._has_moved(error):
                raise
        # Where a row belongs was moved between our reading it and the end of the statement; now nobody moves it.
        self._lock_places(first, last)
        return self._made(sql, first, last), []

    def _made(self, sql: str, first: int, last: int) -> list[int]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [self.plan.pk, first, last])
            return [key for (key,) in cursor.fetchall()]

    def _insert_around(self, first: int, last: int) -> tuple[list[int], list[int]]:
        key, typed = self._inserting()
        sql = f"""
            WITH p AS MATERIALIZED (
                SELECT p.id AS plan_row, p.after, coalesce(p.target_id, {key}) AS new_id
                FROM plans_planrow p WHERE {CREATED} ORDER BY p.number
            ), made AS (
                {self._insert_into("p.new_id", typed)} FROM p {typed.join} {self._places(typed)} ON CONFLICT DO NOTHING RETURNING id
            )
            SELECT p.plan_row, made.id FROM p LEFT JOIN made ON made.id = p.new_id
        """
        with connection.cursor() as cursor:
            cursor.execute(sql, [self.plan.pk, first, last])
            found = cursor.fetchall()
        return [made for _, made in found if made], [plan_row for plan_row, made in found if not made]

    def _insert_into(self, key: str, typed: TypedColumns) -> str:
        columns = dict(zip(typed.columns, typed.expressions, strict=True))
        for kept in self.scope_keys:
            columns[kept.column] = f'"place of {kept.column}"."{kept.source_column}"'
        names = ", ".join(f'"{column}"' for column in columns)
        return f'INSERT INTO "{self.name}" (id, {names}) SELECT {key}, {", ".join(columns.values())}'

    def _places(self, typed: TypedColumns) -> str:
        """The rows from which new rows take their scope keys, for a join."""
        columns = dict(zip(typed.columns, typed.expressions, strict=True))
        return " ".join(
            f'LEFT JOIN "{kept.source_table}" "place of {kept.column}" '
            f'ON "place of {kept.column}".id = {columns[kept.through]}'
            for kept in self.scope_keys
        )

    def _has_moved(self, error: IntegrityError) -> bool:
        broken = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
        return any(broken == kept.rule for kept in self.scope_keys)

    def _lock_places(self, first: int, last: int) -> None:
        """The rows that new rows take their scope keys from stay as they are until this transaction ends."""
        for kept in self.scope_keys:
            sql = f"""
                SELECT FROM "{kept.source_table}" WHERE id = ANY (ARRAY(
                    SELECT DISTINCT (p.after->>'{kept.through}')::bigint FROM plans_planrow p WHERE {CREATED}
                )) ORDER BY id FOR SHARE
            """
            with connection.cursor() as cursor:
                cursor.execute(sql, [self.plan.pk, first, last])

    def _inserting(self) -> tuple[str, TypedColumns]:
        """The expression of a new key, and the columns of new rows; looked up once."""
        if self.inserting is None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [f'"{self.name}"'])
                (sequence,) = cursor.fetchone()
            columns = TypedColumns(self.name, self.written[Action.CREATE])
            self.inserting = f"nextval('{sequence}'::regclass)", columns
        return self.inserting

    def _update(self, rows: list[PlannedRow]) -> set[int]:
        """Returns the keys of the rows that were still at the version that the plan saw."""
        columns = self.written[Action.UPDATE]
        if not rows:
            return set()
        sql = f"""
            UPDATE "{self.name}" t SET {", ".join(f'"{column}" = r."{column}"' for column in columns)}
            FROM plans_planrow p
            JOIN "{self.name}" present ON present.id = p.target_id
            CROSS JOIN LATERAL jsonb_populate_record(present, p.after) r
            WHERE p.plan_id = %s AND p.number BETWEEN %s AND %s AND p.id = ANY(%s::bigint[]) AND t.id = p.target_id AND t.version = p.version
            RETURNING t.id
        """
        with connection.cursor() as cursor:
            keys = as_array([row.pk for row in rows])
            cursor.execute(sql, [self.plan.pk, rows[0].number, rows[-1].number, keys])
            return {row[0] for row in cursor.fetchall()}

    def _remove(self, rows: list[PlannedRow], actor: Any) -> Failures:
        targets = [row.target_id for row in rows]
        allowed = restrict(self.model._default_manager.filter(pk__among_few=targets).order_by(), actor, "delete")
        may = set(allowed.values_list("pk", flat=True))
        there = set(self.model._base_manager.filter(pk__among_few=targets).order_by().values_list("pk", flat=True))
        gone = self._delete([row for row in rows if row.target_id in may])
        self._check_now(NAMING)
        lost = there - may
        failures: Failures = {}
        for row in rows:
            if row.target_id in lost:
                failures[row.pk] = Action.REFUSED, "You have no right to delete this row any more."
            elif row.target_id not in gone:
                failures[row.pk] = Action.DRIFTED, MOVED
        return failures

    def _delete(self, rows: list[PlannedRow]) -> set[int]:
        """Returns the keys of the rows that were still at the version that the plan saw."""
        if not rows:
            return set()
        sql = f"""
            DELETE FROM "{self.name}" t USING plans_planrow p
            WHERE p.id = ANY(%s) AND t.id = p.target_id AND t.version = p.version
            RETURNING t.id
        """
        with connection.cursor() as cursor:
            cursor.execute(sql, [[row.pk for row in rows]])
            return {row[0] for row in cursor.fetchall()}


class RowByRow(Applier):
    """Verbs: one service call a row, each in a savepoint of its own."""

    size = ROW_CHUNK

    def __init__(self, plan: Plan, source: Source) -> None:
        super().__init__(plan)
        self.source = source
        self.model = plan.get_model()

    def __call__(self, rows: Sequence[PlanRow], actor: Any) -> Failures:
        failures: Failures = {}
        locked = self.model._default_manager.select_for_update(of=("self",)).order_by("pk")
        versions = dict(locked.filter(pk__in=[row.target_id for row in rows]).values_list("pk", "version"))
        for row in rows:
            if versions.get(row.target_id) != row.version:
                failures[row.pk] = Action.DRIFTED, MOVED
                continue
            try:
                with transaction.atomic():
                    self.source.apply_row(self.plan, row, actor)
            except (Refused, NotPermitted, IntegrityError) as error:
                failures[row.pk] = Action.REFUSED, told(error, self.model)
        return failures

"""Writing planned rows: as sets, model by model, or by a verb row by row. Each tells of the rows that did not go as planned.

Planned documents become typed rows inside the database (`jsonb_populate_record`), inserted with `ON CONFLICT DO
NOTHING`, updated where the version still matches. Where the database refuses a set, it is halved until one bad row
costs only itself.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, access_of, check_inside, restrict
from admin_ext.plans.making import Source
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.refusals import DatabaseRefused, told
from admin_ext.services import Refused

CHUNK = 2000
ROW_CHUNK = 50
MOVED = "Somebody changed this row after the plan was made. Nothing was overwritten."
TAKEN = "A row of this name was made after the plan was made."

Failures = dict[int, tuple[Action, str]]


def applier(plan: Plan, source: Source, *, rehearsing: bool = False) -> Applier:
    """What writes the rows of a plan. When `rehearsing`, a row that is in the way is told by the rule it would break."""
    return RowByRow(plan, source) if source.is_row_by_row else SetBased(plan, rehearsing=rehearsing)


class Applier:
    """Applies a list of plan rows in the current transaction and returns those that did not go as planned."""

    size = CHUNK

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __call__(self, rows: list[PlanRow], actor: Any) -> Failures:
        raise NotImplementedError


class SetBased(Applier):
    """Creates and updates as sets, model by model."""

    def __init__(self, plan: Plan, *, rehearsing: bool = False) -> None:
        super().__init__(plan)
        self.on_conflict = "" if rehearsing else "ON CONFLICT DO NOTHING"
        self.tables: dict[str, _Table] = {}

    def __call__(self, rows: list[PlanRow], actor: Any) -> Failures:
        failures: Failures = {}
        for label, group in groupby(rows, key=lambda row: row.model or self.plan.model):
            if label not in self.tables:
                written = self.plan.parameters["written"][label]
                self.tables[label] = _Table(apps.get_model(label), written, self.on_conflict)
            failures |= self.tables[label].apply(list(group), actor)
        return failures


class _Table:
    """Writes planned rows of one model."""

    def __init__(self, model: type[models.Model], written: dict[str, list[str]], on_conflict: str) -> None:
        self.model = model
        self.name = model._meta.db_table
        self.written = written
        self.on_conflict = on_conflict
        self.relations: str | None = None

    def apply(self, rows: list[PlanRow], actor: Any) -> Failures:
        try:
            with transaction.atomic():
                return self._apply(rows, actor)
        except (*DatabaseRefused, NotPermitted, Refused) as error:
            if len(rows) == 1:
                return {rows[0].pk: (Action.REFUSED, told(error, self.model))}
        half = len(rows) // 2
        return self.apply(rows[:half], actor) | self.apply(rows[half:], actor)

    def _apply(self, rows: list[PlanRow], actor: Any) -> Failures:
        creates = [row for row in rows if row.action == Action.CREATE]
        updates = [row for row in rows if row.action == Action.UPDATE]
        return (self._create(creates, actor) if creates else {}) | (self._change(updates, actor) if updates else {})

    def _create(self, rows: list[PlanRow], actor: Any) -> Failures:
        if not access_of(actor).holds(self.model, "add"):
            lost = f"You have no right to add {self.model._meta.verbose_name_plural} any more."
            return {row.pk: (Action.REFUSED, lost) for row in rows}
        made = self._insert(rows)
        self._check_relations()
        check_inside(actor, self.model, made.values(), "add")
        return {row.pk: (Action.DRIFTED, TAKEN) for row in rows if row.pk not in made}

    def _change(self, rows: list[PlanRow], actor: Any) -> Failures:
        targets = [row.target_id for row in rows]
        allowed = restrict(self.model._default_manager.filter(pk__any_of=targets), actor, "change")
        may = set(allowed.values_list("pk", flat=True))
        failures = self._not_writable(rows, actor)
        changed = self._update([row for row in rows if row.target_id in may and row.pk not in failures])
        self._check_relations()
        check_inside(actor, self.model, changed, "change")
        for row in rows:
            if row.target_id not in may:
                failures[row.pk] = Action.REFUSED, "You have no right to change this row any more."
            elif row.target_id not in changed and row.pk not in failures:
                failures[row.pk] = Action.DRIFTED, MOVED
        return failures

    def _check_relations(self) -> None:
        """Ask about foreign keys now: at the commit it would be too late to say whose row it was."""
        with connection.cursor() as cursor:
            if self.relations is None:
                cursor.execute(
                    "SELECT string_agg(quote_ident(conname), ', ') FROM pg_constraint "
                    "WHERE conrelid = %s::regclass AND contype = 'f' AND condeferrable",
                    [f'"{self.name}"'],
                )
                self.relations = cursor.fetchone()[0] or ""
            if self.relations:
                cursor.execute(f"SET CONSTRAINTS {self.relations} IMMEDIATE")
                cursor.execute(f"SET CONSTRAINTS {self.relations} DEFERRED")

    def _not_writable(self, rows: list[PlanRow], actor: Any) -> Failures:
        """Rows that would write a column which the actor may not write (any more)."""
        fields = [self.model._meta.get_field(name) for name in field_rights(actor, "change", self.model).writable]
        if not (forbidden := set(self.written[Action.UPDATE]) - {field.column for field in fields}):
            return {}
        touching = PlanRow.objects.filter(pk__any_of=[row.pk for row in rows], after__has_any_keys=list(forbidden))
        lost = f"You have no right to write {', '.join(sorted(forbidden))} of this row."
        return dict.fromkeys(touching.values_list("pk", flat=True), (Action.REFUSED, lost))

    def _insert(self, rows: list[PlanRow]) -> dict[int, int]:
        """Returns the key of the new row by plan row; those missing met a row of the same name or key."""
        columns = self.written[Action.CREATE]
        names = ", ".join(f'"{column}"' for column in columns)
        sql = f"""
            WITH planned AS MATERIALIZED (
                SELECT p.id AS plan_row, p.after,
                    coalesce(p.target_id, nextval(pg_get_serial_sequence('"{self.name}"', 'id'))) AS new_id
                FROM plans_planrow p WHERE p.id = ANY(%s) ORDER BY p.number
            ), made AS (
                INSERT INTO "{self.name}" (id, {names})
                SELECT planned.new_id, {", ".join(f'r."{column}"' for column in columns)}
                FROM planned CROSS JOIN LATERAL jsonb_populate_record(NULL::"{self.name}", planned.after) r
                {self.on_conflict}
                RETURNING id
            )
            SELECT planned.plan_row, planned.new_id FROM planned JOIN made ON made.id = planned.new_id
        """
        with connection.cursor() as cursor:
            cursor.execute(sql, [[row.pk for row in rows]])
            return dict(cursor.fetchall())

    def _update(self, rows: list[PlanRow]) -> set[int]:
        """Returns the keys of the rows that were still at the version that the plan saw."""
        columns = self.written[Action.UPDATE]
        if not rows:
            return set()
        sql = f"""
            UPDATE "{self.name}" t SET {", ".join(f'"{column}" = r."{column}"' for column in columns)}
            FROM plans_planrow p
            JOIN "{self.name}" present ON present.id = p.target_id
            CROSS JOIN LATERAL jsonb_populate_record(present, p.after) r
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

    def __call__(self, rows: list[PlanRow], actor: Any) -> Failures:
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

"""Applying a plan: exactly once, only where the row is still what the plan saw.

Set-based, in chunks: planned documents become typed rows inside the database (`jsonb_populate_record`), inserted with
`ON CONFLICT DO NOTHING`, updated where the version still matches. A chunk, its outcomes and how far the job got are
one transaction. Where the database refuses a chunk, its rows are tried one by one, so that one bad row costs itself.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, OutOfScope, check_inside, restrict
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.plans.making import Source, sources
from admin_ext.plans.models import Action, Mode, Plan, PlanRow
from admin_ext.plans.rows import problem
from admin_ext.services import Refused

CHUNK = 2000
ROW_CHUNK = 50
MOVED = "Somebody changed this row after the plan was made. Nothing was overwritten."
TAKEN = "A row of this name was made after the plan was made."


class PlanNotReady(Refused):
    """Only a plan that was made and not yet applied or discarded can be applied."""


class PlanHasBadRows(Refused):
    """All or nothing was asked for, and some rows cannot be."""


def apply_plan(*, actor: Any, plan: Plan, mode: str) -> Plan:
    """Have a plan applied in the background. Raises PlanNotReady, PlanHasBadRows, NotPermitted."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        if plan.created_by_id != actor.pk:
            raise NotPermitted("A plan is applied by who made it.")
        if plan.state != Plan.State.READY:
            raise PlanNotReady(f"{plan} is {plan.get_state_display().lower()}.")
        if mode == Mode.ALL_OR_NOTHING and plan.bad:
            raise PlanHasBadRows(
                f"{plan.bad:,} of {plan.total:,} rows cannot be applied, and all or nothing was asked for. "
                "Correct the file, or keep the good rows."
            )
        plan.mode, plan.state = mode, Plan.State.APPLYING
        plan.applying = submit_job(
            actor=actor,
            kind="plans.apply",
            title=f"Apply: {plan.title}",
            arguments={"plan": plan.pk},
            door=sources[plan.source].door,
        )
        plan.save(update_fields=["mode", "state", "applying"])
    return plan


def discard_plan(*, actor: Any, plan: Plan) -> Plan:
    """Throw a plan away. Raises PlanNotReady, NotPermitted."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        if plan.created_by_id != actor.pk:
            raise NotPermitted("A plan is discarded by who made it.")
        if plan.state != Plan.State.READY:
            raise PlanNotReady(f"{plan} is {plan.get_state_display().lower()}.")
        plan.state = Plan.State.DISCARDED
        plan.save(update_fields=["state"])
    return plan


@job_kind("plans.apply")
def run_plan(run: Run) -> None:
    plan = Plan.objects.select_related("file").get(pk=run.job.arguments["plan"])
    if plan.state == Plan.State.APPLIED:
        return
    source = sources[plan.source]
    run.open_change_set(
        door=source.door,
        verb=source.verb(plan),
        reason=plan.parameters.get("reason", ""),
        selection=plan.parameters.get("selection"),
        file_sha256=plan.file.sha256 if plan.file else "",
    )
    with run.chunk(phase="applying", total=plan.good):
        pass
    apply = _RowByRow(plan, source) if source.is_row_by_row else _SetBased(plan)
    if plan.mode == Mode.ALL_OR_NOTHING:
        _apply_in_one(run, plan, apply)
    else:
        while _apply_next_chunk(run, plan, apply):
            pass
    with run.chunk(phase="done"):
        plan.state, plan.applied_at = Plan.State.APPLIED, timezone.now()
        plan.counts = plan.count_outcomes()
        plan.save(update_fields=["state", "applied_at", "counts"])
        Job.objects.filter(pk=run.job.pk).update(counts=plan.counts)
        run.job.counts = plan.counts


def _apply_next_chunk(run: Run, plan: Plan, apply: _Applier) -> bool:
    with run.recorded_chunk() as _:
        rows = _next_rows(run, plan, apply.size)
        if not rows:
            return False
        apply(rows, run.actor)
        run.save_cursor(number=rows[-1].number)
        Job.objects.filter(pk=run.job.pk).update(rows_done=models.F("rows_done") + len(rows))
        return True


def _apply_in_one(run: Run, plan: Plan, apply: _Applier) -> None:
    with run.recorded_chunk(phase="applying all rows in one transaction"):
        while rows := _next_rows(run, plan, apply.size):
            apply(rows, run.actor)
            run.save_cursor(number=rows[-1].number)
        bad = PlanRow.objects.filter(plan=plan, outcome__in=[Action.REFUSED, Action.DRIFTED]).order_by("number").first()
        if bad:
            assert bad.errors is not None  # written with the outcome
            raise JobFailed(
                f"Nothing was applied: row {bad.number} ({bad.key}) could not be. {bad.errors[0]['message']} "
                "All or nothing was asked for."
            )
        Job.objects.filter(pk=run.job.pk).update(rows_done=plan.good)


def _next_rows(run: Run, plan: Plan, size: int) -> list[PlanRow]:
    good = [Action.CREATE, Action.UPDATE, Action.DELETE]
    rows = PlanRow.objects.filter(plan=plan, number__gt=run.job.cursor.get("number", 0), action__in=good)
    return list(rows.order_by("number").only("id", "number", "key", "action", "target_id", "version")[:size])


Failures = dict[int, tuple[Action, str]]


class _Applier:
    """Applies a list of plan rows in the current transaction and writes down those that did not go as planned."""

    size = CHUNK

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.model = plan.get_model()

    def __call__(self, rows: list[PlanRow], actor: Any) -> None:
        raise NotImplementedError

    def write_down(self, failures: Failures) -> None:
        """A row before the cursor that has no outcome went as planned: most rows need no second writing."""
        for key, (outcome, message) in failures.items():
            PlanRow.objects.filter(pk=key).update(outcome=outcome, errors=[problem(message)])


class _SetBased(_Applier):
    """Creates and updates as sets."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.table = self.model._meta.db_table
        self.written = plan.parameters["written"]

    def __call__(self, rows: list[PlanRow], actor: Any) -> None:
        try:
            with transaction.atomic():
                failures = self._apply(rows, actor)
        except (IntegrityError, OutOfScope) as error:
            if len(rows) > 1:
                half = len(rows) // 2
                self(rows[:half], actor)
                self(rows[half:], actor)
                return
            failures = {rows[0].pk: (Action.REFUSED, _told(error))}
        self.write_down(failures)

    def _apply(self, rows: list[PlanRow], actor: Any) -> Failures:
        failures: Failures = {}
        creates = [row for row in rows if row.action == Action.CREATE]
        updates = [row for row in rows if row.action == Action.UPDATE]
        if creates:
            made = self._insert(creates)
            check_inside(actor, self.model, made.values(), "add")
            failures |= {row.pk: (Action.DRIFTED, TAKEN) for row in creates if row.pk not in made}
        if updates:
            targets = [row.target_id for row in updates]
            allowed = restrict(self.model._default_manager.filter(pk__any_of=targets), actor, "change")
            may = set(allowed.values_list("pk", flat=True))
            changed = self._update([row for row in updates if row.target_id in may])
            check_inside(actor, self.model, changed, "change")
            for row in updates:
                if row.target_id not in may:
                    failures[row.pk] = Action.REFUSED, "You have no right to change this row any more."
                elif row.target_id not in changed:
                    failures[row.pk] = Action.DRIFTED, MOVED
        return failures

    def _insert(self, rows: list[PlanRow]) -> dict[int, int]:
        """Returns the key of the new row by plan row; those missing met a row of the same name."""
        columns = self.written[Action.CREATE]
        names = ", ".join(f'"{column}"' for column in columns)
        sql = f"""
            WITH planned AS MATERIALIZED (
                SELECT p.id AS plan_row, nextval(pg_get_serial_sequence('"{self.table}"', 'id')) AS new_id,
                    p.after
                FROM plans_planrow p WHERE p.id = ANY(%s) ORDER BY p.number
            ), made AS (
                INSERT INTO "{self.table}" (id, {names})
                SELECT planned.new_id, {", ".join(f'r."{column}"' for column in columns)}
                FROM planned CROSS JOIN LATERAL jsonb_populate_record(NULL::"{self.table}", planned.after) r
                ON CONFLICT DO NOTHING
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
            UPDATE "{self.table}" t SET {", ".join(f'"{column}" = r."{column}"' for column in columns)}
            FROM plans_planrow p
            JOIN "{self.table}" present ON present.id = p.target_id
            CROSS JOIN LATERAL jsonb_populate_record(present, p.after) r
            WHERE p.id = ANY(%s) AND t.id = p.target_id AND t.version = p.version
            RETURNING t.id
        """
        with connection.cursor() as cursor:
            cursor.execute(sql, [[row.pk for row in rows]])
            return {row[0] for row in cursor.fetchall()}


class _RowByRow(_Applier):
    """Verbs: one service call a row, each in a savepoint of its own."""

    size = ROW_CHUNK

    def __init__(self, plan: Plan, source: Source) -> None:
        super().__init__(plan)
        self.source = source

    def __call__(self, rows: list[PlanRow], actor: Any) -> None:
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
                failures[row.pk] = Action.REFUSED, _told(error)
        self.write_down(failures)


def _told(error: Exception) -> str:
    if isinstance(error, IntegrityError):
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or "a rule of the database"
        return f"It would break a rule: {constraint.replace('_', ' ')}."
    return str(error)

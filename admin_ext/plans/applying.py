"""Applying a plan: exactly once, only where the row is still what the plan saw.

In chunks: a chunk, its outcomes and how far the job got are one transaction. Rows go in the order of their numbers,
those of one model that stand together as one set (see `writing`): a source numbers a whole before its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.context import change_set
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.plans.making import sources
from admin_ext.plans.models import Action, Mode, Plan, PlanRow
from admin_ext.plans.rows import problem
from admin_ext.plans.writing import Applier, Failures, applier
from admin_ext.services import ReasonMissing, Refused, registry

GOOD = (Action.CREATE, Action.UPDATE, Action.DELETE)
# What a planned row asks for.
RIGHTS = {Action.CREATE: "add", Action.UPDATE: "change", Action.DELETE: "delete"}


class PlanNotReady(Refused):
    """Only a plan that was made and not yet applied or discarded can be applied."""


class PlanHasBadRows(Refused):
    """All or nothing was asked for, and some rows cannot be."""


def apply_plan(*, actor: Any, plan: Plan, mode: str, reason: str = "") -> Plan:
    """Have a plan applied in the background; `reason`, where the plan does not have one yet.

    Raises PlanNotReady, PlanHasBadRows, ReasonMissing, NotPermitted.
    """
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        if plan.created_by_id != actor.pk:
            raise NotPermitted("A plan is applied by who made it.")
        if plan.state != Plan.State.READY:
            raise PlanNotReady(f"{plan} is {plan.get_state_display().lower()}.")
        if plan.is_unchecked:
            raise PlanNotReady(f"Nothing was applied: what was corrected in {plan} waits to be checked.")
        if mode == Mode.ALL_OR_NOTHING and plan.bad:
            raise PlanHasBadRows(
                f"{plan.bad:,} of {plan.total:,} rows cannot be applied, and all or nothing was asked for. "
                "Correct the file, or keep the good rows."
            )
        plan.parameters["reason"] = plan.reason or reason.strip()
        if plan.asks_reason and not plan.reason:
            raise ReasonMissing(f"Nothing was applied: {plan.told_rule} asks for a reason. Say why.")
        plan.mode, plan.state = mode, Plan.State.APPLYING
        plan.applying = submit_job(
            actor=actor,
            kind="plans.apply",
            title=f"Apply: {plan.title}",
            arguments={"plan": plan.pk},
            door=sources[plan.source].door,
        )
        plan.save(update_fields=["mode", "state", "applying", "parameters"])
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
    if plan.state != Plan.State.APPLYING or plan.applying_id != run.job.pk:
        # It was given back to its reviewer when this job was cancelled, who may have discarded or changed it since.
        raise JobFailed(f"{plan} is {plan.get_state_display().lower()}. Apply it from its own page.")
    source = sources[plan.source]
    run.open_change_set(
        door=source.door,
        verb=source.verb(plan),
        reason=plan.reason,
        selection=plan.parameters.get("selection"),
        file_sha256=plan.file.sha256 if plan.file else "",
        **source.said_of(plan),
    )
    with run.chunk(phase="applying", total=plan.good):
        pass
    apply = applier(plan, source)
    try:
        if plan.mode == Mode.ALL_OR_NOTHING:
            _apply_in_one(run, plan, apply)
        else:
            while _apply_next_chunk(run, plan, apply):
                pass
    except NotPermitted as lost:
        _refuse_the_rest(run, plan, lost)
        raise
    with run.chunk(phase="done"):
        _close(run, plan)


def _close(run: Run, plan: Plan) -> None:
    plan.state, plan.applied_at = Plan.State.APPLIED, timezone.now()
    plan.counts = plan.count_outcomes()
    sources[plan.source].close(plan)
    plan.save(update_fields=["state", "applied_at", "counts", "parameters"])
    Job.objects.filter(pk=run.job.pk).update(counts=plan.counts)
    run.job.counts = plan.counts


def _refuse_the_rest(run: Run, plan: Plan, why: NotPermitted) -> None:
    """The job stops where its owner lost the right; the plan stays the receipt of every row."""
    with run.chunk(phase="stopped"):
        # What this process counted may have been rolled back.
        done = Job.objects.values_list("cursor", flat=True).get(pk=run.job.pk).get("number", 0)
        rest = PlanRow.objects.filter(plan=plan, number__gt=done, action__in=GOOD)
        rest.update(outcome=Action.REFUSED, errors=[problem(str(why))])
        _close(run, plan)


def rehearse_plan(run: Run, plan: Plan) -> None:
    """Apply the good rows of a small plan and take it back; those that the database refuses are refused in the plan."""
    source = sources[plan.source]
    apply = applier(plan, source, rehearsing=True)
    rows = apply.read(PlanRow.objects.filter(plan=plan, action__in=GOOD).order_by("number"))
    failures: Failures = {}
    try:
        with change_set(actor=run.actor, door=source.door, verb=source.verb(plan), reason=plan.reason):
            failures = apply(rows, run.actor)
            raise _Rehearsed
    except _Rehearsed:
        pass
    with run.chunk():
        for key, (_, message) in failures.items():
            PlanRow.objects.filter(pk=key).update(action=Action.REFUSED, errors=[problem(message)])


class _Rehearsed(Exception):
    """Ends a rehearsal: what was tried is rolled back."""


def _apply_next_chunk(run: Run, plan: Plan, apply: Applier) -> bool:
    with run.recorded_chunk() as _:
        rows = _next_rows(run, plan, apply)
        if not rows:
            return False
        run.commit_lazily()  # the last chunk is the one that closes the plan
        _write_down(_applied(run, plan, apply, rows))
        run.save_cursor(number=rows[-1].number)
        Job.objects.filter(pk=run.job.pk).update(rows_done=models.F("rows_done") + len(rows))
        return True


def _apply_in_one(run: Run, plan: Plan, apply: Applier) -> None:
    with run.recorded_chunk(phase="applying all rows in one transaction"):
        while rows := _next_rows(run, plan, apply):
            _write_down(_applied(run, plan, apply, rows))
            run.save_cursor(number=rows[-1].number)
        bad = PlanRow.objects.filter(plan=plan, outcome__in=[Action.REFUSED, Action.DRIFTED]).order_by("number").first()
        if bad:
            assert bad.errors is not None  # written with the outcome
            raise JobFailed(
                f"Nothing was applied: row {bad.number} ({bad.key}) could not be. {bad.errors[0]['message']} "
                "All or nothing was asked for."
            )
        Job.objects.filter(pk=run.job.pk).update(rows_done=plan.good)


def _applied(run: Run, plan: Plan, apply: Applier, rows: Sequence[Any]) -> Failures:
    actor = run.actor
    _check_still_permitted(plan, rows, actor)
    sources[plan.source].check_may_write(plan, actor)
    return apply(rows, actor)


def _check_still_permitted(plan: Plan, rows: Sequence[Any], actor: Any) -> None:
    """Raise NotPermitted when the actor has lost what the plan needs: the job stops, what was done before it stays.

    What is lost for single rows is told row by row, by who writes them.
    """
    model = plan.get_model()
    needed = {("import", each) for each in _models(plan, rows)} if plan.source == "import" else set()
    if verb := registry.get(plan.parameters.get("verb", "")):
        needed.add((verb.right, apps.get_model(verb.model) if verb.model else model))
    else:
        kinds = {(row.action, row.model or plan.model) for row in rows}
        needed |= {(RIGHTS[Action(action)], apps.get_model(label)) for action, label in kinds}
    for action, each in sorted(needed, key=lambda pair: (pair[0], pair[1]._meta.label)):
        if not can(actor, action, each):
            kind = each._meta.verbose_name_plural
            raise NotPermitted(
                f"{actor} lost the right to {action.replace('_', ' ')} {kind} before row {rows[0].number}. "
                "Nothing was changed from there on."
            )


def _models(plan: Plan, rows: Sequence[Any]) -> set[type[models.Model]]:
    return {plan.get_model(), *(apps.get_model(label) for label in {row.model for row in rows} if label)}


def _next_rows(run: Run, plan: Plan, apply: Applier) -> Sequence[Any]:
    """The next rows that are good, found among as many numbers as should hold them: of a plan whose rows were never
    counted the planner expects few, and would read and sort all that are left for each chunk."""
    reached = run.job.cursor.get("number", 0)
    left = PlanRow.objects.filter(plan=plan, number__gt=reached, action__in=GOOD).order_by("number")
    window = apply.size * max(plan.total, 1) // max(plan.good, 1)
    return apply.read(left.filter(number__lte=reached + window)[: apply.size]) or apply.read(left[: apply.size])


def _write_down(failures: Failures) -> None:
    """A row before the cursor that has no outcome went as planned: most rows need no second writing."""
    for key, (outcome, message) in failures.items():
        PlanRow.objects.filter(pk=key).update(outcome=outcome, errors=[problem(message)])

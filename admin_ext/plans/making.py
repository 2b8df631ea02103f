"""Making a plan: a source proposes rows, batch by batch, and they are written down for review. Nothing else is touched."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone

from admin_ext.audit.models import Door
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.running import Run, ended_listeners, job_kind, run_job
from admin_ext.jobs.services import submit_job
from admin_ext.jobs.zones import zone_of
from admin_ext.plans.behind import Behind
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.rows import DraftRow, write_rows

BATCH = 5000


class Source:
    """Where the rows of a plan come from. Subclasses are small: the differ, the review and the applier are shared."""

    name: ClassVar[str]
    door: ClassVar[str] = Door.BULK
    applier: ClassVar[Any] = None
    """What writes its rows, where that is not `writing.SetBased`."""

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        """Yield the plan's rows in batches. May set `plan.notes`, `plan.header` and `plan.columns`."""
        raise NotImplementedError

    def verb(self, plan: Plan) -> str:
        """The stored name under which the change set goes."""
        raise NotImplementedError

    def said_of(self, plan: Plan) -> dict[str, Any]:
        """Further columns of the change set that applying the plan makes."""
        return {}

    def apply_row(self, plan: Plan, row: PlanRow, actor: Any) -> None:
        """Do one row, for sources whose rows are verbs; others are applied set-based and leave this alone."""
        raise NotImplementedError

    def check_may_write(self, plan: Plan, actor: Any) -> None:
        """Called before every chunk that is applied. Raises NotPermitted where a right to a column was lost meanwhile."""

    def recheck(self, plan: Plan, rows: list[PlanRow], actor: Any) -> list[DraftRow]:
        """Compare rows of the plan anew, from their cells as they came and as they were corrected; one draft for each.

        For sources that keep cells. Raises NotPermitted where a right to a column was lost meanwhile.
        """
        raise NotImplementedError

    def look_again(self, plan: Plan, run: Run, counts: Counter[str]) -> Counter[str]:
        """Called when the rows are written; may find more of them wrong, and returns how many there are of each action."""
        return counts

    def close(self, plan: Plan) -> None:
        """Called when a plan was applied, stopped half-way, or had rows dropped; may add to the receipt in
        `plan.parameters`, which is saved then."""

    def keeps_cells(self, plan: Plan) -> bool:
        """Can rows of this plan be corrected where they are reviewed?"""
        return type(self).recheck is not Source.recheck

    def is_made_again(self, plan: Plan) -> bool:
        """Are cells corrected by making the whole plan again, see `remaking`, because one of them may change many rows?"""
        return False

    def alike(self, plan: Plan, row: PlanRow, line: PlanRow, position: int) -> list[PlanRow]:
        """Of the lines that one row of a plan came from, those that say the same as `line` in the cell at `position`.

        None where `line` is not among them. For sources whose plans are made again.
        """
        raise NotImplementedError

    @property
    def is_row_by_row(self) -> bool:
        return type(self).apply_row is not Source.apply_row


sources: dict[str, Source] = {}


def register_source(source: type[Source]) -> type[Source]:
    """Make a source known by its stored name."""
    sources[source.name] = source()
    return source


def submit_plan(
    *,
    actor: Any,
    source: str,
    title: str,
    model: str,
    parameters: dict[str, Any] | None = None,
    file: JobFile | None = None,
    wakes: bool = True,
) -> Plan:
    """Ask for a plan to be made in the background; without `wakes` by whoever asks, as `make_at_once` does."""
    with transaction.atomic():
        plan = Plan.objects.create(
            source=source, title=title[:200], model=model, parameters=parameters or {}, file=file, created_by=actor
        )
        plan.making = submit_job(
            actor=actor,
            kind="plans.make",
            title=f"Plan: {title}",
            arguments={"plan": plan.pk, **({} if wakes else {"awaited": True})},
            door=sources[source].door,
            wakes=wakes,
        )
        plan.save(update_fields=["making"])
    return plan


def make_at_once(**submitted: Any) -> Plan:
    """Make a plan of a few rows while its reviewer waits: the same job, run here. Takes what `submit_plan` takes.

    If this process dies meanwhile, the job is found and made by a worker as any other.
    """
    plan = submit_plan(wakes=False, **submitted)
    assert plan.making_id is not None
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


@job_kind("plans.make")
def make_plan(run: Run) -> None:
    plan = Plan.objects.select_related("file", "created_by").get(pk=run.job.arguments["plan"])
    if plan.state not in (Plan.State.MAKING, Plan.State.FAILED) or plan.making_id != run.job.pk:
        return  # an earlier attempt died when all but its end was done; by now somebody may be correcting or applying it
    source = sources[plan.source]
    with run.chunk(phase="reading"):
        # An earlier attempt may have died half-way; nothing outside the plan was touched by it.
        PlanRow.objects.filter(plan=plan).delete()
        Job.objects.filter(pk=run.job.pk).update(rows_done=0)
    counts = source.look_again(plan, run, write_drafts(plan, run))
    with run.chunk(phase="ready"):
        make_ready(plan, run, counts)


def make_ready(plan: Plan, run: Run, counts: Counter[str]) -> None:
    """Give a plan to its reviewer, with how many rows there are of each action; inside a chunk."""
    plan.counts = {action: counts[action] for action in Action.values if counts[action]}
    plan.state = Plan.State.READY
    plan.save(update_fields=["counts", "state", "notes", "header", "columns", "parameters"])
    run.add_counts(plan.counts)


def write_drafts(plan: Plan, run: Run) -> Counter[str]:
    """Write down what the source of a plan proposes; returns how many rows there are of each action.

    Into `plan.parameters["written"]` goes which columns applying writes: by model, then by action;
    none of what it deletes.
    """
    source = sources[plan.source]
    counts: Counter[str] = Counter()
    written: dict[str, dict[str, set[str]]] = {}

    def write_down(batch: list[DraftRow]) -> None:
        with run.chunk(phase="comparing", rows=len(batch)):
            run.commit_lazily()
            counts.update(write_rows(plan.pk, batch))

    # A time that names no zone is one of the person's, as it is in their lists and exports.
    with timezone.override(zone_of(plan.created_by)), _collecting_between_batches() as collect, Behind() as behind:
        for batch in source.draft(plan, run):
            behind.do(partial(write_down, batch))
            for model, action, names in {
                (row.model, row.action, tuple(row.after or ()))
                for row in batch
                if row.after or row.action == Action.DELETE
            }:
                written.setdefault(model or plan.model, {}).setdefault(action, set()).update(names)
            collect()
    plan.parameters["written"] = {
        model: {action: sorted(names) for action, names in of_model.items()} for model, of_model in written.items()
    }
    return counts


@contextlib.contextmanager
def _collecting_between_batches() -> Iterator[Callable[[], int]]:
    """A batch is a hundred thousand objects that all go at its end. The collector would walk through them, and through
    all that the process has loaded, again and again while they are made: a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield partial(gc.collect, 0)
    finally:
        # What is left of all batches: what remembers cells refers to itself.
        gc.collect(1)
        if was_enabled:
            gc.enable()


def _fail_plan(job: Job) -> None:
    """A plan whose making failed says so itself."""
    if job.kind == "plans.make" and job.state != Job.State.SUCCEEDED:
        note = job.error or "It was cancelled."
        Plan.objects.filter(making=job, state=Plan.State.MAKING).update(state=Plan.State.FAILED, notes=[note])
    if job.kind == "plans.apply" and job.state != Job.State.SUCCEEDED:
        _stop_plan(job)


def _stop_plan(job: Job) -> None:
    """A run that stopped half-way says exactly how far it came; one that did nothing may be asked for again."""
    plan = Plan.objects.filter(applying=job, state=Plan.State.APPLYING).first()
    if plan is None:
        return
    reached = job.cursor.get("number", 0)
    if not reached:
        plan.state = Plan.State.READY
    else:
        good = [Action.CREATE, Action.UPDATE, Action.DELETE]
        plan.rows.filter(number__gt=reached, action__in=good).update(outcome=Action.LEFT)
        plan.state, plan.counts = Plan.State.APPLIED, plan.count_outcomes()
        plan.notes = [*plan.notes, f"It stopped after row {reached:,}; the rows after it were left alone."]
        sources[plan.source].close(plan)
    plan.save(update_fields=["state", "counts", "notes", "parameters"])


ended_listeners.append(_fail_plan)

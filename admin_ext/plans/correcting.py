"""What a reviewer does to the rows of a plan before it is applied: correct their cells, drop them, have them checked
again. The cells as they came stay beside what was put in, with who did it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import Run, ended_listeners, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.jobs.zones import zone_of
from admin_ext.plans.applying import PlanNotReady
from admin_ext.plans.making import BATCH, sources
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.rows import DraftRow, plain
from admin_ext.services import Refused

# Rows whose cells may be corrected: those that would not be written.
FAILED = (Action.INVALID, Action.REFUSED, Action.DRIFTED)
LONGEST_CELL = 10_000


class RowNotCorrectable(Refused):
    """The row is not in the plan, is none of those that failed, or has no such cell."""


class NothingToCorrect(Refused):
    """The rows of this plan did not come from a file, so they have no cells."""


def correct_rows(*, actor: Any, plan: Plan, cells: dict[int, dict[int, str]]) -> Plan:
    """Put new texts into cells of rows that failed and check those rows, and no others, again.

    `cells` says by the number of a row, then by the position of a cell from 0, what is to stand there.
    Raises PlanNotReady, NothingToCorrect, RowNotCorrectable, NotPermitted.
    """
    with _reviewing(actor, plan) as plan:
        _check_keeps_cells(plan, actor)
        rows = list(plan.rows.filter(number__in=list(cells), action__in=FAILED).order_by("number"))
        if missing := sorted(set(cells) - {row.number for row in rows}):
            raise RowNotCorrectable(f"Row {missing[0]} is none of the rows that failed, so it was not corrected.")
        changed = [row for row in rows if _put_in(row, cells[row.number], plan, actor)]
        _check_again(plan, changed, actor)
    return plan


def drop_rows(*, actor: Any, plan: Plan, numbers: Iterable[int] = (), outcome: str = "") -> int:
    """Leave rows out of what will be applied: those of these numbers, or all of an outcome. Returns how many.

    Raises PlanNotReady, NotPermitted.
    """
    with _reviewing(actor, plan) as plan:
        rows = plan.rows.exclude(action=Action.LEFT)
        rows = rows.filter(action=outcome) if outcome else rows.filter(number__in=list(numbers))
        keys = list(rows.values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE plans_planrow SET action = %s, corrections = coalesce(corrections, '{}') || jsonb_build_object("
                "'was', action, 'log', coalesce(corrections -> 'log', '[]') || %s::jsonb) WHERE id = ANY(%s)",
                [Action.LEFT, _as_log(_entry(actor, "dropped")), keys],
            )
    return len(keys)


def take_rows_back(*, actor: Any, plan: Plan, numbers: Iterable[int]) -> int:
    """Undo that rows were dropped. Returns how many. Raises PlanNotReady, NotPermitted."""
    with _reviewing(actor, plan) as plan, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE plans_planrow SET action = corrections ->> 'was', corrections = (corrections - 'was') || "
            "jsonb_build_object('log', coalesce(corrections -> 'log', '[]') || %s::jsonb) "
            "WHERE plan_id = %s AND number = ANY(%s) AND action = %s AND corrections ? 'was'",
            [_as_log(_entry(actor, "taken back")), plan.pk, list(numbers), Action.LEFT],
        )
        return cursor.rowcount


def submit_recheck(*, actor: Any, plan: Plan) -> Plan:
    """Have all rows that failed checked again in the background: what they missed may be there by now.

    Raises PlanNotReady, NothingToCorrect, NotPermitted.
    """
    with _reviewing(actor, plan) as plan:
        _check_keeps_cells(plan, actor)
        plan.state = Plan.State.MAKING
        plan.making = submit_job(
            actor=actor,
            kind="plans.recheck",
            title=f"Check again: {plan.title}",
            arguments={"plan": plan.pk},
            door=sources[plan.source].door,
        )
        plan.save(update_fields=["state", "making"])
    return plan


@job_kind("plans.recheck")
def recheck_plan(run: Run) -> None:
    plan = Plan.objects.get(pk=run.job.arguments["plan"])
    if plan.state != Plan.State.MAKING or plan.making_id != run.job.pk:
        # It was given back to its reviewer when an earlier run ended.
        return
    failed = plan.rows.filter(action__in=FAILED)
    with run.chunk(phase="checking again", total=failed.count()):
        _check_keeps_cells(plan, run.actor)
    reached = run.job.cursor.get("number", 0)
    while rows := list(failed.filter(number__gt=reached).order_by("number")[:BATCH]):
        with run.chunk(phase="checking again", rows=len(rows)):
            _check_again(plan, rows, run.actor)
            reached = rows[-1].number
            run.save_cursor(number=reached)
    with run.chunk(phase="ready"):
        plan.state, plan.counts = Plan.State.READY, plan.count_outcomes()
        plan.save(update_fields=["state", "counts", "parameters"])


def _reopen(job: Job) -> None:
    """A plan whose rows could not all be checked again is as ready as it was."""
    if job.kind != "plans.recheck" or job.state == Job.State.SUCCEEDED:
        return
    plan = Plan.objects.filter(making=job, state=Plan.State.MAKING).first()
    if plan:
        plan.state, plan.counts = Plan.State.READY, plan.count_outcomes()
        plan.notes = [*plan.notes, f"Not all rows were checked again: {job.error or 'it was cancelled.'}"]
        plan.save(update_fields=["state", "counts", "notes"])


ended_listeners.append(_reopen)


@contextlib.contextmanager
def _reviewing(actor: Any, plan: Plan) -> Iterator[Plan]:
    """The plan, locked and still to be reviewed by this person; its counts are right again afterwards."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        if plan.created_by_id != actor.pk:
            raise NotPermitted("The rows of a plan are corrected and dropped by who made it.")
        if plan.state != Plan.State.READY:
            raise PlanNotReady(f"{plan} is {plan.get_state_display().lower()}.")
        yield plan
        plan.counts = plan.count_outcomes()
        plan.save(update_fields=["counts", "parameters"])


def _check_keeps_cells(plan: Plan, actor: Any) -> None:
    source, model = sources[plan.source], plan.get_model()
    if not source.keeps_cells(plan):
        raise NothingToCorrect("The rows of this plan did not come from a file. Drop those that should not be.")
    if not can(actor, "import", model):
        raise NotPermitted(f"You have no right to import {model._meta.verbose_name_plural}.")
    source.check_may_write(plan, actor)


def _put_in(row: PlanRow, texts: dict[int, str], plan: Plan, actor: Any) -> bool:
    """Note what was put in, by whom, in place of what. Was anything new?"""
    from_before = row.cells
    corrections = dict(row.corrections or {})
    cells, log = dict(corrections.get("cells", {})), list(corrections.get("log", []))
    for position, text in texts.items():
        if not 0 <= position < max(len(plan.header), len(from_before)) or len(text) > LONGEST_CELL:
            raise RowNotCorrectable(f"Row {row.number} has no cell {position + 1}, or the text is too long for one.")
        before = from_before[position] if position < len(from_before) else None
        if text == ("" if before is None else before):
            continue
        cells[str(position)] = text
        log.append(_entry(actor, "corrected", column=column_of(plan, position), before=before, after=text))
    changed = len(log) > len(corrections.get("log", []))
    row.corrections = {**corrections, "cells": cells, "log": log} if changed else row.corrections
    return changed


def column_of(plan: Plan, position: int) -> str:
    """What the file calls the column of a cell."""
    return plan.header[position] if position < len(plan.header) else f"cell {position + 1}"


def _check_again(plan: Plan, rows: list[PlanRow], actor: Any) -> None:
    if not rows:
        return
    # Whoever corrects it, the file is its importer's, and so are times in it that name no zone.
    with timezone.override(zone_of(plan.created_by)):
        drafts = {draft.number: draft for draft in sources[plan.source].recheck(plan, rows, actor)}
    for row in rows:
        _become(row, drafts[row.number])
        _note_written(plan, drafts[row.number])
    changed = ["key", "action", "target_id", "version", "before", "after", "errors", "corrections"]
    PlanRow.objects.bulk_update(rows, changed, batch_size=500)


def _become(row: PlanRow, draft: DraftRow) -> None:
    row.key, row.action, row.errors = draft.key, draft.action, draft.errors
    row.target_id, row.version = draft.target_id, draft.version
    row.before, row.after = plain(draft.before), plain(draft.after)


def _note_written(plan: Plan, draft: DraftRow) -> None:
    """Which columns applying will write decides whether a reason is asked for."""
    if draft.after:
        of_model = plan.parameters.setdefault("written", {}).setdefault(draft.model or plan.model, {})
        of_model[draft.action] = sorted({*of_model.get(draft.action, ()), *draft.after})


def _entry(actor: Any, did: str, **told: Any) -> dict[str, Any]:
    return {"by": actor.pk, "name": str(actor), "at": timezone.now().isoformat(timespec="seconds"), "did": did, **told}


def _as_log(entry: dict[str, Any]) -> str:
    return json.dumps([entry])

"""What a reviewer does to the rows of a plan before it is applied: correct their cells, drop them, have them checked
again. The cells as they came stay beside what was put in, with who did it.

Where a cell may change many rows, the plan is made again with what was put in (see `remaking`): in the background, and
the plan is under review again when that has ended. Corrections may be kept first and checked together.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import Run, ended_listeners, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.jobs.zones import zone_of
from admin_ext.plans.applying import PlanNotReady
from admin_ext.plans.making import BATCH, sources
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.remaking import UNCHECKED, clear_aside, make_again
from admin_ext.plans.rows import DraftRow, plain
from admin_ext.services import Refused

# Rows whose cells may be corrected: those that would not be written.
FAILED = (Action.INVALID, Action.REFUSED, Action.DRIFTED)
LONGEST_CELL = 10_000


class RowNotCorrectable(Refused):
    """The row is not in the plan, is none of those that failed, or has no such cell."""


class NothingToCorrect(Refused):
    """The rows of this plan did not come from a file, so they have no cells."""


class RowNotDroppable(Refused):
    """Other rows of the plan hang from it."""


class PlanMovedOn(Refused):
    """The rows were looked at before they were corrected or made again, perhaps in another window."""


def correct_rows(
    *,
    actor: Any,
    plan: Plan,
    cells: dict[int, dict[int, str]],
    alike: dict[tuple[int, int], int] | None = None,
    seen: int | None = None,
    checks: bool = True,
) -> Plan:
    """Put new texts into cells of rows that failed and check those rows, and no others, again.

    `cells` says by the number of a row, then by the position of a cell from 0, what is to stand there.

    A plan that is made again is so in the background; without `checks`, only when somebody asks (`submit_recheck`). A row
    of such a plan may have come from many lines: `alike` says by the number of a line and a position which row that is,
    and all its lines that say the same there are corrected together. `seen` is the `revision` that was looked at.
    Raises PlanNotReady, PlanMovedOn, NothingToCorrect, RowNotCorrectable, NotPermitted.
    """
    with _reviewing(actor, plan, seen) as plan:
        _check_keeps_cells(plan, actor)
        if sources[plan.source].is_made_again(plan):
            if _correct_lines(plan, cells, alike or {}, actor):
                _put_off(plan)
                if checks:
                    _submit_recheck(plan, actor)
            return plan
        rows = list(plan.rows.filter(number__in=list(cells), action__in=FAILED).order_by("number"))
        _check_found(cells, rows)
        changed = [row for row in rows if _put_in(row, cells[row.number], plan, actor)]
        _check_again(plan, changed, actor)
    return plan


def drop_rows(
    *, actor: Any, plan: Plan, numbers: Iterable[int] = (), outcome: str = "", seen: int | None = None
) -> int:
    """Leave rows out of what will be applied: those of these numbers, or all of an outcome. Returns how many.

    Where the plan is made again, these are lines of the file, and rows that are there and would have been changed.
    Raises PlanNotReady, PlanMovedOn, RowNotDroppable, NotPermitted.
    """
    with _reviewing(actor, plan, seen) as plan:
        rows = plan.rows.exclude(action=Action.LEFT)
        rows = rows.filter(action=outcome) if outcome else rows.filter(number__in=list(numbers))
        is_made_again = sources[plan.source].is_made_again(plan)
        if is_made_again:
            _check_keeps_cells(plan, actor)
            if not outcome and (other := rows.filter(raw__isnull=True).exclude(action=Action.UPDATE).first()):
                raise RowNotDroppable(
                    f"Row {other.number} ({plan.model_of(other)._meta.verbose_name} {other.key}) is made of lines of the "
                    "file, and others may hang from it. Drop those lines."
                )
            rows = droppable(plan, rows)
        keys = list(rows.values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE plans_planrow SET action = %s, corrections = coalesce(corrections, '{}') || jsonb_build_object("
                "'was', action, 'log', coalesce(corrections -> 'log', '[]') || %s::jsonb) WHERE id = ANY(%s)",
                [Action.LEFT, _as_log(_entry(actor, "dropped")), keys],
            )
        if is_made_again and keys:
            _put_off(plan)
            _submit_recheck(plan, actor)
    return len(keys)


def droppable(plan: Plan, rows: Any) -> Any:
    """Of rows of a plan, those that can be dropped."""
    if not sources[plan.source].is_made_again(plan):
        return rows
    return rows.filter(Q(raw__isnull=False) | Q(action=Action.UPDATE))


def take_rows_back(*, actor: Any, plan: Plan, numbers: Iterable[int], seen: int | None = None) -> int:
    """Undo that rows were dropped. Returns how many. Raises PlanNotReady, PlanMovedOn, NothingToCorrect, NotPermitted."""
    with _reviewing(actor, plan, seen) as plan, connection.cursor() as cursor:
        is_made_again = sources[plan.source].is_made_again(plan)
        if is_made_again:
            _check_keeps_cells(plan, actor)
        cursor.execute(
            "UPDATE plans_planrow SET action = corrections ->> 'was', corrections = (corrections - 'was') || "
            "jsonb_build_object('log', coalesce(corrections -> 'log', '[]') || %s::jsonb) "
            "WHERE plan_id = %s AND number = ANY(%s) AND action = %s AND corrections ? 'was'",
            [_as_log(_entry(actor, "taken back")), plan.pk, list(numbers), Action.LEFT],
        )
        taken_back = cursor.rowcount
        if is_made_again and taken_back:
            _put_off(plan)
            _submit_recheck(plan, actor)
    return taken_back


def submit_recheck(*, actor: Any, plan: Plan, seen: int | None = None) -> Plan:
    """Have all rows that failed checked again in the background: what they missed may be there by now.

    Raises PlanNotReady, PlanMovedOn, NothingToCorrect, NotPermitted.
    """
    with _reviewing(actor, plan, seen) as plan:
        _check_keeps_cells(plan, actor)
        _submit_recheck(plan, actor)
    return plan


def _submit_recheck(plan: Plan, actor: Any) -> None:
    plan.state = Plan.State.MAKING
    plan.making = submit_job(
        actor=actor,
        kind="plans.recheck",
        title=f"Check again: {plan.title}",
        arguments={"plan": plan.pk},
        door=sources[plan.source].door,
    )
    plan.save(update_fields=["state", "making"])


@job_kind("plans.recheck")
def recheck_plan(run: Run) -> None:
    plan = Plan.objects.get(pk=run.job.arguments["plan"])
    if plan.state != Plan.State.MAKING or plan.making_id != run.job.pk:
        # It was given back to its reviewer when an earlier run ended.
        return
    if sources[plan.source].is_made_again(plan):
        _check_keeps_cells(plan, run.actor)
        make_again(run, plan)
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
    """A plan whose rows could not all be checked again is as ready as it was; of one that was made again nothing changed."""
    if job.kind != "plans.recheck" or job.state == Job.State.SUCCEEDED:
        return
    plan = Plan.objects.filter(making=job, state=Plan.State.MAKING).first()
    if plan:
        clear_aside(plan)
        plan.state, plan.counts = Plan.State.READY, plan.count_outcomes()
        plan.notes = [*plan.notes, f"Not all rows were checked again: {job.error or 'it was cancelled.'}"]
        plan.save(update_fields=["state", "counts", "notes"])


ended_listeners.append(_reopen)


@contextlib.contextmanager
def _reviewing(actor: Any, plan: Plan, seen: int | None = None) -> Iterator[Plan]:
    """The plan, locked and still to be reviewed by this person; its counts are right again afterwards."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        if plan.created_by_id != actor.pk:
            raise NotPermitted("The rows of a plan are corrected and dropped by who made it.")
        if plan.state != Plan.State.READY:
            raise PlanNotReady(f"{plan} is {plan.get_state_display().lower()}.")
        if seen is not None and seen != plan.revision:
            raise PlanMovedOn(
                f"{plan} was corrected or checked meanwhile. Nothing was changed: look at it as it is now."
            )
        yield plan
        plan.counts = plan.count_outcomes()
        sources[plan.source].close(plan)
        plan.save(update_fields=["counts", "parameters"])


def _check_keeps_cells(plan: Plan, actor: Any) -> None:
    source, model = sources[plan.source], plan.get_model()
    if not source.keeps_cells(plan):
        raise NothingToCorrect("The rows of this plan did not come from a file. Drop those that should not be.")
    if not can(actor, "import", model):
        raise NotPermitted(f"You have no right to import {model._meta.verbose_name_plural}.")
    source.check_may_write(plan, actor)


def _check_found(wanted: Iterable[int], rows: list[PlanRow]) -> None:
    if missing := sorted(set(wanted) - {row.number for row in rows}):
        raise RowNotCorrectable(f"Row {missing[0]} is none of the rows that failed, so it was not corrected.")


def _correct_lines(
    plan: Plan, cells: dict[int, dict[int, str]], alike: dict[tuple[int, int], int], actor: Any
) -> list[PlanRow]:
    """Put texts into cells of lines that failed, or that a row that failed came from; returns those that were changed."""
    source = sources[plan.source]
    lines = {row.number: row for row in plan.rows.filter(number__in=list(cells), raw__isnull=False)}
    failed = list(plan.rows.filter(number__in=set(alike.values()), raw__isnull=True, action__in=FAILED))
    _check_found(cells, list(lines.values()))
    _check_found(alike.values(), failed)
    wholes = {row.number: row for row in failed}
    changed: dict[int, PlanRow] = {}
    for number, texts in sorted(cells.items()):
        for position, text in texts.items():
            line = changed.get(number, lines[number])
            whole = wholes.get(alike.get((number, position), 0))
            together = source.alike(plan, whole, line, position) if whole else [line] * (line.action in FAILED)
            _check_found([number], together)
            for each in together:
                each = changed.get(each.number, each)
                if _put_in(each, {position: text}, plan, actor):
                    changed[each.number] = each
    PlanRow.objects.bulk_update(changed.values(), ["corrections"], batch_size=500)
    return list(changed.values())


def _put_off(plan: Plan) -> None:
    """Something was put in that the rows do not tell before the plan is made again: until then nothing is applied."""
    plan.parameters[UNCHECKED] = True
    plan.parameters["revision"] = plan.revision + 1


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

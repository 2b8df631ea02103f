"""Undo: an act taken back as a whole, across all models that it touched; a plan like any other.

Every row that the act touched is a row of the plan, in one of three buckets. What nobody has changed since is restored:
what was made is deleted, what was deleted is made again, what was changed is changed back. What somebody has changed
since is kept, and the plan says by whom. What cannot be taken back is refused, and the plan says why. Rows that the
actor may not see are counted and not named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.acts import rows_by_model
from admin_ext.audit.models import ChangeSet, Door
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import Run
from admin_ext.models import Record
from admin_ext.plans.applying import rehearse_plan
from admin_ext.plans.making import Source, register_source, submit_plan
from admin_ext.plans.models import Action, Plan
from admin_ext.plans.reverting import is_revertible
from admin_ext.plans.rows import DraftRow
from admin_ext.plans.taking_back import WAYS, Keeping
from admin_ext.plans.undo_order import in_order
from admin_ext.plans.unwriting import Undoing
from admin_ext.services import ReasonMissing, Refused

# So many rows are tried and taken back before the review, so that every rule of the database has spoken.
REHEARSED = 1000
# The rights of which one is needed to take back what was written in this way.
ASKED = {"+": "delete", "~": "change", "-": "add"}


class NothingToUndo(Refused):
    """The act touched no row that can be taken back at all."""


class NotFinished(Refused):
    """An act that is still going on cannot be taken back."""


def undo_change_set(*, actor: Any, change_set: ChangeSet, reason: str) -> Plan:
    """Have a plan made that takes an act back. Raises ReasonMissing, NotFinished, NothingToUndo, NotPermitted."""
    if not reason.strip():
        raise ReasonMissing("Say why: it is kept on the record.")
    check_can_undo(actor, change_set)
    counts = _revertible(change_set)
    model = max(counts, key=lambda each: sum(counts[each].values()))
    return submit_plan(
        actor=actor,
        source=UndoSource.name,
        title=f"Undo change set {change_set}",
        model=model._meta.label,
        parameters={"change_set": change_set.pk, "reason": reason.strip()},
    )


def check_can_undo(actor: Any, change_set: ChangeSet) -> None:
    """Raises NotPermitted, NotFinished, NothingToUndo. What becomes of each row is for the plan to say."""
    if not can(actor, "view", change_set):
        raise NotPermitted("You have no right to see that change set.")
    if change_set.finished_at is None:
        raise NotFinished(f"Change set {change_set} is not finished yet. Wait for it, or cancel its job.")
    counts = _revertible(change_set)
    if not counts:
        raise NothingToUndo(f"Change set {change_set} touched nothing that can be taken back.")
    if not any(can(actor, ASKED[kind], model) for model, kinds in counts.items() for kind in kinds):
        raise NotPermitted("You have no right to change back any of what this change set touched.")


def can_undo(actor: Any, change_set: ChangeSet) -> bool:
    """Is there a point in offering it?"""
    try:
        check_can_undo(actor, change_set)
    except (Refused, NotPermitted):
        return False
    return True


def _revertible(change_set: ChangeSet) -> dict[Any, dict[str, int]]:
    return {model: kinds for model, kinds in rows_by_model(change_set).items() if is_revertible(model)}


@register_source
class UndoSource(Source):
    """The rows that an act touched, as they were before it."""

    name = "undo"
    door = Door.UNDO
    applier = Undoing

    def verb(self, plan: Plan) -> str:
        model = plan.get_model()
        return f"{model._meta.app_label}.undo_{model._meta.model_name}"

    def said_of(self, plan: Plan) -> dict[str, Any]:
        return {"parent_id": plan.parameters["change_set"]}

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        act = ChangeSet.objects.get(pk=plan.parameters["change_set"])
        check_can_undo(run.actor, act)
        counts = rows_by_model(act)
        Job.objects.filter(pk=run.job.pk).update(rows_total=sum(sum(kinds.values()) for kinds in counts.values()))
        plan.notes = _notes(act, counts)
        remade = {model for model, kinds in counts.items() if "-" in kinds}
        number = 1
        for way, model in in_order(_steps(counts)):
            step = WAYS[way] if is_revertible(model) else Keeping
            for drafts in step(model, act.pk, run, remade).draft(number):
                number += len(drafts)
                yield drafts

    def look_again(self, plan: Plan, run: Run, counts: Counter[str]) -> Counter[str]:
        good = sum(counts[action] for action in (Action.CREATE, Action.UPDATE, Action.DELETE))
        if not 0 < good <= REHEARSED:
            return counts
        rehearse_plan(run, plan)
        return Counter(plan.count_outcomes())


def _steps(counts: dict[Any, dict[str, int]]) -> Iterator[tuple[str, Any]]:
    """What there is to do. Of a ledger rows are only ever made."""
    for model, kinds in counts.items():
        if not issubclass(model, Record):
            continue
        if "+" in kinds:
            yield Action.DELETE, model
        if "-" in kinds:
            yield Action.CREATE, model
        if kinds.keys() & {"~", "-"}:
            yield Action.UPDATE, model


def _notes(act: ChangeSet, counts: dict[Any, dict[str, int]]) -> list[str]:
    """What is undone; and of rows that are no records (notes, files, grants) that they stay."""
    when = timezone.localtime(act.started_at).strftime("%Y-%m-%d %H:%M")
    notes = [f"Takes back change set {act}: {act.get_door_display().lower()} by {act.actor or act.db_user}, {when}."]
    for model, kinds in counts.items():
        if not issubclass(model, Record):
            stay = sum(kinds.values())
            meta = model._meta
            notes.append(f"{stay:,} {meta.verbose_name if stay == 1 else meta.verbose_name_plural} written by it stay.")
    return notes

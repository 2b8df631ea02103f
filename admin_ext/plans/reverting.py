"""Reverting a row, or some of its fields, to what it was, and restoring a row that was deleted: each a plan.

Nothing is read from the page that asked: a plan names rows of history, and history does not change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from admin_ext.access.deleted import can_deleted
from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Door
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.jobs.running import Run
from admin_ext.models import Record
from admin_ext.plans.applying import rehearse_plan
from admin_ext.plans.differ import Differ, Proposal
from admin_ext.plans.making import Source, make_at_once, register_source
from admin_ext.plans.models import Action, Plan
from admin_ext.plans.names import names_then
from admin_ext.plans.past import Past, deletion_of, kept_by_its_whole, kept_by_the_database, parts_deleted_with
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.services import ReasonMissing, Refused

GONE = "The row does not exist any more."


class NeverReverted(Refused):
    """Rows of a ledger, and rows that are no records, are neither reverted nor restored."""


class NotItsHistory(Refused):
    """A row is reverted to a row of its own history."""


class NotDeleted(Refused):
    """Only a row that was deleted and is not there again can be restored."""


def revert_row(*, actor: Any, row: models.Model, to: Any, fields: list[str] | None = None, reason: str) -> Plan:
    """Plan to make a row what it was in `to`, a row of its history; or only some of its `fields`.

    Raises NeverReverted, NotItsHistory, ReasonMissing, NotPermitted.
    """
    model = type(row)
    _check_asked(model, reason)
    if type(to) is not model.history.model or to.id != row.pk:
        raise NotItsHistory(f"That is no moment in the life of {row}.")
    if not can(actor, "change", row):
        raise NotPermitted(f"You have no right to change {model._meta.verbose_name} {row}.")
    when = timezone.localtime(to.history_date).strftime("%Y-%m-%d %H:%M")
    name = names_then([to], model, actor)[to.id]
    what = ", ".join(str(model._meta.get_field(each).verbose_name) for each in fields or ())
    return make_at_once(
        actor=actor,
        source=RevertSource.name,
        title=f"Revert {what + ' of ' if what else ''}{model._meta.verbose_name} {name} to {when}",
        model=model._meta.label,
        parameters={"row": row.pk, "history": to.pk, "fields": fields, "reason": reason.strip()},
    )


def restore_row(*, actor: Any, model: type[models.Model], key: int, reason: str) -> Plan:
    """Plan to make a deleted row again, under its old key, with the parts that were deleted in the same act.

    Raises NeverReverted, NotDeleted, ReasonMissing, NotPermitted.
    """
    _check_asked(model, reason)
    deletion = deletion_of(model, key)
    # Whoever may not know that it was deleted is told the same as when it was not.
    if deletion is None or not can_deleted(actor, "view", deletion):
        raise NotDeleted(f"There is no deleted {model._meta.verbose_name} of this key that you may see.")
    if not can_deleted(actor, "add", deletion):
        raise NotPermitted(f"You have no right to add {model._meta.verbose_name_plural} where it last was.")
    return make_at_once(
        actor=actor,
        source=RestoreSource.name,
        title=f"Restore {model._meta.verbose_name} {names_then([deletion], model, actor)[key]}",
        model=model._meta.label,
        parameters={"row": key, "history": deletion.pk, "reason": reason.strip()},
    )


def is_revertible(model: type[models.Model]) -> bool:
    """Whether rows of this model can be reverted and restored at all: a ledger only ever grows."""
    return issubclass(model, Record) and not getattr(model, "append_only", False)


def _check_asked(model: type[models.Model], reason: str) -> None:
    if not is_revertible(model):
        raise NeverReverted(
            f"{str(model._meta.verbose_name_plural).capitalize()} stay as they were written: "
            "none is reverted or restored. Post another one that corrects it."
        )
    if not reason.strip():
        raise ReasonMissing("Say why: it is kept on the record.")


class _OfHistory(Source):
    """Takes its rows from history, and rehearses them: every rule of the database is known before the review."""

    door = Door.UNDO
    stem: ClassVar[str]

    def verb(self, plan: Plan) -> str:
        model = plan.get_model()
        return f"{model._meta.app_label}.{self.stem}_{model._meta.model_name}"

    def look_again(self, plan: Plan, run: Run, counts: Counter[str]) -> Counter[str]:
        if not counts[Action.CREATE] and not counts[Action.UPDATE]:
            return counts
        rehearse_plan(run, plan)
        return Counter(plan.count_outcomes())


@register_source
class RevertSource(_OfHistory):
    """One row, as a row of its history says it was."""

    name = stem = "revert"

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        model: Any = plan.get_model()
        key = plan.parameters["row"]
        then = Past(model.history.get(pk=plan.parameters["history"], id=key))
        now = model._default_manager.filter(pk=key).first()
        name = names_then([then.row], model, run.actor)[key]
        refusal = kept_by_its_whole(now) if now else GONE
        if refusal:
            yield [DraftRow(number=1, action=Action.REFUSED, key=name, target_id=key, errors=[problem(refusal)])]
            return
        wanted = plan.parameters.get("fields")
        moved = [field for field in then.moved_until(now) if wanted is None or field.name in wanted]
        kept = then.kept(now, run.actor)
        plan.notes = [kept[field.name] for field in moved if kept.get(field.name)]
        plan.columns = [field.name for field in moved if field.name not in kept]
        differ = Differ(model=model, actor=run.actor, key=(), columns=plan.columns, action="change", stored=True)
        values = {name: then.value(name) for name in plan.columns}
        drafts = differ.diff([Proposal(number=1, target_id=key, values=values)], actor=run.actor)
        for draft in drafts:
            draft.key, draft.target_id = name, key
        yield drafts


@register_source
class RestoreSource(_OfHistory):
    """A deleted row and the parts that went with it, a whole before its parts."""

    name = stem = "restore"

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        model: Any = plan.get_model()
        deletion = deletion_of(model, plan.parameters["row"])
        same = deletion is not None and deletion.pk == plan.parameters["history"]
        refusal = kept_by_its_whole(deletion) if same else "It is there again, or was deleted anew. See its history."
        if refusal:
            key = plan.parameters["row"]
            yield [DraftRow(number=1, action=Action.REFUSED, target_id=key, errors=[problem(refusal)])]
            return
        plan.columns = [field.name for field in Past(deletion).fields()]
        number = 1
        for part, rows in [(model, [deletion]), *parts_deleted_with(deletion)]:
            drafts = _again(part, rows, run.actor, number, of_whole=part is not model)
            for draft in drafts:
                draft.model = "" if part is model else part._meta.label
            plan.notes += _arrives(part, rows)
            number += len(drafts)
            yield drafts


def _again(model: Any, rows: list[Any], actor: Any, number: int, *, of_whole: bool) -> list[DraftRow]:
    """Rows of one model, made again as they were last; the version goes on, so that nothing stale fits them."""
    left = kept_by_the_database(model)
    proposals = []
    for offset, row in enumerate(rows):
        then = Past(row)
        values = {
            field.name: then.value(field.name)
            for field in then.fields()
            if field.name not in left and not (then.value(field.name) is None and not field.null)
        }
        if of_whole:
            # The whole is made in this plan; whether it was is asked by the database.
            values[model.part_of] = int(values[model.part_of])
        values |= {"version": (row.version or 0) + 1, "created_at": row.created_at}
        proposals.append(Proposal(number=number + offset, target_id=row.id, values=values, anew=True))
    columns = {name: None for proposal in proposals for name in proposal.values}
    differ = Differ(model=model, actor=actor, key=(), columns=columns, action="add", stored=True)
    drafts = differ.diff(proposals, actor=actor)
    names = names_then(rows, model, actor)
    for draft, row in zip(drafts, rows, strict=True):
        draft.key, draft.target_id = names[row.id], row.id
    return drafts


def _arrives(model: Any, rows: list[Any]) -> list[str]:
    """What a reviewer should know of columns that are not given back, or that only services move."""
    notes = []
    present = {field.name for field in Past(rows[0]).fields()}
    controlled = [str(model._meta.get_field(name).verbose_name) for name in model.controlled_fields if name in present]
    plural = str(model._meta.verbose_name_plural).capitalize()
    if controlled:
        notes.append(f"{plural}: {', '.join(controlled)} come back as they were; nothing is posted again.")
    follows = kept_by_the_database(model) - FOLLOWING_COLUMNS
    if follows:
        labels = ", ".join(str(model._meta.get_field(name).verbose_name) for name in sorted(follows))
        notes.append(f"{plural}: {labels} follow from other rows and are worked out anew.")
    return notes

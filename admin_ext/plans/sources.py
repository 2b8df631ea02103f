"""Two small sources: a verb on a selection, and new values for the columns of a selection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import IntegrityError, models

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.filtering.telling import names, with_related
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import JobFailed, Run
from admin_ext.plans.differ import Differ, Proposal
from admin_ext.plans.editing import edited
from admin_ext.plans.joining import Joining
from admin_ext.plans.making import BATCH, Source, register_source
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.relations import Relation, asked_relations
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.services import Refused, call_service, registry

REHEARSED = 200


class _Rehearsed(Exception):
    """Ends a rehearsal: what was tried is rolled back."""


@register_source
class VerbSource(Source):
    """Calls a service on every row of a selection. Made by rehearsing each call and rolling it back."""

    name = "verb"
    door = Door.BULK

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        keys = _selected_keys(plan, run)
        plan.columns = []
        for start in range(0, len(keys), REHEARSED):
            actor, part = run.actor, keys[start : start + REHEARSED]
            told = names(with_related(plan.get_model()._default_manager.filter(pk__in=part)), reader=actor)
            drafts = []
            for offset, key in enumerate(part):
                if key in told:
                    drafts.append(self._rehearse(plan, key, start + offset + 1, actor))
                    drafts[-1].key = told[key]
            yield drafts

    def verb(self, plan: Plan) -> str:
        return plan.parameters["verb"]

    def apply_row(self, plan: Plan, row: PlanRow, actor: Any) -> None:
        target = plan.get_model()._default_manager.get(pk=row.target_id)
        self._call(plan, target, actor)

    def _call(self, plan: Plan, target: models.Model, actor: Any) -> None:
        service = registry[plan.parameters["verb"]]
        call_service(service, actor=actor, row=target, **plan.parameters.get("arguments", {}))

    def _rehearse(self, plan: Plan, key: int, number: int, actor: Any) -> DraftRow:
        model = plan.get_model()
        target = model._default_manager.get(pk=key)
        draft = DraftRow(
            number=number,
            action=Action.UPDATE,
            key="",
            target_id=key,
            version=getattr(target, "version", None),
        )
        before = _values(target)
        try:
            with change_set(actor=actor, door=Door.BULK, verb=plan.parameters["verb"], reason=plan.reason):
                self._call(plan, target, actor)
                after = _values(model._default_manager.get(pk=key))
                raise _Rehearsed
        except _Rehearsed:
            moved = [name for name in before if before[name] != after[name]]
            draft.before = {name: before[name] for name in moved}
            draft.after = {name: after[name] for name in moved}
        except (Refused, NotPermitted, IntegrityError) as error:
            draft.action = Action.REFUSED
            draft.errors = [problem(str(error))]
        return draft


@register_source
class EditSource(Source):
    """Gives columns of a selection new values, see `editing`; adds rows to its relations or takes them away, see `joining`."""

    name = "edit"
    door = Door.BULK

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        changes: dict[str, dict[str, Any]] = plan.parameters["changes"]
        plan.columns = list(changes)
        check_writable(run.actor, plan.get_model(), changes)
        joinings = [
            Joining(relation, operation=asked["operation"], chosen=asked["keys"], actor=run.actor)
            for relation, asked in _relations(plan, run.actor)
        ]
        keys = _selected_keys(plan, run)
        each = bool(changes) + sum(len(joining.chosen) for joining in joinings)
        Job.objects.filter(pk=run.job.pk).update(rows_total=len(keys) * each)
        if changes:
            yield from self._edited(plan.get_model(), changes, keys, run)
        first = len(keys) * bool(changes) + 1
        for joining in joinings:
            yield from joining.draft(keys, run, first=first)
            first += len(keys) * len(joining.chosen)

    def check_may_write(self, plan: Plan, actor: Any) -> None:
        _relations(plan, actor)

    def _edited(
        self, model: type[models.Model], changes: dict[str, dict[str, Any]], keys: list[int], run: Run
    ) -> Iterator[list[DraftRow]]:
        differ = Differ(model=model, actor=run.actor, key=(), columns=changes, action="change")
        attnames = {name: model._meta.get_field(name).attname for name in changes}
        for start in range(0, len(keys), BATCH):
            part = keys[start : start + BATCH]
            actor = run.actor
            rows = {row.pk: row for row in with_related(model._default_manager.filter(pk__in=part))}
            proposals = [
                Proposal(
                    number=start + offset + 1,
                    target_id=key,
                    values={
                        name: edited(getattr(rows[key], attnames[name]), change, model._meta.get_field(name))
                        for name, change in changes.items()
                    },
                )
                for offset, key in enumerate(part)
                if key in rows
            ]
            drafts = differ.diff(proposals, actor=actor)
            told = names(rows.values(), reader=actor)
            for draft in drafts:
                draft.key = told.get(draft.target_id or 0, draft.key)
            yield drafts

    def verb(self, plan: Plan) -> str:
        model = plan.get_model()
        return f"{model._meta.app_label}.edit_{model._meta.model_name}"


def _relations(plan: Plan, actor: Any) -> list[tuple[Relation, dict[str, Any]]]:
    """The relations that a bulk edit is about. Raises NotPermitted unless the actor may do that to them."""
    return asked_relations(actor, plan.get_model(), plan.parameters.get("relations", {}))


def check_writable(actor: Any, model: type[models.Model], names: Iterable[str]) -> None:
    """Raises NotPermitted unless the actor may write these columns."""
    if lost := sorted(set(names) - field_rights(actor, "change", model).writable):
        labels = ", ".join(str(model._meta.get_field(name).verbose_name) for name in lost)
        raise NotPermitted(f"You have no right to write {labels} of {model._meta.verbose_name_plural}.")


def _selected_keys(plan: Plan, run: Run) -> list[int]:
    """The keys of the rows meant, within what the actor may change now."""
    selection = Selection.from_json(plan.parameters["selection"])
    try:
        rows = selection.resolve(actor=run.actor, action="view")
    except UnknownFilter as error:
        raise JobFailed(str(error)) from error
    keys = list(rows.values_list("pk", flat=True))
    Job.objects.filter(pk=run.job.pk).update(rows_total=len(keys))
    return keys


def _values(row: models.Model) -> dict[str, Any]:
    return {
        field.column: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name not in ("version", "created_at", "updated_at")
    }

"""The differ: proposed values against the rows as they are, a batch at a time.

Set-based: related rows, existing rows and rights are asked for once per batch, whatever its size. What comes out says
for each proposal whether it would create, change or leave a row, or why it may or can not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.db import models

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import access_of, can, restrict
from admin_ext.plans.constraints import CheckConstraints
from admin_ext.plans.models import Action
from admin_ext.plans.references import References
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.plans.values import Cleaner, StoredCleaner

NOT_YOURS = "You have no right to change this row, or no row of this name can be made."
THERE_AGAIN = "The row is there again: somebody restored it."


@dataclasses.dataclass(slots=True)
class Proposal:
    """What somebody wants one row to be: raw values by field name."""

    number: int
    values: dict[str, Any]
    line: int | None = None
    raw: list[Any] | None = None
    errors: list[dict[str, str]] = dataclasses.field(default_factory=list)
    target_id: int | None = None
    anew: bool = False
    """The row is gone and is to be made again, under the key `target_id`."""


class Differ:
    """Compares proposals for one model under one person's rights.

    `key` names the fields by which an existing row is found (empty when proposals carry `target_id`); `new_values` are
    set on rows that are created; `sequences` number new rows within others: {"number": ("order",)}. With `stored`,
    values are as the record holds them and not as people write them.
    """

    def __init__(
        self,
        *,
        model: type[models.Model],
        actor: Any,
        key: tuple[str, ...],
        columns: Iterable[str],
        new_values: dict[str, Any] | None = None,
        sequences: dict[str, tuple[str, ...]] | None = None,
        labels: dict[str, str] | None = None,
        action: str = "import",
        stored: bool = False,
    ) -> None:
        self.model = model
        self.actor = actor
        self.action = action
        self.key = key
        self.sequences = sequences or {}
        self.new_values = new_values or {}
        self.labels = labels or {}
        self.columns = [name for name in columns if name not in self.sequences]
        self.fields: dict[str, Any] = {name: model._meta.get_field(name) for name in (*self.columns, *self.sequences)}
        cleaner: Any = StoredCleaner if stored else Cleaner
        self.cleaners = {name: cleaner(self.fields[name]) for name in self.columns}
        self.references = References(model=model, fields=self.fields, labels=self.labels)
        self.constraints = CheckConstraints(model)
        rights = field_rights(actor, action, model)
        self.controlled = rights.controlled
        # What is taken from history was nobody's choice.
        self.kept = frozenset() if stored else rights.kept
        self.kept_in_new = self.kept if stored else self.kept | field_rights(actor, "add", model).kept
        self.defaults = self._defaults()
        self.required = self._required()
        self.column_of = {field.name: field.column for field in model._meta.concrete_fields}
        self.seen: dict[tuple[Any, ...], int] = {}
        self.counters: dict[tuple[Any, ...], int] = {}

    def diff(self, batch: list[Proposal], *, actor: Any) -> list[DraftRow]:
        """The plan rows for a batch of proposals, in their order."""
        self.actor = actor
        cleaned = [self._clean(proposal) for proposal in batch]
        self.references.resolve(batch, cleaned, actor)
        existing = self._existing(batch, cleaned)
        visible = self._allowed(existing, "view")
        drafts: list[DraftRow] = []
        for proposal, values in zip(batch, cleaned, strict=True):
            drafts.append(self._draft(proposal, values, existing, visible))
        self._refuse_without_right(drafts)
        self._check_constraints(drafts)
        return drafts

    # -- one row -----------------------------------------------------------------------------------

    def _clean(self, proposal: Proposal) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, cleaner in self.cleaners.items():
            if name not in proposal.values:
                continue
            value, error = cleaner(proposal.values[name])
            if error:
                proposal.errors.append(
                    problem(
                        error[0], column=self._label(name), value=proposal.values[name], advice=error[1], field=name
                    )
                )
            else:
                values[name] = value
        return values

    def _draft(
        self, proposal: Proposal, values: dict[str, Any], existing: dict[Any, dict[str, Any]], visible: set[int]
    ) -> DraftRow:
        draft = DraftRow(number=proposal.number, line=proposal.line, raw=proposal.raw, action=Action.INVALID)
        key = self._key(proposal, values)
        draft.key = self._shown_key(proposal)
        if proposal.errors:
            draft.errors = proposal.errors
            return draft
        first = self.seen.setdefault(key, proposal.number)
        if first != proposal.number:
            draft.errors = [
                problem(
                    f"The same {self._key_label()} stands in row {first} already.",
                    column=self._key_label(),
                    value=draft.key,
                    advice="Keep one of the rows.",
                )
            ]
            return draft
        current = existing.get(key)
        if proposal.anew:
            draft.target_id = proposal.target_id
            return _refused(draft, THERE_AGAIN) if current else self._as_new(draft, values)
        if current is None:
            return self._as_new(draft, values)
        draft.target_id, draft.version = current["pk"], current.get("version")
        if current["pk"] not in visible:
            return _refused(draft, NOT_YOURS)
        return self._as_change(draft, values, current)

    def _as_new(self, draft: DraftRow, values: dict[str, Any]) -> DraftRow:
        if not self.key and draft.target_id is None:
            return _refused(draft, "The row does not exist any more.")
        values = {name: value for name, value in values.items() if not (value is None and name in self.defaults)}
        errors = [
            problem(
                f"{self._label(name)} is missing.",
                column=self._label(name),
                advice="Every new row needs it.",
                field=name,
            )
            for name, may_be_blank, default in self.required
            if (given := values.get(name, default)) is None or (given == "" and not may_be_blank)
        ]
        errors += [self._not_yours(name, value) for name, value in values.items() if self._is_kept(name, value)]
        if errors:
            draft.errors = errors
            return draft
        if not self._inside_scope(values):
            return _refused(draft, "The new row would be outside your scope.")
        for name, within in self.sequences.items():
            values[name] = self._next_in_sequence(name, within, values)
        row = {**self.defaults, **values, **self.new_values}
        draft.action = Action.CREATE
        draft.after = {self.column_of[name]: value for name, value in row.items()}
        return draft

    def _as_change(self, draft: DraftRow, values: dict[str, Any], current: dict[str, Any]) -> DraftRow:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for name, value in values.items():
            field = self.fields[name]
            if name in self.key or (value is None and not field.null):
                continue
            if value == current[field.attname]:
                continue
            if name in self.controlled:
                draft.action = Action.REFUSED
                draft.errors = [
                    problem(
                        f"{self._label(name)} is {current[field.attname]}, and an import never moves it.",
                        column=self._label(name),
                        value=value,
                        advice="Use the record's own buttons, or leave the column out.",
                        field=name,
                    )
                ]
                return draft
            if name in self.kept:
                draft.action, draft.errors = Action.REFUSED, [self._not_yours(name, value)]
                return draft
            if value == "" and not field.blank:
                draft.errors = [
                    problem(
                        f"{self._label(name)} is missing.",
                        column=self._label(name),
                        advice="It cannot be emptied.",
                        field=name,
                    )
                ]
                return draft
            before[field.column], after[field.column] = current[field.attname], value
        if not after:
            draft.action = Action.UNCHANGED
            return draft
        draft.action, draft.before, draft.after = Action.UPDATE, before, after
        return draft

    # -- asked once per batch ----------------------------------------------------------------------

    def _existing(self, batch: list[Proposal], cleaned: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
        names = [field.attname for field in self.fields.values()]
        versioned = ["version"] if any(f.name == "version" for f in self.model._meta.fields) else []
        rows = self.model._base_manager.all()
        if not self.key:
            rows = rows.filter(pk__any_of=[proposal.target_id for proposal in batch])
            return {(row["pk"],): row for row in rows.values("pk", *versioned, *names)}
        attnames = [self.model._meta.get_field(name).attname for name in self.key]
        for name, attname in zip(self.key, attnames, strict=True):
            wanted = {values.get(name) for values in cleaned} - {None}
            rows = rows.filter(**{f"{attname}__any_of": list(wanted)})
            if len(wanted) > 1 and len(self.key) > 1:
                break  # the first key narrows enough; the rest is compared here
        found = rows.values("pk", *versioned, *dict.fromkeys([*names, *attnames]))
        return {tuple(row[attname] for attname in attnames): row for row in found}

    def _allowed(self, existing: dict[Any, dict[str, Any]], action: str) -> set[int]:
        keys = [row["pk"] for row in existing.values()]
        if not keys:
            return set()
        rows = restrict(self.model._default_manager.filter(pk__any_of=keys), self.actor, action)
        return set(rows.values_list("pk", flat=True))

    def _refuse_without_right(self, drafts: list[DraftRow]) -> None:
        changed = [draft for draft in drafts if draft.action == Action.UPDATE]
        if changed:
            rows = self.model._default_manager.filter(pk__any_of=[draft.target_id for draft in changed])
            rows = restrict(rows, self.actor, "change")
            if self.action != "change":
                rows = restrict(rows, self.actor, self.action)
            allowed = set(rows.values_list("pk", flat=True))
            for draft in changed:
                if draft.target_id not in allowed:
                    _refused(draft, NOT_YOURS)
        may_create = access_of(self.actor).holds(self.model, "add") and can(self.actor, self.action, self.model)
        if not may_create:
            for draft in drafts:
                if draft.action == Action.CREATE:
                    _refused(draft, f"You have no right to add {self.model._meta.verbose_name_plural}.")

    def _check_constraints(self, drafts: list[DraftRow]) -> None:
        for draft, broken in self.constraints.broken_by(
            [draft for draft in drafts if draft.action in (Action.CREATE, Action.UPDATE)]
        ):
            draft.action = Action.INVALID
            draft.errors = [
                problem(f"It would break a rule: {name.replace('_', ' ')}.", advice="Correct the values.")
                for name in broken
            ]

    # -- small questions ---------------------------------------------------------------------------

    def _key(self, proposal: Proposal, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(values.get(name) for name in self.key) if self.key else (proposal.target_id,)

    def _shown_key(self, proposal: Proposal) -> str:
        return " / ".join(str(proposal.values.get(name, "")) for name in self.key) if self.key else ""

    def _key_label(self) -> str:
        return " and ".join(self._label(name) for name in self.key)

    def _label(self, name: str) -> str:
        return self.labels.get(name) or str(self.model._meta.get_field(name).verbose_name)

    def _is_kept(self, name: str, value: Any) -> bool:
        """Would a new row get a value that the actor may not choose?"""
        return name in self.kept_in_new and value not in (None, "", self.defaults.get(name))

    def _not_yours(self, name: str, value: Any) -> dict[str, str]:
        label = self._label(name)
        advice = "Leave the column out, or leave the value as it is."
        return problem(f"{label} is not yours to write.", column=label, value=value, advice=advice, field=name)

    def _defaults(self) -> dict[str, Any]:
        """What a new row gets where nothing is said; the database knows its own defaults."""
        return {
            field.name: field.get_default()
            for field in self.model._meta.concrete_fields
            if not field.primary_key
            and not getattr(field, "generated", False)
            and not field.has_db_default()
            and (field.has_default() or not field.null)
            and not (field.get_default() is None and not field.null)
        }

    def _required(self) -> list[tuple[str, bool, Any]]:
        """Fields that a new row cannot do without: name, whether an empty text will do, and the default."""
        return [
            (field.name, field.blank, self.defaults.get(field.name))
            for field in self.model._meta.concrete_fields
            if not (field.primary_key or field.null or field.has_db_default() or getattr(field, "generated", False))
            and field.name not in self.sequences
            and field.name not in self.new_values
        ]

    def _inside_scope(self, values: dict[str, Any]) -> bool:
        """Would a new row be where the actor works? References were resolved within what the actor may see."""
        for dimension, path in getattr(self.model, "scopes", {}).items():
            places = access_of(self.actor).places(dimension)
            if places is None:
                continue
            first, _, rest = path.partition("__")
            value = values.get(first)
            if value is None or (not rest and value not in places):
                return False
        return True

    def _next_in_sequence(self, name: str, within: tuple[str, ...], values: dict[str, Any]) -> int:
        place = (name, *(values[each] for each in within))
        if place not in self.counters:
            attnames = {self.model._meta.get_field(each).attname: values[each] for each in within}
            latest = self.model._base_manager.filter(**attnames).aggregate(latest=models.Max(name))["latest"]
            self.counters[place] = latest or 0
        self.counters[place] += 1
        return self.counters[place]


def _refused(draft: DraftRow, message: str) -> DraftRow:
    draft.action, draft.errors = Action.REFUSED, [problem(message)]
    draft.before = draft.after = None
    return draft

"""The differ: proposed values against the rows as they are, a batch at a time.

Set-based: related rows, existing rows and rights are asked for once per batch, whatever its size. What comes out says
for each proposal whether it would create, change or leave a row, or why it may or can not.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import access_of, can, may_add, restrict
from admin_ext.access.scope_keys import path_before_writing
from admin_ext.plans.constraints import CheckConstraints
from admin_ext.plans.models import Action
from admin_ext.plans.new_rows import defaults_of, is_missing, required_of
from admin_ext.plans.references import References
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.plans.seen import SeenKeys
from admin_ext.plans.three_way import ThreeWay
from admin_ext.plans.values import ABSENT, Cleaner, StoredCleaner, Wrong

GONE = "The row was deleted or renamed since the export."
NOT_YOURS = "You have no right to change this row, or no row of this name can be made."
# By so many values a part of a key narrows little: a few wholes may have very many parts.
FEW = 100
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
        self.defaults = defaults_of(model)
        self.required = required_of(model, self.defaults, spare={*self.sequences, *self.new_values}, said=self.cleaners)
        self.required_names = [name for name, _, _ in self.required]
        self.renamed = [
            (field.name, str(field.column)) for field in model._meta.concrete_fields if field.name != field.column
        ]
        self.compared = [(name, self.fields[name]) for name in self.cleaners if name not in self.key]
        self.three_way = ThreeWay(model, self.fields, label=self._label)
        self.seen = SeenKeys()
        self.ambiguous: set[tuple[Any, ...]] = set()
        self.counters: dict[tuple[Any, ...], int] = {}
        # Leaves of the values for a row that is there those that it is to get; all, when there is nothing to ask.
        self.spare: Callable[[Proposal, dict[str, Any], dict[str, Any]], dict[str, Any]] | None = None

    def diff(self, batch: list[Proposal], *, actor: Any, cleaned: list[dict[str, Any]] | None = None) -> list[DraftRow]:
        """The plan rows for a batch of proposals, in their order; `cleaned`, when `clean` was asked of it before."""
        self.actor = actor
        cleaned = cleaned or self.clean(batch)
        self.references.resolve(batch, cleaned, actor)
        keys = self._keys(batch, cleaned)
        existing = self._existing(batch, cleaned)
        visible = self._allowed(existing, "view")
        self.three_way.look_up(batch, keys, existing)
        limits = self._limits()
        drafts = [
            self._draft(proposal, values, key, existing.get(key), visible, limits)
            for proposal, values, key in zip(batch, cleaned, keys, strict=True)
        ]
        self._refuse_without_right(drafts)
        self._check_constraints(drafts)
        return drafts

    def reads_same(self, name: str, one: Any, other: Any) -> bool:
        """Do two raw values of a column come to the same? 2010-12-01 08:26 and 2010-12-01 do, where a day is kept."""
        (first, second), are_right = self.cleaners[name].column([one, other])
        return first == second if are_right else one == other

    def clean(self, batch: list[Proposal]) -> list[dict[str, Any]]:
        """The values of each proposal that could be taken; the others become its errors. Asks the database nothing."""
        tidy: dict[str, list[Any]] = {}
        untidy: dict[str, list[Any]] = {}
        for name, cleaner in self.cleaners.items():
            raws = [proposal.values.get(name, ABSENT) for proposal in batch]
            column, is_tidy = cleaner.column(raws)
            (tidy if is_tidy else untidy)[name] = column
        cleaned = [dict(zip(tidy, row, strict=True)) for row in zip(*tidy.values(), strict=True)] or [{} for _ in batch]
        for name, column in untidy.items():
            for proposal, values, value in zip(batch, cleaned, column, strict=True):
                if type(value) is Wrong:
                    message, advice = value.told
                    raw = proposal.values[name]
                    proposal.errors.append(
                        problem(message, column=self._label(name), value=raw, advice=advice, field=name)
                    )
                elif value is not ABSENT:
                    values[name] = value
        return cleaned

    # -- one row -----------------------------------------------------------------------------------

    def _draft(
        self,
        proposal: Proposal,
        values: dict[str, Any],
        key: tuple[Any, ...],
        current: dict[str, Any] | None,
        visible: set[int],
        limits: dict[str, tuple[str, list[int]]],
    ) -> DraftRow:
        draft = DraftRow(proposal.number, Action.INVALID, proposal.line, self._shown_key(proposal), raw=proposal.raw)
        if proposal.errors:
            draft.errors = proposal.errors
            return draft
        first = self.seen.first(key, proposal.number)
        if first != proposal.number:
            said = f"The same {self._key_label()} stands in row {first} already."
            return self._with_wrong_key(draft, said, "Keep one of the rows.")
        if proposal.anew:
            draft.target_id = proposal.target_id
            return _refused(draft, THERE_AGAIN) if current else self._as_new(draft, values, limits)
        version = self.three_way.version_of(proposal)
        if current is None:
            if version is not None:
                return self._with_wrong_key(draft, GONE, "Empty its version to make it anew, or drop the row.")
            return self._as_new(draft, values, limits)
        draft.target_id, draft.version = current["pk"], current.get("version")
        if current["pk"] not in visible:
            return _refused(draft, NOT_YOURS)
        if key in self.ambiguous:
            kind = self.model._meta.verbose_name_plural
            said = f"Several {kind} have this {self._key_label()}: it does not say which is meant."
            return self._with_wrong_key(draft, said, "Find rows by what tells them apart.")
        if version not in (None, draft.version):
            values, draft.errors = self.three_way.merge(values, current, version)
            if draft.errors:
                return draft
        return self._as_change(draft, self.spare(proposal, values, current) if self.spare else values, current)

    def _with_wrong_key(self, draft: DraftRow, said: str, advice: str) -> DraftRow:
        draft.target_id = draft.version = None
        draft.errors = [problem(said, column=self._key_label(), value=draft.key, advice=advice)]
        return draft

    def _as_new(self, draft: DraftRow, values: dict[str, Any], limits: dict[str, tuple[str, list[int]]]) -> DraftRow:
        if not self.key and draft.target_id is None:
            return _refused(draft, "The row does not exist any more.")
        if None in values.values():
            values = {name: value for name, value in values.items() if not (value is None and name in self.defaults)}
        if errors := self._errors_of_new(values):
            draft.errors = errors
            return draft
        if limits and not _inside(limits, values):
            return _refused(draft, "The new row would be outside your scope.")
        for name, within in self.sequences.items():
            values[name] = self._next_in_sequence(name, within, values)
        draft.after = after = {**self.defaults, **values, **self.new_values}
        for name, column in self.renamed:
            if name in after:
                after[column] = after.pop(name)
        draft.action = Action.CREATE
        return draft

    def _errors_of_new(self, values: dict[str, Any]) -> list[dict[str, str]]:
        errors = []
        if not all(map(values.get, self.required_names)):
            errors = [
                problem(
                    f"{self._label(name)} is missing.",
                    column=self._label(name),
                    advice="Every new row needs it.",
                    field=name,
                )
                for name, may_be_blank, default in self.required
                if is_missing(values.get(name, default), may_be_blank)
            ]
        if self.kept_in_new:
            given = ((name, values[name]) for name in self.cleaners if name in values)
            errors += [self._not_yours(name, value) for name, value in given if self._is_kept(name, value)]
        return errors

    def _as_change(self, draft: DraftRow, values: dict[str, Any], current: dict[str, Any]) -> DraftRow:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for name, field in self.compared:
            if name not in values or (value := values[name]) == current[field.attname]:
                continue
            if value is None and not field.null:
                continue
            if type(value) is str and _is_stripped(value, current[field.attname]):
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
        rows = self.model._base_manager.order_by()
        if not self.key:
            rows = rows.filter(pk__among_few=[proposal.target_id for proposal in batch])
            return {(row["pk"],): row for row in rows.values("pk", *versioned, *names)}
        attnames = [self.model._meta.get_field(name).attname for name in self.key]
        for name, attname in zip(self.key, attnames, strict=True):
            wanted = {values.get(name) for values in cleaned}
            if None in wanted and name != self.key[0]:
                break  # a blank is no value that a row could be found by; it is compared here
            lookup = "among_few" if name == self.key[0] else "any_of"
            rows = rows.filter(**{f"{attname}__{lookup}": list(wanted - {None})})
            if len(wanted) > FEW and len(self.key) > 1:
                break  # the first key narrows enough; the rest is compared here
        found = list(rows.values("pk", *versioned, *dict.fromkeys([*names, *attnames])))
        keys = [tuple(row[attname] for attname in attnames) for row in found]
        self.ambiguous = {key for key, count in Counter(keys).items() if count > 1} if found else set()
        return dict(zip(keys, found, strict=True))

    def _allowed(self, existing: dict[Any, dict[str, Any]], action: str) -> set[int]:
        keys = [row["pk"] for row in existing.values()]
        if not keys:
            return set()
        rows = restrict(self.model._default_manager.filter(pk__among_few=keys).order_by(), self.actor, action)
        return set(rows.values_list("pk", flat=True))

    def _refuse_without_right(self, drafts: list[DraftRow]) -> None:
        changed = [draft for draft in drafts if draft.action == Action.UPDATE]
        if changed:
            rows = self.model._default_manager.filter(pk__among_few=[draft.target_id for draft in changed]).order_by()
            rows = restrict(rows, self.actor, "change")
            if self.action != "change":
                rows = restrict(rows, self.actor, self.action)
            allowed = set(rows.values_list("pk", flat=True))
            for draft in changed:
                if draft.target_id not in allowed:
                    _refused(draft, NOT_YOURS)
        may_create = may_add(self.actor, self.model) and can(self.actor, self.action, self.model)
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

    def _keys(self, batch: list[Proposal], cleaned: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        if not self.key:
            return [(proposal.target_id,) for proposal in batch]
        return list(zip(*([values.get(name) for values in cleaned] for name in self.key), strict=True))

    def _shown_key(self, proposal: Proposal) -> str:
        if len(self.key) == 1:
            return str(proposal.values.get(self.key[0], ""))
        return " / ".join(str(proposal.values.get(name, "")) for name in self.key)

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

    def _limits(self) -> dict[str, tuple[str, list[int]]]:
        """Where the actor may work, by dimension: the path from a row, and the places; not where they may everywhere."""
        access = access_of(self.actor)
        return {
            dimension: (path_before_writing(self.model, path), places)
            for dimension, path in getattr(self.model, "scopes", {}).items()
            if (places := access.places(dimension)) is not None
        }

    def _next_in_sequence(self, name: str, within: tuple[str, ...], values: dict[str, Any]) -> int:
        place = (name, *(values[each] for each in within))
        if place not in self.counters:
            attnames = {self.model._meta.get_field(each).attname: values[each] for each in within}
            latest = self.model._base_manager.filter(**attnames).aggregate(latest=models.Max(name))["latest"]
            self.counters[place] = latest or 0
        self.counters[place] += 1
        return self.counters[place]


def _is_stripped(value: str, current: Any) -> bool:
    """Blanks around a text are taken from what comes in. Those that are there already stay: a file that came out goes
    back in as no change."""
    return type(current) is str and current.strip() == value


def _inside(limits: dict[str, tuple[str, list[int]]], values: dict[str, Any]) -> bool:
    """Would a new row be where the actor works? References were resolved within what the actor may see."""
    for path, places in limits.values():
        first, _, rest = path.partition("__")
        value = values.get(first)
        if value is None or (not rest and value not in places):
            return False
    return True


def _refused(draft: DraftRow, message: str) -> DraftRow:
    draft.action, draft.errors = Action.REFUSED, [problem(message)]
    draft.before = draft.after = None
    return draft

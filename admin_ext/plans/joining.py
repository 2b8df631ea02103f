"""The plan rows of a relation in a bulk edit: for each selected row and each chosen one a pair that is to be, or to go.

Asked a batch at a time: which pairs there are, which rows the actor may join, and of new pairs the differ, as for any
other new row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import models

from admin_ext.access.rights import restrict
from admin_ext.filtering.telling import names, with_related
from admin_ext.jobs.running import Run
from admin_ext.plans.differ import Differ, Proposal
from admin_ext.plans.making import BATCH
from admin_ext.plans.models import Action
from admin_ext.plans.names import NOT_TOLD
from admin_ext.plans.reasons_to_stay import Stays
from admin_ext.plans.referring import still_named
from admin_ext.plans.relations import Relation
from admin_ext.plans.rows import DraftRow, problem

# The number of no act: whoever still names a pair is somebody else.
NO_ACT = 0

Pair = tuple[int, int]
"""The keys of a selected row and of a chosen one."""


class Joining:
    """Adds the `chosen` rows to the relation of selected ones, or takes them away, as `operation` says."""

    def __init__(self, relation: Relation, *, operation: str, chosen: list[int], actor: Any) -> None:
        self.relation = relation
        self.chosen = list(dict.fromkeys(chosen))
        self.pairs = relation.pairs
        self.here, self.there = relation.column(relation.here), relation.column(relation.there)
        self.propose = self._added if operation == "add" else self._removed
        ends = (relation.there, relation.here)
        self.differ = Differ(model=self.pairs, actor=actor, key=ends, columns=ends, action="add")

    def draft(self, selected: list[int], run: Run, *, first: int) -> Iterator[list[DraftRow]]:
        """The plan rows of a selection, numbered from `first`, in batches."""
        size = max(1, BATCH // len(self.chosen))
        for start in range(0, len(selected), size):
            part = selected[start : start + size]
            yield self._draft(part, run.actor, first=first + start * len(self.chosen))

    def _draft(self, selected: list[int], actor: Any, *, first: int) -> list[DraftRow]:
        told_here = self._told(self.here, selected, actor)
        told_there = self._told(self.there, self.chosen, actor)
        pairs = [(here, there) for here in selected if here in told_here for there in self.chosen]
        drafts = {}
        for offset, (here, there) in enumerate(pairs):
            key, label = f"{told_here[here]}: {told_there.get(there, NOT_TOLD)}", self.pairs._meta.label
            drafts[here, there] = draft = DraftRow(first + offset, Action.UNCHANGED, key=key, model=label)
            if there not in told_there:
                _refuse(draft, self._told_refusal(self.there))
        if open_ones := {pair: draft for pair, draft in drafts.items() if draft.action != Action.REFUSED}:
            self.propose(open_ones, self._present(selected, actor), actor)
        return list(drafts.values())

    # -- pairs that are to be ----------------------------------------------------------------------

    def _added(self, drafts: dict[Pair, DraftRow], present: dict[Pair, dict[str, Any]], actor: Any) -> None:
        wanted = {pair: draft for pair, draft in drafts.items() if pair not in present}
        for column, end in ((self.here, 0), (self.there, 1)):
            joined = self._joined(column, {pair[end] for pair in wanted}, actor)
            for pair in [pair for pair in wanted if pair[end] not in joined]:
                _refuse(wanted.pop(pair), self._told_refusal(column))
        self._keep_settled(wanted, actor)
        proposals = [Proposal(number=draft.number, values={}) for draft in wanted.values()]
        cleaned = [{self.here.name: here, self.there.name: there} for here, there in wanted]
        if proposals:
            found = self.differ.diff(proposals, actor=actor, cleaned=cleaned)
            for draft, new in zip(wanted.values(), found, strict=True):
                draft.action, draft.after, draft.errors = new.action, new.after, new.errors
        # No pair comes twice, and what the differ keeps of those it saw would only grow.
        self.differ.seen.clear()

    def _joined(self, column: Any, keys: set[int], actor: Any) -> set[int]:
        """Those of the rows at one end that the actor may join, and that a form would offer."""
        rows = column.related_model._default_manager.filter(pk__any_of=list(keys))
        rows = restrict(rows, actor, self.relation.needed_of(column.name))
        return set(rows.complex_filter(column.get_limit_choices_to()).values_list("pk", flat=True))

    def _told_refusal(self, column: Any) -> str:
        kind = column.related_model._meta.verbose_name
        if self.relation.needed_of(column.name) == "change":
            return f"You have no right to change this {kind}."
        return f"There is no such {kind} that you may use here."

    # -- pairs that are to go ----------------------------------------------------------------------

    def _removed(self, drafts: dict[Pair, DraftRow], present: dict[Pair, dict[str, Any]], actor: Any) -> None:
        found = {pair: draft for pair, draft in drafts.items() if pair in present}
        keys = [present[pair]["pk"] for pair in found]
        rows = restrict(self.pairs._default_manager.filter(pk__any_of=keys), actor, "delete")
        may = set(rows.values_list("pk", flat=True))
        named = still_named(self.pairs, keys, NO_ACT, actor)
        for pair, draft in found.items():
            row = present[pair]
            if row["pk"] not in may:
                _refuse(draft, f"You have no right to delete this {self.pairs._meta.verbose_name}.")
            elif row["pk"] in named:
                _refuse(draft, named[row["pk"]], "It can go when they are gone.")
            else:
                draft.action, draft.target_id, draft.version = Action.DELETE, row["pk"], row["version"]
                draft.before = {column.column: row[column.attname] for column in (self.here, self.there)}
        self._keep_settled({pair: draft for pair, draft in found.items() if draft.action == Action.DELETE}, actor)

    # -- both --------------------------------------------------------------------------------------

    def _present(self, selected: list[int], actor: Any) -> dict[Pair, dict[str, Any]]:
        """The pairs that are there, as far as the actor may see them."""
        here, there = self.here.attname, self.there.attname
        rows = self.pairs._default_manager.filter(**{f"{here}__any_of": selected, f"{there}__any_of": self.chosen})
        found = restrict(rows, actor, "view").values("pk", "version", here, there)
        return {(row[here], row[there]): row for row in found}

    def _keep_settled(self, drafts: dict[Pair, DraftRow], actor: Any) -> None:
        """A whole that keeps its parts in the state it is in gets none and loses none; its drafts leave `drafts`."""
        ends = (self.here.attname, self.there.attname)
        rows = {draft.number: self.pairs(**dict(zip(ends, pair, strict=True))) for pair, draft in drafts.items()}
        stays = Stays(self.pairs, actor, rows, list(rows))
        for pair, draft in list(drafts.items()):
            if said := stays.with_its_whole(draft.number):
                _refuse(drafts.pop(pair), said)

    def _told(self, column: Any, keys: list[int], actor: Any) -> dict[int, str]:
        """What the rows at one end are called, of those that the actor may see."""
        rows: models.QuerySet = column.related_model._default_manager.filter(pk__any_of=keys)
        return names(with_related(restrict(rows, actor, "view")), reader=actor)


def _refuse(draft: DraftRow, message: str, advice: str = "") -> None:
    draft.action, draft.errors = Action.REFUSED, [problem(message, advice=advice)]
    draft.target_id = draft.version = draft.before = None

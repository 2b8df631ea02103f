"""The plan rows of one step of an undo: rows of one model, a batch at a time, each in the bucket it belongs in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.db import models

from admin_ext.access.rights import restrict
from admin_ext.jobs.running import Run
from admin_ext.plans.differ import Differ, Proposal
from admin_ext.plans.judging import HIDDEN, judge, people
from admin_ext.plans.models import Action
from admin_ext.plans.names import names_then
from admin_ext.plans.past import Past, kept_by_the_database
from admin_ext.plans.reasons_to_stay import Stays
from admin_ext.plans.referring import still_named
from admin_ext.plans.relations import ends_of
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.plans.seen_gone import seen
from admin_ext.plans.touched import Touched, compared_fields, touched_rows

Drafts = dict[int, DraftRow]


class TakingBack:
    """Takes the rows of one model back in one way. `remade` are the models of which the act deleted rows."""

    way: ClassVar[str]

    def __init__(self, model: Any, act: int, run: Run, remade: set[Any]) -> None:
        self.model = model
        self.act = act
        self.run = run
        self.remade = remade
        self.follows = kept_by_the_database(model)

    def draft(self, number: int) -> Iterator[list[DraftRow]]:
        """The plan rows, numbered from `number`."""
        for batch in touched_rows(self.model, self.act, self.way):
            drafts = self._draft(batch, number, self.run.actor)
            number += len(drafts)
            yield drafts

    def take_back(self, rows: list[Touched], drafts: Drafts, past: dict[int, Any], actor: Any) -> None:
        """Complete the drafts of rows that nothing is against so far; `past` tells of each what it was."""
        raise NotImplementedError

    def _draft(self, batch: list[Touched], number: int, actor: Any) -> list[DraftRow]:
        past = self._past(row.before or row.left for row in batch)
        names, may_see, who = names_then(past.values(), self.model, actor), seen(actor, self.model, past), people(batch)
        drafts: Drafts = {}
        possible = []
        for offset, row in enumerate(batch):
            draft = DraftRow(number=number + offset, action=Action.LEFT, model=self.model._meta.label)
            drafts[row.key] = draft
            if row.key not in may_see:
                draft.errors = [problem(HIDDEN)]
                continue
            draft.key, draft.target_id, draft.version = names[row.key], row.key, row.version
            if verdict := judge(row, who):
                draft.action, draft.errors = verdict
            else:
                possible.append(row)
        if possible:
            self.take_back(possible, drafts, past, actor)
        return list(drafts.values())

    def _past(self, history_keys: Any) -> dict[int, Any]:
        return {row.id: row for row in self.model.history.filter(pk__any_of=list(history_keys))}


class Deleting(TakingBack):
    """Rows that the act made go, unless others have come to need them."""

    way = Action.DELETE

    def _past(self, history_keys: Any) -> dict[int, Any]:
        """Its name and its whole are all that is asked of a row that goes; of a pair, what it joins."""
        names = {name.partition("__")[0] for name in self.model.natural_key_fields}
        names |= {*self.model.search_words, *([self.model.part_of] if self.model.part_of else ())}
        names |= {end.name for end in ends_of(self.model)}
        rows = self.model.history.filter(pk__any_of=list(history_keys))
        return {row.id: row for row in rows.only("history_id", "id", *names)}

    def take_back(self, rows: list[Touched], drafts: Drafts, past: dict[int, Any], actor: Any) -> None:
        keys = [row.key for row in rows]
        may = set(
            restrict(self.model._default_manager.filter(pk__any_of=keys), actor, "delete").values_list("pk", flat=True)
        )
        named, stays = still_named(self.model, keys, self.act, actor), Stays(self.model, actor, past, keys)
        for key in keys:
            if issubclass(self.model, get_user_model()):
                refuse(
                    drafts[key], "The record names people for ever: nobody is deleted.", "Close the account instead."
                )
            elif key not in may:
                refuse(drafts[key], f"You have no right to delete this {self.model._meta.verbose_name}.")
            elif said := stays.with_its_whole(key):
                refuse(drafts[key], said)
            elif key in named:
                refuse(drafts[key], named[key], "It can go when they are gone.")
            else:
                drafts[key].action = Action.DELETE
                drafts[key].before = {
                    str(end.column): getattr(past[key], end.attname) for end in ends_of(self.model)
                } or None


class Keeping(Deleting):
    """Rows of a ledger stay as they were written."""

    def take_back(self, rows: list[Touched], drafts: Drafts, past: dict[int, Any], actor: Any) -> None:
        plural = str(self.model._meta.verbose_name_plural).capitalize()
        for row in rows:
            refuse(drafts[row.key], f"{plural} stay as they were written.", "Post another one that corrects it.")


class _Compared(TakingBack):
    """Rows that the differ looks at, which knows what is allowed today."""

    action: ClassVar[str]
    beside: ClassVar[tuple[str, ...]] = ()
    _differ: Differ | None = None

    def compare(self, proposals: list[Proposal], drafts: Drafts, actor: Any) -> None:
        if self._differ is None:
            columns = [*(field.name for field in compared_fields(self.model)), *self.beside]
            self._differ = Differ(
                model=self.model, actor=actor, key=(), columns=columns, action=self.action, stored=True
            )
        self._keep_to_come(proposals)
        for proposal, found in zip(proposals, self._differ.diff(proposals, actor=actor), strict=True):
            assert proposal.target_id is not None
            draft = drafts[proposal.target_id]
            draft.action, draft.errors, draft.before, draft.after = (
                found.action,
                found.errors,
                found.before,
                found.after,
            )
        # No row comes twice, and what the differ keeps of those it saw would only grow.
        self._differ.seen.clear()

    def _keep_to_come(self, proposals: list[Proposal]) -> None:
        """Of a row that this plan makes again nobody can ask whether it is there: the database will, when it is named."""
        for field in self.model._meta.concrete_fields:
            if not isinstance(field, models.ForeignKey) or field.related_model not in self.remade:
                continue
            keys = [int(key) for proposal in proposals if (key := proposal.values.get(field.name)) is not None]
            other: Any = field.related_model
            again = other.history.filter(change_set_id=self.act, history_type="-", id__any_of=keys)
            again = set(again.values_list("id", flat=True)) - set(
                other._default_manager.filter(pk__any_of=keys).values_list("pk", flat=True)
            )
            for proposal in proposals:
                key = proposal.values.get(field.name)
                if key is not None and key in again:
                    proposal.values[field.name] = int(key)


class Creating(_Compared):
    """Rows that the act deleted come back under their old keys, as a restored row does."""

    way, action, beside = Action.CREATE, "add", ("version", "created_at")

    def take_back(self, rows: list[Touched], drafts: Drafts, past: dict[int, Any], actor: Any) -> None:
        stays = Stays(self.model, actor, past, [row.key for row in rows])
        ends = dict(self.model.history.filter(pk__any_of=[row.left for row in rows]).values_list("id", "version"))
        proposals = []
        for row in rows:
            if said := stays.with_its_whole(row.key):
                refuse(drafts[row.key], said)
                continue
            then = Past(past[row.key])
            values = {field.name: then.value(field.name) for field in then.fields() if field.name not in self.follows}
            # The version goes on, so that nothing stale fits the row.
            values |= {"version": (ends[row.key] or 0) + 1, "created_at": then.row.created_at}
            proposals.append(
                Proposal(number=drafts[row.key].number, target_id=row.key, values=_filled(then, values), anew=True)
            )
        self.compare(proposals, drafts, actor)


class Changing(_Compared):
    """Rows that the act changed get back what it took from them."""

    way, action = Action.UPDATE, "change"

    def take_back(self, rows: list[Touched], drafts: Drafts, past: dict[int, Any], actor: Any) -> None:
        left, stays = self._past(row.left for row in rows), Stays(self.model, actor, past, [row.key for row in rows])
        proposals = []
        for row in rows:
            before, after = past[row.key], left[row.key]
            moved = [
                field
                for field in compared_fields(self.model)
                if getattr(before, field.attname) != getattr(after, field.attname)
                and (field.editable or field.name in self.model.controlled_fields)
            ]
            if not moved:
                # It only followed from rows that are taken back as well.
                drafts[row.key].action = Action.UNCHANGED
            elif said := stays.with_its_whole(row.key) or stays.with_values(row.key, moved):
                refuse(drafts[row.key], said, "Use its own buttons, or leave it." if "verbs" in said else "")
            else:
                values = {field.name: Past(before).value(field.name) for field in moved}
                proposals.append(Proposal(number=drafts[row.key].number, target_id=row.key, values=values))
        self.compare(proposals, drafts, actor)


WAYS: dict[str, type[TakingBack]] = {each.way: each for each in (Deleting, Creating, Changing)}


def refuse(draft: DraftRow, message: str, advice: str = "") -> None:
    draft.action, draft.errors = Action.REFUSED, [problem(message, advice=advice)]


def _filled(then: Past, values: dict[str, Any]) -> dict[str, Any]:
    """Without what the column of today cannot hold: a column that came later says itself what it begins with."""
    nothing = {field.name for field in then.model._meta.concrete_fields if not field.null}
    return {name: value for name, value in values.items() if value is not None or name not in nothing}

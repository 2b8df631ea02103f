"""The rows of one entity of a flat file: gathered from groups of lines, or taken line by line, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from django.db import connection, models

from admin_ext.access.rights import can
from admin_ext.plans.differ import Proposal
from admin_ext.plans.models import Action
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.transfers.comparing import differ_of
from admin_ext.transfers.conditions import Holds, compile_condition
from admin_ext.transfers.entities import Entity
from admin_ext.transfers.gathered import Gathered, Group, plain
from admin_ext.transfers.mapping import Extractor, place_in
from admin_ext.transfers.reading import Row

BAD = (Action.REFUSED, Action.INVALID)
# Gives so many numbers of the plan.
Numbered = Callable[[int], Iterator[int]]


class LineKey:
    """What makes lines a group or a document: the same values in some columns."""

    def __init__(self, header: list[str], columns: tuple[str, ...]) -> None:
        self.places = [place_in(header, [column], "a group of lines") for column in columns]

    def __bool__(self) -> bool:
        return bool(self.places)

    def __call__(self, cells: Any) -> str:
        told = [str(cells[i]).strip() if i < len(cells) and cells[i] is not None else "" for i in self.places]
        return told[0] if len(told) == 1 else orjson.dumps(told).decode()


class EntityRows:
    """One entity of the file, with what compares its rows."""

    def __init__(self, entity: Entity, header: list[str], actor: Any, kept: Gathered) -> None:
        self.entity, self.kept = entity, kept
        self.model = entity.model
        self.holds: Holds = compile_condition(entity.when, lambda column: place_in(header, [column], "a condition"))
        self.key = LineKey(header, entity.group_by)
        if entity.refuse:
            return
        self.extractors: dict[str, Extractor] = entity.mapping.extractors(header)
        self.fallbacks: dict[str, Extractor] = entity.fallbacks.extractors(header)
        self.labels = entity.mapping.labels
        self.places = self._places(header)
        self.natural = getattr(self.model, "natural_key_fields", ("pk",))[0]
        self.differ = differ_of(entity.mapping, actor=actor, labels=self.labels)
        self.differ.references.planned = kept
        self.proposed: dict[int, Group] = {}
        if entity.existing != "update":
            self.differ.spare = self._spare

    def _places(self, header: list[str]) -> list[int]:
        """Where in a line stands what it says of its group."""
        named: list[list[str]] = [[column] for column in self.entity.group_by]
        for rule in self.entity.mapping.columns.values():
            named += [[rule["from"], *rule.get("aliases", ())]] if "from" in rule else []
            named += [[rule["or_from"]]] if "or_from" in rule else []
        return sorted({place_in(header, names, "a group of lines") for names in named})

    # -- groups -------------------------------------------------------------------------------------

    def gather(self, place: int, rows: list[Row]) -> None:
        told: dict[str, list[Row]] = {}
        said = set()
        for row in rows:
            if row.problem or not self.holds(row.cells):
                continue
            # Most lines of a group say the same again.
            signature = tuple(row.cells[i] for i in self.places)
            if signature not in said:
                said.add(signature)
                told.setdefault(self.key(row.cells), []).append(row)
        groups = self.kept.groups(place, told)
        for key, lines in told.items():
            for row in lines:
                group = groups.setdefault(key, Group(line=row.line))
                self._hear(group, row)
        self.kept.keep_groups(place, {key: groups[key] for key in told})

    def _hear(self, group: Group, row: Row) -> None:
        """Add what a line says to its group; what is left blank says nothing."""
        for name, extract in self.extractors.items():
            value, error = extract(row.cells)
            if error:
                self._add_error(group, name, row, error[0], value, error[1])
                continue
            value = plain(value)
            if value is None or value == "":
                continue
            rule = self.entity.differs(name)
            if name not in group.values or (rule == "last" and group.values[name] != value):
                group.values[name], group.lines[name] = value, row.line
            elif (
                rule == "problem"
                and group.values[name] != value
                and not self.differ.reads_same(name, group.values[name], value)
            ):
                message = (
                    f"Line {row.line} says “{value}” where line {group.lines[name]} says “{group.values[name]}”, "
                    f"for the same {self._told_key()}."
                )
                self._add_error(group, name, row, message, value, "Make the lines agree.")
        for name, extract in self.fallbacks.items():
            value, error = extract(row.cells)
            if not error and value not in (None, ""):
                group.fallbacks.setdefault(name, plain(value))

    def _add_error(self, group: Group, name: str, row: Row, message: str, value: Any, advice: str) -> None:
        """The first fault of a column is told, not each."""
        if all(error.get("field") != name for error in group.errors):
            label = self.labels.get(name, name)
            said = problem(message, column=label, value=value, advice=advice, field=name)
            group.errors.append({**said, "line": row.line})

    def _told_key(self) -> str:
        return " and ".join(self.entity.group_by)

    def compare_groups(
        self, groups: list[tuple[str, Group]], numbered: Numbered, actor: Any
    ) -> tuple[list[DraftRow], dict[int, str]]:
        """The rows of groups, and by number the group of each. What an earlier entity told of already is left out."""
        values = [{**dict.fromkeys(self.extractors), **group.fallbacks, **group.values} for _, group in groups]
        told = self.kept.known(self.model, map(self._name, values))
        new = [
            (key, group, each)
            for (key, group), each in zip(groups, values, strict=True)
            if self._name(each) not in told
        ]
        proposals: list[Proposal] = []
        keys: dict[int, str] = {}
        self.proposed = {}
        for number, (key, group, each) in zip(numbered(len(new)), new, strict=True):
            line = group.errors[0]["line"] if group.errors else group.line
            proposals.append(Proposal(number=number, line=line, values=each, errors=list(group.errors)))
            keys[number], self.proposed[number] = key, group
        drafts = self.differ.diff(proposals, actor=actor) if proposals else []
        for draft in drafts:
            for said in draft.errors or ():
                self._say_where(said, self.proposed[draft.number])
        self._settle(proposals, drafts, actor)
        return drafts, keys

    def _say_where(self, said: dict[str, Any], group: Group) -> None:
        """On which line stands what an error is about, so that it can be corrected there."""
        if "line" not in said and (line := group.lines.get(said.get("field", ""))):
            said["line"] = line

    def _settle(self, proposals: list[Proposal], drafts: list[DraftRow], actor: Any) -> None:
        """Keep keys free for the new rows, and remember those that cannot be."""
        self._name_and_refuse(drafts, actor)
        new = [draft for draft in drafts if draft.action == Action.CREATE]
        for draft, key in zip(new, _kept_free(self.model, len(new)), strict=True):
            draft.target_id = key
        names = {proposal.number: self._name(proposal.values) for proposal in proposals}
        self.kept.plan_to_make(self.model, {names[draft.number]: draft.target_id for draft in new if draft.target_id})
        bad = [draft for draft in drafts if draft.action in BAD]
        self.kept.plan_to_fail(self.model, {names[draft.number]: draft.errors or [] for draft in bad})
        self.kept.plan_to_find(self.model, [names[draft.number] for draft in drafts])

    def _name(self, values: dict[str, Any]) -> str:
        """The name by which other rows refer to a row, as references are read."""
        return " ".join(str(values.get(self.natural, "")).split())

    # -- single lines -------------------------------------------------------------------------------

    def compare_lines(
        self,
        rows: list[Row],
        positions: dict[int, int],
        numbered: Numbered,
        raw: Callable[[Row], list[Any]],
        actor: Any,
    ) -> list[DraftRow]:
        proposals = []
        places = self.entity.positions
        for number, row in zip(numbered(len(rows)), rows, strict=True):
            proposal = Proposal(number=number, line=row.line, raw=raw(row), values={})
            for name, extract in self.extractors.items():
                value, error = extract(row.cells)
                if not error and value in (None, "") and name in self.fallbacks:
                    value, error = self.fallbacks[name](row.cells)
                if error:
                    label = self.labels.get(name, name)
                    proposal.errors.append(problem(error[0], column=label, value=value, advice=error[1], field=name))
                else:
                    proposal.values[name] = value
            for name in places:
                proposal.values[name] = positions[row.line]
            proposals.append(proposal)
        drafts = self.differ.diff(proposals, actor=actor)
        self._name_and_refuse(drafts, actor)
        return drafts

    # -- both ---------------------------------------------------------------------------------------

    def _name_and_refuse(self, drafts: list[DraftRow], actor: Any) -> None:
        may = can(actor, "import", self.model)
        for draft in drafts:
            draft.model = self.entity.label
            if not may and draft.action not in (Action.UNCHANGED, Action.INVALID):
                draft.action, draft.before, draft.after = Action.REFUSED, None, None
                draft.errors = [problem(f"You have no right to import {self.model._meta.verbose_name_plural}.")]

    def _spare(self, proposal: Proposal, values: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
        """Of the values for a row that is there: those that fill its blanks, or none."""
        if self.entity.existing == "keep":
            return {}
        group = self.proposed.get(proposal.number)
        fallbacks = group.fallbacks if group else {}
        return {
            name: value
            for name, value in values.items()
            if (now := current[self.differ.fields[name].attname]) in (None, "")
            or (name in fallbacks and str(now) == str(fallbacks[name]))
        }


def _kept_free(model: type[models.Model], count: int) -> list[int]:
    """Keys that no other row will get."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [f'"{model._meta.db_table}"', count],
        )
        return [key for (key,) in cursor.fetchall()]

"""A plan of several entities from one flat file.

The file is read twice. First the lines are gathered into groups, on disk (see `gathered`); then the rows of each group
are compared, wholes before parts, and the keys of those that are new are kept free, so that their parts can name them;
then each line is compared for itself. Lines of one document go in together or not at all.

What a reviewer put into cells of the file is read as if it stood there (see `overlaid`). A line that they dropped is
in no group and makes no row, but counts where lines of its document are counted: the others stay at their places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from admin_ext.jobs.running import Run
from admin_ext.plans.making import BATCH
from admin_ext.plans.models import Action, Plan
from admin_ext.plans.remaking import corrected_before
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.transfers.cells import as_kept
from admin_ext.transfers.entities import Entities
from admin_ext.transfers.entity_rows import EntityRows, LineKey
from admin_ext.transfers.gathered import Gathered
from admin_ext.transfers.overlaid import Overlaid
from admin_ext.transfers.reading import Row, Table
from admin_ext.transfers.together import refuse_together

BAD = (Action.REFUSED, Action.INVALID)
NOWHERE = "Nothing in the mapping takes this line."
Damaged = Callable[[Row, list[Any], list[str]], DraftRow]


def draft_flat(plan: Plan, run: Run, table: Table, entities: Entities, damaged: Damaged) -> Iterator[list[DraftRow]]:
    """The rows of the plan, in batches; `damaged` tells of a line whose shape is broken."""
    with Gathered() as kept:
        drafting = _Drafting(plan, run, table, entities, damaged, kept)
        drafting.gather()
        yield from drafting.wholes()
        yield from drafting.lines()
        with run.chunk(phase="looking at whole documents"):
            refuse_together(plan, kept, drafting.leaves_from, " and ".join(entities.document))


class _Drafting:
    def __init__(
        self, plan: Plan, run: Run, table: Table, entities: Entities, damaged: Damaged, kept: Gathered
    ) -> None:
        self.run, self.table, self.kept, self.damaged = run, table, kept, damaged
        corrected = corrected_before(plan)
        self.read = Overlaid(table, kept, corrected.filter(raw__isnull=False).iterator())
        self.left = corrected.filter(raw__isnull=True, action=Action.LEFT)
        self.is_any_left = self.left.exists()
        self.entities = entities
        header = table.header
        self.is_text = table.detected.format == "csv"
        self.document = LineKey(header, entities.document)
        self.grouped = [EntityRows(each, header, run.actor, kept) for each in entities.wholes]
        self.single = [EntityRows(each, header, run.actor, kept) for each in entities.leaves]
        self.number = 0
        self.leaves_from = 1

    # -- first reading: groups of lines -------------------------------------------------------------

    def gather(self) -> None:
        for batch in self.read.batches(BATCH):
            rows = [row for row in batch if not self.read.is_dropped(row)] if self.read.noted else batch
            with self.run.chunk(phase="gathering"):
                for place, each in enumerate(self.grouped):
                    each.gather(place, rows)

    # -- a row for each group -----------------------------------------------------------------------

    def wholes(self) -> Iterator[list[DraftRow]]:
        for place, each in enumerate(self.grouped):
            is_document = each.entity.group_by == self.entities.document
            for groups in self.kept.each_group(place, BATCH):
                drafts, keys = each.compare_groups(groups, self._next, self.run.actor)
                self._leave_again(each, drafts)
                if is_document:
                    self.kept.stands_in((keys[draft.number], draft.number) for draft in drafts)
                if drafts:
                    yield drafts
        self.leaves_from = self.number + 1

    def _leave_again(self, each: EntityRows, drafts: list[DraftRow]) -> None:
        """Rows that are there, and that the reviewer wanted left as they are, are left again."""
        changed = {draft.target_id: draft for draft in drafts if draft.action == Action.UPDATE}
        if not self.is_any_left or not changed:
            return
        left = self.left.filter(model=each.entity.label, target_id__any_of=list(changed))
        for key, corrections in left.values_list("target_id", "corrections"):
            changed[key].action, changed[key].corrections = Action.LEFT, corrections

    # -- second reading: a row for each line --------------------------------------------------------

    def lines(self) -> Iterator[list[DraftRow]]:
        for rows in self.read.batches(BATCH):
            yield self._compare_lines(rows)

    def _compare_lines(self, rows: list[Row]) -> list[DraftRow]:
        positions = self._positions(rows)
        taken: list[list[Row]] = [[] for _ in self.single]
        drafts: list[DraftRow] = []
        label = self.single[0].entity.label
        for row in rows:
            if self.read.is_dropped(row):
                drafts.append(self._left(row))
            elif row.problem:
                drafts.append(self.damaged(row, self._raw(row), self.table.header))
            elif (place := next((i for i, each in enumerate(self.single) if each.holds(row.cells)), None)) is None:
                advice = "Correct the line, or say in the mapping where it goes."
                drafts.append(self._bad(row, Action.INVALID, problem(NOWHERE, advice=advice)))
            else:
                taken[place].append(row)
        for draft in drafts:
            draft.number, draft.model = next(self._next(1)), draft.model or label
        for each, rows_of in zip(self.single, taken, strict=True):
            if each.entity.refuse:
                refused = [self._bad(row, Action.REFUSED, problem(each.entity.refuse)) for row in rows_of]
                for draft in refused:
                    draft.number, draft.model = next(self._next(1)), each.entity.label
                drafts += refused
            elif rows_of:
                drafts += each.compare_lines(rows_of, positions, self._next, self._raw, self.run.actor)
        self._note_documents(rows, drafts)
        for draft in drafts if self.read.noted else ():
            if draft.line in self.read.noted:
                draft.corrections = self.read.noted[draft.line].corrections
        return drafts

    def _positions(self, rows: list[Row]) -> dict[int, int]:
        """By line: the how-manieth of its document it is. Lines that go nowhere count too."""
        if not self.document:
            return {}
        names = {row.line: self.document(row.cells) for row in rows}
        counts = self.kept.lines_of(set(names.values()))
        positions: dict[int, int] = {}
        for line, name in names.items():
            positions[line] = counts[name] = counts.get(name, 0) + 1
        self.kept.keep_lines(counts)
        return positions

    def _note_documents(self, rows: list[Row], drafts: list[DraftRow]) -> None:
        if not self.document:
            return
        names = {row.line: self.document(row.cells) for row in rows}
        self.kept.stands_in((names[draft.line], draft.number) for draft in drafts if draft.line)
        self.kept.spoil((names[draft.line], draft.line) for draft in drafts if draft.line and draft.action in BAD)

    def _bad(self, row: Row, action: str, said: dict[str, str]) -> DraftRow:
        first = next((str(cell) for cell in row.cells if cell not in (None, "")), "")
        return DraftRow(number=0, line=row.line, action=action, key=first[:200], raw=self._raw(row), errors=[said])

    def _left(self, row: Row) -> DraftRow:
        noted = self.read.noted[row.line]
        return DraftRow(
            number=0, line=row.line, action=Action.LEFT, key=noted.key, model=noted.model, raw=self._raw(row)
        )

    def _raw(self, row: Row) -> list[Any]:
        cells = list(self.read.came(row))
        return cells if self.is_text else [as_kept(cell) for cell in cells]

    def _next(self, count: int) -> Iterator[int]:
        first = self.number + 1
        self.number += count
        return iter(range(first, first + count))

"""The rows of a file with what the reviewer of its plan put into them: each with its cells as they were corrected, and
with those that came kept beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from admin_ext.plans.models import Action, PlanRow
from admin_ext.transfers.gathered import Gathered
from admin_ext.transfers.reading import Row, Table, in_batches

# Stands for bytes that are no text.
REPLACED = "\ufffd"


@dataclasses.dataclass(slots=True)
class Noted:
    """What a reviewer did to a line."""

    corrections: dict[str, Any]
    is_dropped: bool
    model: str
    key: str
    came: Sequence[Any] = ()
    """Its cells as they came."""


class Overlaid:
    """The rows of a table, a batch at a time; `noted` tells by its line what was done to a row of the batch at hand."""

    def __init__(self, table: Table, kept: Gathered, corrected: Iterable[PlanRow]) -> None:
        """`corrected` are rows of the plan as it was, one for each line of the file; they are kept on disk."""
        self.table, self.kept = table, kept
        self.missing = "" if table.detected.format == "csv" else None
        self.noted: dict[int, Noted] = {}
        self.is_any = kept.keep_corrected((row.line, _told(row)) for row in corrected if row.line is not None) > 0

    def batches(self, size: int) -> Iterator[list[Row]]:
        for rows in in_batches(self.table.rows(), size):
            yield self._corrected(rows) if self.is_any else rows

    def came(self, row: Row) -> Sequence[Any]:
        """The cells of a row of the batch at hand as they stand in the file."""
        return self.noted[row.line].came if row.line in self.noted else row.cells

    def is_dropped(self, row: Row) -> bool:
        return row.line in self.noted and self.noted[row.line].is_dropped

    def _corrected(self, rows: list[Row]) -> list[Row]:
        found = self.kept.corrected(row.line for row in rows)
        self.noted = {line: Noted(*orjson.loads(told)) for line, told in found.items()}
        return [self._put_in(row, self.noted[row.line]) if row.line in self.noted else row for row in rows]

    def _put_in(self, row: Row, noted: Noted) -> Row:
        noted.came = row.cells
        texts = noted.corrections.get("cells")
        if not texts:
            return row
        cells = list(row.cells)
        for position, text in texts.items():
            cells += [self.missing] * (int(position) + 1 - len(cells))
            cells[int(position)] = text
        if row.problem and (fitted := self._fitted(cells)):
            return row._replace(cells=fitted, problem=None)
        return row._replace(cells=cells)

    def _fitted(self, cells: list[Any]) -> list[Any] | None:
        """Cells of a row that had no shape, as many as the header has. Those beyond it must have been emptied."""
        width = len(self.table.header)
        if any(cell not in (None, "") for cell in cells[width:]):
            return None
        if any(isinstance(cell, str) and REPLACED in cell for cell in cells):
            return None
        return cells[:width] + [self.missing] * (width - len(cells))


def _told(row: PlanRow) -> str:
    is_dropped = row.action == Action.LEFT and "was" in (row.corrections or {})
    return orjson.dumps([row.corrections, is_dropped, row.model, row.key]).decode()

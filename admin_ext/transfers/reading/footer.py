"""Lines below a table that are no rows of it: totals, dates of export, signatures."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from .table import NoRows, Row, Table


class WithoutFooter(Table):
    """A table whose last rows are left out because a person said so. `blank_rows` does not count them."""

    def __init__(self, table: Table, footer_rows: int) -> None:
        self._table = table
        self._footer_rows = footer_rows
        self.header = table.header
        self.sheets = table.sheets
        told = f"The last {footer_rows:,} rows are left out." if footer_rows > 1 else "The last row is left out."
        self.detected = replace(table.detected, footer_rows=footer_rows, notes=(*table.detected.notes, told))

    def rows(self) -> Iterator[Row]:
        held: deque[Row] = deque()
        given = False
        for row in self._table.rows():
            held.append(row)
            if len(held) > self._footer_rows:
                given = True
                yield held.popleft()
        self.blank_rows = self._table.blank_rows
        if not given:
            raise NoRows(f"There are no rows but the last {self._footer_rows:,}, which are left out")

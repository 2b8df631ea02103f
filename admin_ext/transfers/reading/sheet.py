"""One sheet of a workbook: calamine's rows, with the cells put in that calamine leaves out."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any

from python_calamine import CalamineSheet, CalamineWorkbook, PasswordError

from .header import column_names, find_header
from .second_look import SecondLook
from .table import Cell, CellError, EmptyFile, FileNotReadable, NoRows

_SAMPLE_ROWS = 200
_LARGEST_EXACT = 10**15  # a float tells whole numbers apart up to here
_WIDEST_MERGE = 1_000


class LoadedSheet:
    """A sheet in memory. Rows and columns are counted from 0 at the corner of the sheet, not of the table in it."""

    def __init__(self, workbook: CalamineWorkbook, name: str, second: SecondLook) -> None:
        self.name = name
        self.second = second
        with told_as_facts(name):
            self._sheet: CalamineSheet = workbook.get_sheet_by_name(name)
            self._merged = self._sheet.merged_cell_ranges or []
        self.sample = list(islice(self.rows(), _SAMPLE_ROWS))

    def rows(self) -> Iterator[list[Cell]]:
        """Yield every row from the first of the sheet to the last with anything in it."""
        row, replaced = -1, self.second.cells
        with told_as_facts(self.name):
            for row, raw in enumerate(self._sheet.iter_rows()):
                if row in replaced:
                    _replace(raw, replaced[row])
                yield [_cell(value) for value in raw]
        for beyond in range(row + 1, max(replaced, default=-1) + 1):
            # Below calamine's last row there are only cells that it takes for blank.
            cells: list[Cell] = []
            _replace(cells, replaced.get(beyond, {}))
            yield [_cell(value) for value in cells]

    def header(self, asked: int | None, *, mend: bool | None = False) -> "SheetHeader":
        """Give the column names from the row asked for (1-based; 0 = none), or from the row that looks like them.

        Raises EmptyFile, NoRows, or FileNotReadable over names that cannot be used.
        """
        if not any(map(has_content, self.sample)) and len(self.sample) < _SAMPLE_ROWS:
            raise EmptyFile("The sheet is empty", sheet=self.name)
        if asked == 0:
            width = max(map(len, self.sample))
            return SheetHeader(0, 0, [f"Column {number}" for number in range(1, width + 1)])
        index = asked - 1 if asked else find_header(self.sample)
        names = self._with_merged_names(self._row(index), index)
        first = next((column for column, name in enumerate(names) if name is not None), 0)
        named = column_names(names[first:], line=index + 1, sheet=self.name, mend=mend)
        header = SheetHeader(index + 1, first, named)
        if not any(map(has_content, self.sample[index + 1 :])) and len(self.sample) < _SAMPLE_ROWS:
            raise NoRows("There are no rows below the header", line=index + 1, sheet=self.name)
        return header

    def _row(self, wanted: int) -> list[Cell]:
        if wanted < len(self.sample):
            return self.sample[wanted]
        row = next(islice(self.rows(), wanted, None), None)
        if row is None:
            raise FileNotReadable(f"The sheet ends before row {wanted + 1:,}", sheet=self.name)
        return row

    def _with_merged_names(self, cells: list[Cell], row: int) -> list[Cell]:
        """A name in a merged cell stands for all columns (or rows) it spans: Price, Price 2, Price 3."""
        names = list(cells)
        for (top, left), (bottom, right) in self._merged:
            if not top <= row <= bottom or right - left > _WIDEST_MERGE:
                continue
            above = cells if top == row else self._row(top)
            name = above[left] if left < len(above) else None
            for place, column in enumerate(range(left, min(right + 1, len(names))), 1):
                if names[column] is None and name is not None:
                    names[column] = f"{name} {place}" if place > 1 else name
        return names


class SheetHeader:
    """Where the header stands (`row` is 1-based, 0 = none; `first` is the 0-based column of the first name)."""

    def __init__(self, row: int, first: int, names: list[str]) -> None:
        self.row = row
        self.first = first
        self.names = names


def has_content(row: list[Cell]) -> bool:
    """Say whether any cell of the row is not blank."""
    return any(cell is not None for cell in row)


def _cell(value: Any) -> Cell:
    """Give a cell its plain type. Numbers are what Excel shows: whole ones as int, others with 15 digits."""
    kind = type(value)
    if kind is str:
        return (CellError("text with a NUL character") if "\0" in value else value) or None
    if kind is float:
        if value.is_integer() and abs(value) < _LARGEST_EXACT:
            return int(value)
        if not isfinite(value):
            return CellError(f"{value} is no number")
        return Decimal(f"{value:.15g}")
    plain: Cell = value
    return plain


def _replace(raw: list[Any], cells: dict[int, CellError | int]) -> None:
    for column, cell in cells.items():
        if column >= len(raw):
            raw.extend([""] * (column + 1 - len(raw)))
        raw[column] = cell


@contextmanager
def told_as_facts(sheet: str | None = None) -> Iterator[None]:
    """Turn what calamine raises, its panics included, into a fact for people."""
    try:
        yield
    except FileNotReadable:
        raise
    except PasswordError as protected:
        raise FileNotReadable(
            "The workbook is protected by a password", advice="Remove the password, save, and send it again."
        ) from protected
    except BaseException as broken:
        # A panic of the Rust code arrives as a BaseException of its own; a wish to stop must still pass.
        if isinstance(broken, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
            raise
        raise FileNotReadable(
            f"The workbook is damaged: {str(broken)[:200]}",
            sheet=sheet,
            advice="Open it in Excel, save it again, and send the new file.",
        ) from broken

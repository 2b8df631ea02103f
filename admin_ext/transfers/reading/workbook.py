"""Tables in workbooks: Excel's old and new formats and OpenDocument, read with calamine."""

from collections.abc import Iterator
from pathlib import Path

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum, load_workbook

from .header import MOST_COLUMNS, like_a_value
from .limits import Limits
from .options import ReadOptions
from .package import inspect
from .second_look import SecondLook, look_again, sheet_parts
from .sheet import LoadedSheet, SheetHeader, has_content, told_as_facts
from .table import Cell, CellError, EmptyFile, FileNotReadable, NoRows, Row, Sheet, Table

MOST_ROWS = 1_048_576
MOST_CELLS = 8_000_000  # calamine lays out the whole rectangle in memory: 740 MB were seen for as many


class SheetTable(Table):
    """One sheet of a workbook. Cells keep their types; blanks are None, errors are CellError."""

    def __init__(self, path: Path, asked: ReadOptions, *, format: str, limits: Limits) -> None:
        if path.stat().st_size > limits.packed_mb << 20:
            raise FileNotReadable(
                f"The workbook is larger than {limits.packed_mb} MB", advice="Save the data as CSV and send that."
            )
        self._path = path
        self._parts = inspect(path, limits) if format != "xls" else {}
        self._part_of = sheet_parts(path) if format == "xlsx" else {}
        with told_as_facts():
            self._workbook = load_workbook(str(path))
            self.sheets = _sheets(self._workbook)
        self._passed_over: list[FileNotReadable] = []
        self._sheet, self._header = self._asked_sheet(asked) if asked.sheet else self._first_with_table(asked)
        self.header = self._header.names
        self.detected = ReadOptions(
            format=format,
            sheet=self._sheet.name,
            header_row=self._header.row,
            mend_header=asked.mend_header,
            notes=tuple(self._notes(asked, format)),
        )

    def rows(self) -> Iterator[Row]:
        self.blank_rows = 0
        first, width = self._header.first, len(self.header)
        number = 0
        for line, row in enumerate(self._sheet.rows(), 1):
            if line <= self._header.row:
                continue
            cells = row[first : first + width]
            problem = self._outside(row) if first or len(row) > width else None
            if problem is None and not has_content(cells):
                self.blank_rows += 1
                continue
            if len(cells) < width:
                cells += [None] * (width - len(cells))
            number += 1
            yield Row(number, line, cells, problem)
        if number == 0:
            raise NoRows("There are no rows below the header", line=self._header.row, sheet=self._sheet.name)

    def _outside(self, row: list[Cell]) -> str | None:
        """A value beside the named columns belongs to nobody; say so rather than lose it."""
        last = self._header.first + len(self.header)
        for column, value in enumerate(row, 1):
            if value is not None and not self._header.first < column <= last:
                return f"has a value in column {column_letters(column)}, which has no name in the header"
        return None

    def _asked_sheet(self, asked: ReadOptions) -> tuple[LoadedSheet, SheetHeader]:
        if asked.sheet not in [sheet.name for sheet in self.sheets]:
            there = ", ".join(f"“{sheet.name}”" for sheet in self.sheets)
            raise FileNotReadable(f"There is no sheet “{asked.sheet}”", advice=f"The workbook has: {there}.")
        sheet = self._load(str(asked.sheet))
        return sheet, sheet.header(asked.header_row, mend=asked.mend_header)

    def _first_with_table(self, asked: ReadOptions) -> tuple[LoadedSheet, SheetHeader]:
        """Give the first visible sheet with a usable header of two columns or more; else one with a single column."""
        narrow: tuple[LoadedSheet, SheetHeader] | None = None
        refusals: list[FileNotReadable] = []
        for name in [sheet.name for sheet in self.sheets if not sheet.hidden]:
            sheet = self._load(name)
            try:
                header = sheet.header(asked.header_row, mend=asked.mend_header)
            except FileNotReadable as refused:
                refusals.append(refused)
                continue
            if len(header.names) > 1:
                self._passed_over = self._unusable(refusals)
                return sheet, header
            narrow = narrow or (sheet, header)
        if narrow and not self._unusable(refusals):
            return narrow
        raise self._closest(refusals)

    def _unusable(self, refusals: list[FileNotReadable]) -> list[FileNotReadable]:
        return [refused for refused in refusals if not isinstance(refused, NoRows | EmptyFile)]

    def _closest(self, refusals: list[FileNotReadable]) -> FileNotReadable:
        """Of several sheets without a table, the one that came closest tells why."""
        hidden = [sheet.name for sheet in self.sheets if sheet.hidden]
        closest = sorted(refusals, key=lambda fact: isinstance(fact, NoRows) + 2 * isinstance(fact, EmptyFile))
        if not closest or isinstance(closest[0], EmptyFile):
            closest = [EmptyFile("The workbook has no visible sheet with anything in it")]
        if hidden:
            told = f"Hidden sheets are read when chosen by name: {', '.join(hidden)}."
            closest[0].advice = f"{closest[0].advice} {told}".strip()
        return closest[0]

    def _load(self, name: str) -> LoadedSheet:
        return LoadedSheet(self._workbook, name, self._look_again(name))

    def _look_again(self, name: str) -> SecondLook:
        """Find what calamine leaves out, and refuse a sheet that it would lay out beyond all memory."""
        part = self._parts.get(self._part_of.get(name, ""))
        if part is None:
            self._refuse_unseen_errors(name)
            return SecondLook()
        too_large = part.unplaced or _beyond_memory(part.rows, part.columns)
        second = look_again(self._path, part.name, sheet=name) if part.second_look or too_large else SecondLook()
        if _beyond_memory(second.rows, second.columns):
            reach = f"{column_letters(second.columns)}{second.rows}"
            raise FileNotReadable(
                f"The cells of the sheet reach to {reach}, more than the {MOST_CELLS:,} cells a sheet may span",
                sheet=name,
                advice="Delete what lies far from the table, or save the sheet as CSV.",
            )
        return second

    def _refuse_unseen_errors(self, name: str) -> None:
        """Where a sheet's part cannot be told, errors in any part might be its own."""
        if any(part.second_look for part in self._parts.values()):
            raise FileNotReadable(
                "The workbook holds formulas or errors, but it is damaged, so they cannot be told from blanks",
                sheet=name,
                advice="Open it in Excel, save it again, and send the new file.",
            )

    def _notes(self, asked: ReadOptions, format: str) -> Iterator[str]:
        visible = [sheet.name for sheet in self.sheets if not sheet.hidden]
        hidden = [sheet.name for sheet in self.sheets if sheet.hidden]
        if asked.sheet is None and len(visible) > 1:
            yield f"Sheet “{self._sheet.name}” is read, the first of {len(visible)} visible sheets that holds a table."
        for refused in self._passed_over:
            yield f"Sheet “{refused.sheet}” was passed over: {refused.message}."
        if hidden:
            yield f"Hidden sheets, not read unless chosen: {', '.join(f'“{name}”' for name in hidden)}."
        if asked.header_row is None and any(map(has_content, self._sheet.sample[: self._header.row - 1])):
            yield f"The header is in row {self._header.row}; the rows above it are passed over."
        if self._header.row and (value := like_a_value(self.header)):
            yield f"The column name “{value}” looks like a value; if there is no header, set the header row to 0."
        errors = sum(isinstance(cell, CellError) for row in self._sheet.second.cells.values() for cell in row.values())
        if errors:
            yield f"{errors:,} cells hold an error or a formula that was never calculated; they are not read as blanks."
        if format != "xlsx":
            yield f"In a .{format} file an error such as #N/A looks like a blank; if it has formulas, save it as .xlsx."


def _beyond_memory(rows: int, columns: int) -> bool:
    return rows * columns > MOST_CELLS or rows > MOST_ROWS or columns > MOST_COLUMNS


def column_letters(number: int) -> str:
    """Give A for 1, AA for 27."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _sheets(workbook: CalamineWorkbook) -> tuple[Sheet, ...]:
    sheets = tuple(
        Sheet(found.name, hidden=found.visible != SheetVisibleEnum.Visible)
        for found in workbook.sheets_metadata
        if found.typ == SheetTypeEnum.WorkSheet
    )
    if not sheets:
        raise EmptyFile(
            "The workbook has no worksheet", advice="Open it in Excel, save it as .xlsx, and send the new file."
        )
    return sheets

"""Rows into an Excel workbook, whose cells the database makes.

Each row leaves the database as the XML of its sheet, so that nothing is done for a cell in Python. The rest of the
package, a handful of small parts, is in `workbook_parts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.db import connection

from . import workbook_parts as parts
from .cells_in_sql import ROW, Cell, Kind, as_text, joined, literal, told_or_not
from .copying import copied_texts
from .packing import zipped
from .workbook import LONGEST_TEXT, MOST_COLUMNS, MOST_ROWS, WorkbookLimitReached, sheet_title

MEASURED_ROWS = 100  # rows that decide on the widths of the columns
_TOO_LONG = 0x21  # "!": how a row begins that no sheet can hold; every other one begins with "<"
_MOST_DIGITS = 15  # Excel keeps no more; longer numbers are written as text
# What XML cannot hold as it is, and what Excel would take for such a character written out.
_UNSAFE = r"[\u0001-\u0008\u000b-\u001f&<>\ufffe\uffff]|_x[0-9A-Fa-f]{4}_"
_CONTROLS = [*range(1, 9), *range(11, 32), 0xFFFE, 0xFFFF]


@dataclass(frozen=True)
class Look:
    """How a workbook is to look beside its rows."""

    title: str
    zone: str
    rows_of_sheet: int = MOST_ROWS
    protected: bool = False
    """Whether the locked columns are kept from being changed by mistake."""


class WorkbookCopy:
    """Writes an .xlsx of the rows of a query named ROW, as `WorkbookWriter` does; `rows` counts them."""

    def __init__(self, cells: Sequence[Cell], look: Look) -> None:
        if len(cells) > MOST_COLUMNS:
            raise WorkbookLimitReached(
                f"A workbook holds {MOST_COLUMNS:,} columns, not {len(cells):,}. Choose fewer, or export as CSV."
            )
        self.cells, self.look = cells, look
        self.rows = 0
        self._sheets: list[parts.Sheet] = []

    def write(self, path: Path, query: str, parameters: Sequence[Any]) -> Iterator[int]:
        """Write the file; yields after every batch. Raises WorkbookLimitReached over a text that no cell can hold."""
        widths = self._widths(query, parameters)
        batches = copied_texts(self._statement(query), parameters)
        with zipped(path) as package:
            left: list[Any] = []
            while True:
                last = 1
                with package.open(f"xl/worksheets/sheet{len(self._sheets) + 1}.xml", "w", force_zip64=True) as sheet:
                    sheet.write(parts.sheet_head(self.cells, widths, self.look.protected))
                    for last in self._rows_of_sheet(sheet, left, batches):  # noqa: B007
                        yield self.rows
                    sheet.write(parts.sheet_tail(self.cells, last, self.look.protected))
                number = len(self._sheets) + 1
                name = sheet_title(self.look.title)
                self._sheets.append(parts.Sheet(name if number == 1 else f"{name} ({number})", last))
                if not left:
                    break
            parts.write_rest(package, self._sheets, self.cells)

    def _rows_of_sheet(self, sheet: IO[bytes], left: list[Any], batches: Iterator[list[Any]]) -> Iterator[int]:
        """Write rows until the sheet is full or there are no more; gives the number of its last line. What is left of
        a batch stays in `left`."""
        room = self.look.rows_of_sheet
        while room:
            batch = left or next(batches, [])
            now, rest = batch[:room], batch[room:]
            left[:] = rest
            for row in now:
                if row[0] == _TOO_LONG:
                    self._refuse(bytes(row).decode(), self.rows + now.index(row) + 1)
            sheet.write(b"".join(now))
            self.rows += len(now)
            room -= len(now)
            yield self.look.rows_of_sheet - room + 1
            if not now:
                break
        if not left and not room:
            left[:] = next(batches, [])

    def _refuse(self, marked: str, row: int) -> None:
        column, _, length = marked[1:].partition(":")
        raise WorkbookLimitReached(
            f"Row {row:,}, column “{self.cells[int(column)].header}”: the text has {int(length):,} characters, "
            f"and a cell holds {LONGEST_TEXT:,}. Leave the column out, or export as CSV."
        )

    def _statement(self, query: str) -> str:
        line = f"((row_number() OVER () - 1) %% {self.look.rows_of_sheet} + 2)::text"
        texts = [as_text(cell) for cell in self.cells if cell.kind in (Kind.TEXT, Kind.OTHER, Kind.JSON)]
        unsafe = f"{joined(texts)} ~ {literal(_UNSAFE)}" if texts else "false"
        rows = f"SELECT {ROW}.*, {line} AS line, {unsafe} AS unsafe FROM ({query}) {ROW}"
        plain, careful = (self._row(careful) for careful in (False, True))
        made = f"CASE WHEN {ROW}.unsafe THEN {careful} ELSE {plain} END" if texts else plain
        refused = "".join(
            f"WHEN length({as_text(cell)}) > {LONGEST_TEXT} THEN '!{n}:' || length({as_text(cell)}) "
            for n, cell in enumerate(self.cells)
            if cell.kind in (Kind.TEXT, Kind.OTHER, Kind.JSON) and (cell.longest or LONGEST_TEXT + 1) > LONGEST_TEXT
        )
        return f"SELECT {f'CASE {refused}ELSE {made} END' if refused else made} FROM ({rows}) {ROW}"

    def _row(self, careful: bool) -> str:
        cells = [
            self._cell(cell, parts.column_letters(number), careful) for number, cell in enumerate(self.cells, start=1)
        ]
        return joined(["'<row r=\"'", f"{ROW}.line", "'\">'", *cells, "'</row>'"])

    def _cell(self, cell: Cell, letters: str, careful: bool) -> str:
        def text(value: str) -> str:
            safe = _escaped(value) if careful else value
            style = parts.style_of(cell, self.look.protected)
            opening = f'<c r="{letters}', f'" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
            return (
                f"CASE WHEN {value} <> '' THEN concat({literal(opening[0])}, {ROW}.line, {literal(opening[1])}, "
                f"{safe}, '</t></is></c>') END"
            )

        def number(value: str, type_: str = "") -> str:
            style = parts.style_of(cell, self.look.protected)
            opening = f'<c r="{letters}', f'" s="{style}"{type_}><v>'
            return f"concat({literal(opening[0])}, {ROW}.line, {literal(opening[1])}, {value}, '</v></c>')"

        shown = _typed(cell, self.look.zone, text, number)
        return told_or_not(cell, shown, text(literal(cell.stand_in)))

    def _widths(self, query: str, parameters: Sequence[Any]) -> list[int]:
        """The most characters that a column shows in the first rows."""
        lengths = ", ".join(
            f"max(length({as_text(cell)}))" if cell.kind is not Kind.INSTANT else "19" for cell in self.cells
        )
        with connection.cursor() as cursor:
            # The ORM's statement ends with its order, so that a limit may follow.
            cursor.execute(f"SELECT {lengths} FROM ({query} LIMIT {MEASURED_ROWS}) {ROW}", parameters)
            return [length or 0 for length in cursor.fetchone()]


def _typed(cell: Cell, zone: str, text: Any, number: Any) -> str:
    """SQL of the XML of a cell, or of NULL for a blank one."""
    value = cell.sql
    there = f"{value} IS NOT NULL"
    match cell.kind:
        case Kind.INTEGER:
            made = number(value)
            if cell.digits is None or cell.digits > _MOST_DIGITS:
                made = f"CASE WHEN abs({value}::numeric) < 1e15 THEN {made} ELSE {text(f'{value}::text')} END"
        case Kind.DECIMAL:
            made = number(value)
            if cell.digits is None or cell.digits > _MOST_DIGITS:
                digits = f"rtrim(ltrim(replace(abs({value})::text, '.', ''), '0'), '0')"
                fits = f"length({digits}) <= {_MOST_DIGITS} AND abs({value}) < 1e300"
                made = f"CASE WHEN {fits} THEN {made} ELSE {text(f'{value}::text')} END"
        case Kind.FLOAT:
            fits = f"{value} NOT IN ('NaN', 'Infinity', '-Infinity')"
            if cell.comes_back:
                fits += f" AND {value}::numeric::float8 = {value}"  # a numeric is made of 15 digits
            made = f"CASE WHEN {fits} THEN {number(value)} ELSE {text(f'{value}::text')} END"
        case Kind.BOOLEAN:
            made = number(f"{value}::int", ' t="b"')
        case Kind.DATE:
            # Before it Excel counts a 29th of February 1900 that never was.
            serial = number(f"{value} - DATE '1899-12-30'")
            made = f"CASE WHEN {value} >= DATE '1900-03-01' THEN {serial} ELSE {text(f'{value}::text')} END"
        case Kind.INSTANT:
            made = _instant(cell, zone, text, number)
        case _:
            return text(as_text(cell))
    return f"CASE WHEN {there} THEN {made} END"


def _instant(cell: Cell, zone: str, text: Any, number: Any) -> str:
    """Wall-clock time, for Excel knows no zones. What that would lose of a value that may come back is written as text:
    the hour that is there twice when summer time ends, what is finer than the thousandth of a second that Excel keeps, and
    the years before 1970, for which copies of the time zone database differ (https://data.iana.org/time-zones/theory.html,
    "Scope"): the one that reads it back need not be the one that wrote it.
    """
    value = cell.sql
    local = f"({value} AT TIME ZONE {literal(zone)})"
    fits = f"{local} >= TIMESTAMP '1900-03-01' AND {local} < TIMESTAMP '9999-12-31'"
    if cell.comes_back:
        # Of an hour that is there twice, the database takes the second one to be meant, and others the first.
        fits += f" AND {local} AT TIME ZONE {literal(zone)} = {value}"
        for step in ("30 minutes", "1 hour"):
            fits += f" AND ({value} - INTERVAL '{step}') AT TIME ZONE {literal(zone)} <> {local}"
        fits += f" AND {value} >= TIMESTAMPTZ '1970-01-01 00:00+00'"
        fits += f" AND date_trunc('milliseconds', {value}) = {value}"
    serial = number(f"date_part('epoch', {local}) / 86400 + 25569")
    return f"CASE WHEN {fits} THEN {serial} ELSE {text(as_text(cell))} END"


def _escaped(text: str) -> str:
    """SQL of a text as XML holds it. A character that XML knows not is written as Excel does, _x0007_, and what only
    looks like that as _x005F_x0007_."""
    escaped = f"regexp_replace({text}, {literal('_(x[0-9A-Fa-f]{4}_)')}, {literal('_x005F_' + chr(92) + '1')}, 'g')"
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        escaped = f"replace({escaped}, '{sign}', '{entity}')"
    controls = "".join(f"\\u{each:04x}" for each in _CONTROLS)
    pieces = escaped
    for each in _CONTROLS:
        pieces = f"replace({pieces}, U&'\\{each:04x}', '_x{each:04X}_')"
    return f"CASE WHEN {text} ~ {literal(f'[{controls}]')} THEN {pieces} ELSE {escaped} END"

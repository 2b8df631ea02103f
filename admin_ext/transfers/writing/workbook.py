"""Rows into an Excel workbook."""

import os
import re
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from math import isfinite
from types import TracebackType
from typing import Any, Self

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from .landing import Landing

MOST_ROWS = 1_048_575  # data rows of a sheet, below the header
MOST_COLUMNS = 16_384
LONGEST_TEXT = 32_767  # characters in a cell
COLUMN_KINDS = ("text", "number", "date", "datetime", "bool")

_MOST_DIGITS = 15  # Excel keeps no more; longer numbers are written as text
_LARGEST_POWER = 300  # of ten; a float ends soon after
_FIRST_DAY = date(1900, 3, 1)  # before it Excel counts a 29th of February 1900 that never was
_MEASURED_ROWS = 100  # rows that decide on the widths of the columns
_NARROWEST, _WIDEST = 8, 60  # characters
_NOT_IN_A_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")


class WorkbookLimitReached(Exception):
    """The data does not fit into a workbook. `str()` says what, where, and what to do instead."""


class WorkbookWriter:
    """Streams rows into an .xlsx file: header first, `rows` counts the data rows, `sha256` is known after `close()`.

    Cells keep their types: numbers, dates, booleans and text; text is never taken for a formula, a link or a number.
    Whole numbers and decimals of more than 15 digits are written as text, for Excel would round them.
    An instant with a zone is written as wall-clock time in `zone` (required then), for Excel knows no zones.
    None and "" are both blank. When a sheet is full, the rows go on in the next: "Name (2)".

    `column_kinds` says per column what it holds, one of COLUMN_KINDS or None for "as the values are". A "text" column
    writes every value as text; "text", "date" and "datetime" also format the column for what people type below.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        header: Sequence[str],
        *,
        sheet_name: str = "Sheet1",
        column_kinds: Sequence[str | None] | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        if len(header) > MOST_COLUMNS:
            raise WorkbookLimitReached(
                f"A workbook holds {MOST_COLUMNS:,} columns, not {len(header):,}. Choose fewer, or export as CSV."
            )
        self.rows = 0
        self._header = list(header)
        self._kinds = list(column_kinds or [None] * len(header))
        if unknown := set(self._kinds) - {None, *COLUMN_KINDS}:
            raise ValueError(f"Unknown kinds of columns: {unknown}")
        self._zone = zone
        self._sheet_name = sheet_title(sheet_name)
        self._landing = Landing(path)
        self._book = xlsxwriter.Workbook(
            str(self._landing.part),
            {
                "constant_memory": True,
                "tmpdir": str(self._landing.path.parent),
                "strings_to_formulas": False,
                "strings_to_urls": False,
            },
        )
        self._formats = {
            "header": self._book.add_format({"bold": True, "bg_color": "#E5E7EB", "bottom": 1}),
            "text": self._book.add_format({"num_format": "@"}),
            "date": self._book.add_format({"num_format": "yyyy-mm-dd"}),
            "datetime": self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        self._book.use_zip64()
        self._sheets = 0
        self._closed = False
        self._begin_sheet()

    def write(self, row: Sequence[Any]) -> None:
        """Write one data row. Raises WorkbookLimitReached over a text that no cell can hold."""
        if self._line == MOST_ROWS:
            self._finish_sheet()
            self._begin_sheet()
        self._line += 1
        self.rows += 1
        for column, value in enumerate(row):
            if value is not None and value != "":
                self._write_cell(column, value)

    def close(self) -> None:
        """Complete the file. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            with self._landing.or_nothing():
                self._finish_sheet()
                self._book.close()
                self._landing.settle()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file in hexadecimal. Raises NotLanded before `close()`."""
        return self._landing.sha256

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._closed = True
        self._book.close()  # the only way to make XlsxWriter remove its own temporary files
        self._landing.give_up()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        name = self._sheet_name if self._sheets == 1 else f"{self._sheet_name} ({self._sheets})"
        self._sheet: Worksheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        self._widths = [len(name) + 3 for name in self._header]  # room for the arrow of the filter
        self._line = 0
        for column, heading in enumerate(self._header):
            self._sheet.write_string(0, column, heading, self._formats["header"])

    def _finish_sheet(self) -> None:
        if not self._header:
            return
        self._sheet.autofilter(0, 0, self._line, len(self._header) - 1)
        for column, width in enumerate(self._widths):
            style = self._formats.get(self._kinds[column] or "")
            self._sheet.set_column(column, column, max(_NARROWEST, min(width, _WIDEST)), style)

    def _write_cell(self, column: int, value: Any) -> None:
        if isinstance(value, str) or self._kinds[column] == "text":
            self._write_text(column, str(value) if isinstance(value, str) else _plain(value))
        elif isinstance(value, bool):
            self._sheet.write_boolean(self._line, column, value)
        elif isinstance(value, int | float | Decimal):
            self._write_number(column, value)
        elif isinstance(value, datetime):
            self._write_instant(column, value)
        elif isinstance(value, date):
            self._write_day(column, value)
        else:
            self._write_text(column, _plain(value))

    def _write_text(self, column: int, text: str, style: Format | None = None) -> None:
        if len(text) > LONGEST_TEXT:
            raise WorkbookLimitReached(
                f"Row {self.rows:,}, column “{self._header[column]}”: the text has {len(text):,} characters, "
                f"and a cell holds {LONGEST_TEXT:,}. Leave the column out, or export as CSV."
            )
        if self._kinds[column] == "text":
            style = self._formats["text"]
        self._sheet.write_string(self._line, column, text, style)
        self._measure(column, len(text))

    def _write_number(self, column: int, value: int | float | Decimal) -> None:
        if _fits_a_float(value):
            self._sheet.write_number(self._line, column, float(value))
            self._measure(column, len(str(value)))
        else:
            self._write_text(column, _plain(value))

    def _write_instant(self, column: int, value: datetime) -> None:
        if value.tzinfo is not None:
            if self._zone is None:
                raise WorkbookLimitReached(
                    f"Row {self.rows:,}, column “{self._header[column]}”: a workbook knows no time zones, "
                    "so the zone to write times in must be given."
                )
            value = value.astimezone(self._zone).replace(tzinfo=None)
        if value.date() < _FIRST_DAY:
            self._write_text(column, value.isoformat(sep=" "))
            return
        self._sheet.write_datetime(self._line, column, value, self._formats["datetime"])
        self._measure(column, 19)

    def _write_day(self, column: int, value: date) -> None:
        if value < _FIRST_DAY:
            self._write_text(column, value.isoformat())
            return
        self._sheet.write_datetime(self._line, column, value, self._formats["date"])
        self._measure(column, 10)

    def _measure(self, column: int, length: int) -> None:
        if self._line <= _MEASURED_ROWS and length + 2 > self._widths[column]:
            self._widths[column] = length + 2


def sheet_title(name: str) -> str:
    """A name as a sheet may bear it, with room for a number behind it."""
    return _NOT_IN_A_SHEET_NAME.sub(" ", name).strip(" '")[:24] or "Sheet1"


def _fits_a_float(value: int | float | Decimal) -> bool:
    """Excel keeps 15 digits; not-a-number and the infinities it does not keep at all."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, int):
        return abs(value) < 10**_MOST_DIGITS
    if not value.is_finite():
        return False
    return len(value.normalize().as_tuple().digits) <= _MOST_DIGITS and value.adjusted() < _LARGEST_POWER


def _plain(value: Any) -> str:
    """Numbers in full, dates in ISO 8601, anything else as `str` gives it."""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)

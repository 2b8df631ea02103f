"""The words of reading: a table, its rows, and the facts that stop it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from .options import ReadOptions


@dataclass(frozen=True)
class CellError:
    """A cell that holds no value: an error such as `#N/A`, or a formula nobody has calculated.

    It is never the same as a blank cell. `text` says what stands there.
    """

    text: str

    def __str__(self) -> str:
        return self.text


Cell = str | int | Decimal | bool | datetime | date | time | timedelta | CellError | None


class Row(NamedTuple):
    """One data row. A row with a `problem` keeps its cells as they stand, so it can go back to its sender."""

    number: int  # 1-based, counting data rows only
    line: int  # line of the text file on which the record starts, or row number in the sheet
    cells: Sequence[Cell]  # a list, as wide as the header unless there is a problem
    problem: str | None = None  # what is wrong with the shape of the row, and what to do


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook."""

    name: str
    hidden: bool = False


class FileNotReadable(Exception):
    """The file cannot be read as a table. `str()` tells a person what happened, where, and what to do."""

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        sheet: str | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.sheet = sheet
        self.advice = advice

    def __str__(self) -> str:
        unit = "row" if self.sheet else "line"
        places = [
            f"sheet “{self.sheet}”" if self.sheet else "",
            f"{unit} {self.line}" if self.line else "",
            f"column {self.column}" if self.column else "",
        ]
        where = ", ".join(place for place in places if place)
        return f"{self.message}{f' ({where})' if where else ''}. {self.advice}".rstrip()


class EmptyFile(FileNotReadable):
    """There is nothing in the file."""


class NoRows(FileNotReadable):
    """There is a header but no row below it."""


class Table(ABC):
    """A header and the rows below it, read from a file as they are asked for.

    `rows()` may be called again; each call starts at the first row. `blank_rows` is complete
    when the last call has been read to its end: rows read + blank rows = rows in the file.
    """

    detected: ReadOptions
    header: list[str]
    sheets: tuple[Sheet, ...] = ()
    blank_rows: int = 0

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield the data rows in order. Raises FileNotReadable where the file breaks off, NoRows when none came."""

"""Records of a delimited text, each with the line it starts on; a broken quote costs one record, never the next."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from .header import MOST_COLUMNS
from .table import FileNotReadable

LONGEST_CELL = 1_000_000  # characters
MOST_DELIMITERS = LONGEST_CELL + MOST_COLUMNS  # in a line: the widest table, with a value of nothing but delimiters
HEAVIEST_RECORD = 64 << 20  # characters of one record that runs over lines, and so much more for each line:
_WEIGHT_OF_A_LINE = 64
_MOST_REREAD = 256 << 20  # characters read twice because of broken quotes, over a whole file

Record = tuple[int, list[str], str | None]  # line, cells, problem


@dataclass(frozen=True)
class Dialect:
    """How values are written next to each other."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    skip_initial_space: bool = False

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Give a strict csv reader: it stops at a quote out of place instead of guessing."""
        csv.field_size_limit(LONGEST_CELL)  # a setting of the whole process, so it is said at each use
        options: dict[str, Any] = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        if self.escape:
            options |= {"escapechar": self.escape, "doublequote": False}
        return csv.reader(
            lines, delimiter=self.delimiter, skipinitialspace=self.skip_initial_space, strict=True, **options
        )


def records(lines: Iterable[str], dialect: Dialect, *, first_line: int = 1) -> Iterator[Record]:
    """Yield (line, cells, problem) for each record, blank lines included (as no cells).

    A quote out of place makes a record of the lines up to the one where the quote opened, with a
    problem, and reading goes on with the line after. Raises FileNotReadable when quotes are broken so
    often that most of the file would be read over and over.
    """
    source = iter(lines)
    held: deque[str] = deque()  # lines of the record being read
    again: deque[str] = deque()  # lines to be read once more, before those of the source

    def feed() -> Iterator[str]:
        weight = 0
        for line in chain(_drained(again), source):
            if held or len(line) > LONGEST_CELL:  # most lines are records of their own, and short
                weight = len(line) + _WEIGHT_OF_A_LINE + (weight if len(held) > 1 else 0)
                if weight > HEAVIEST_RECORD:
                    raise _endless(first_line=number, lines=len(held))
                if (delimiters := line.count(dialect.delimiter)) > MOST_DELIMITERS:
                    raise _too_wide(delimiters + 1, number)
            held.append(line)
            yield line

    number, reread = first_line, 0
    while True:
        try:
            for cells in dialect.reader(feed()):
                yield number, cells, None
                number += len(held)
                held.clear()
            return
        except csv.Error as broken:
            opened = _where_quote_opens(held, dialect)
            yield number, _as_it_stands(held, opened, dialect), _told(broken, number + opened, len(held) - opened)
            rest = list(held)[opened + 1 :]
            number += opened + 1
            held.clear()
            again.extendleft(reversed(rest))
            reread += sum(map(len, rest))
            if reread > _MOST_REREAD:
                raise FileNotReadable(
                    "Too many quotes in the file are opened and never closed",
                    line=number,
                    advice="Choose another quote character, or none.",
                ) from broken


def _drained(lines: deque[str]) -> Iterator[str]:
    while lines:
        yield lines.popleft()


def _too_wide(values: int, line: int) -> FileNotReadable:
    return FileNotReadable(
        f"A line has {values:,} values, more than the {MOST_COLUMNS:,} columns a table may have",
        line=line,
        advice="Check the delimiter, or split the file.",
    )


def _endless(*, first_line: int, lines: int) -> FileNotReadable:
    return FileNotReadable(
        f"A row of the file runs over more than {lines:,} lines",
        line=first_line,
        advice="Look for a quote that is not closed, or choose another quote character, or none.",
    )


def _told(broken: csv.Error, line: int, spans: int) -> str:
    """Say what broke the record: `line` is where the quote opened, `spans` how many lines it ran over."""
    if "field larger" in str(broken):
        if spans == 1:
            return f"a value is longer than {LONGEST_CELL:,} characters: shorten it"
        return f"the quote opened on line {line} is not closed within {LONGEST_CELL:,} characters: close it"
    if spans > 1 or "unexpected end" in str(broken):
        return f"the quote opened on line {line} is never closed: close it, or remove it"
    return f"a quote stands inside a quoted value on line {line}: write it twice, or remove it"


def _where_quote_opens(held: deque[str], dialect: Dialect) -> int:
    """Give the index of the held line on which the quote opened that the reader stumbled over."""
    opened = 0
    inside = closed = escaped = False
    fresh = True  # at the start of a value, the only place where a quote opens
    for index, line in enumerate(held):
        for character in line:
            if escaped:
                escaped = False
            elif character == dialect.escape:
                escaped = True
            elif character == dialect.quote and (inside or closed or fresh):
                if fresh:
                    opened = index
                inside, closed, fresh = not inside, inside, False  # closed and opened again is a doubled quote
            elif closed and character not in (dialect.delimiter, "\r", "\n"):
                return opened
            elif not inside:
                closed = False
                fresh = character == dialect.delimiter or (fresh and dialect.skip_initial_space and character == " ")
    return opened


def _as_it_stands(held: deque[str], opened: int, dialect: Dialect) -> list[str]:
    """Give the broken record split at every delimiter, as quotes can no longer be trusted."""
    text = "".join(list(held)[: opened + 1]).rstrip("\r\n")
    return text.split(dialect.delimiter)

"""Tables in text files: one row at a time, in constant memory, with the line each row starts on."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import IO

from .content import refuse_other_text
from .dialect import Sample, find_dialect, separator_line, spoken
from .encoding import find_encoding, not_decodable
from .header import column_names, find_header, like_a_value
from .options import ReadOptions
from .records import Dialect, records
from .table import EmptyFile, FileNotReadable, NoRows, Row, Table

MOST_BLANK_ROWS = 5_000_000
_MOST_BLANK_AT_START = 100_000
_SAMPLE_LINES = 1_000
_SAMPLE_CHARACTERS = 1 << 18
_UNDECODED = re.compile("[\udc80-\udcff]")  # what Python makes of bytes that are no text ("surrogateescape")


class DelimitedTable(Table):
    """A CSV, TSV or other delimited text file. Cells are str, exactly as written."""

    def __init__(self, path: Path, asked: ReadOptions) -> None:
        self._path = path
        self._encoding = find_encoding(path, asked.encoding)
        sample = self._sample(asked.header_row)
        refuse_other_text("".join(sample.lines[:5])[:2000])
        first = asked.header_row or 1
        announced = separator_line(sample.lines[0]) if first == 1 else None
        skip = first - 1 + (announced is not None)
        asked = replace(asked, delimiter=asked.delimiter or announced)
        self._dialect = find_dialect(sample, asked, skip=skip)
        self._take_header(sample, asked, skip)
        self.detected = self._told(asked, announced)

    def rows(self) -> Iterator[Row]:
        self.blank_rows = 0
        with self._open() as text:
            found = records(islice(text, self._skip, None), self._dialect, first_line=self._skip + 1)
            if self._has_header:
                next(found, None)
            line = self._skip + 1
            number, named, width = 0, len(self.header), self._width
            damaged = self._encoding.damaged
            try:
                for line, cells, problem in found:
                    if problem is None:
                        if not any(cells):
                            self.blank_rows += 1
                            if self.blank_rows > MOST_BLANK_ROWS:
                                raise _nothing_but_blanks(line, most=MOST_BLANK_ROWS)
                            continue
                        if len(cells) != width or any(cells[named:]):
                            problem = self._shape_problem(cells)
                        elif width != named:
                            cells = cells[:named]
                    if damaged:
                        problem = self._undecoded(cells) or problem
                    number += 1
                    yield Row(number, line, cells, problem)
            except UnicodeError as bad:
                raise not_decodable(self._encoding.name, line) from bad
        if number == 0:
            raise NoRows("There are no rows below the header", line=self._skip + 1, advice="Nothing was read.")

    def _open(self) -> IO[str]:
        return self._path.open(encoding=self._encoding.name, errors=self._encoding.errors, newline="")

    def _sample(self, header_row: int | None) -> Sample:
        """Give the first lines; lines above a header the person has pointed at are kept, so that numbers stay right."""
        with self._open() as text:
            try:
                above = list(islice(text, max((header_row or 1) - 1, 0)))
                if header_row and len(above) < header_row - 1:
                    raise FileNotReadable(
                        f"The file has only {len(above):,} lines, so line {header_row:,} cannot hold the column names"
                    )
                lines, room, filled = [], _SAMPLE_CHARACTERS, False
                for line in text:
                    lines.append(line)
                    room -= len(line)
                    filled = filled or bool(line.strip())
                    if (len(lines) >= _SAMPLE_LINES and filled) or (room < 0 and lines[1:]):
                        break
                    if len(lines) > _MOST_BLANK_AT_START and not filled:
                        raise _nothing_but_blanks(len(lines), most=_MOST_BLANK_AT_START)
                whole = not text.read(1)
            except UnicodeError as bad:
                raise not_decodable(self._encoding.name, 1) from bad
        if not any(map(str.strip, chain(above, lines))):
            raise EmptyFile(
                "The file is empty: it holds nothing but blank lines", advice="Ask the sender for the data."
            )
        return Sample(above + lines, whole)

    def _take_header(self, sample: Sample, asked: ReadOptions, skip: int) -> None:
        """Set where the header is, what it says, and how wide a row must be."""
        found = sample.records(self._dialect, skip=skip)
        self._has_header = asked.header_row != 0
        self._passed_over: list[int] = []
        if not self._has_header:
            self._skip = skip
            self._width = Counter(len(cells) for _, cells, _ in found if any(cells)).most_common(1)[0][0]
            self.header = [f"Column {number}" for number in range(1, self._width + 1)]
            return
        index = 0 if asked.header_row else find_header([cells for _, cells, _ in found])
        line, cells, problem = found[index] if found else (skip + 1, [], None)
        if problem:
            raise FileNotReadable(f"The header cannot be read: {problem}", line=line)
        self._passed_over = [line for line, cells, _ in found[:index] if any(cells)]
        self._skip = line - 1
        self.header = column_names(cells, line=line, mend=asked.mend_header)
        self._width = len(cells)
        below = [cells for _, cells, _ in found[index + 1 :] if any(cells)]
        if sample.whole and not below:
            raise NoRows("There are no rows below the header", line=line, advice="Ask the sender for the data.")
        self._allow_a_closing_delimiter(below)

    def _allow_a_closing_delimiter(self, below: Sequence[list[str]]) -> None:
        """Some programs end every row with a delimiter, but not the header; some end only the header so.

        Only when all rows of the sample agree is it taken for layout: a single row with one more,
        blank, column is a shifted row whose last value was empty.
        """
        widths = {len(cells) for cells in below}
        closed = widths == {self._width + 1} and not any(cells[-1] for cells in below)
        if closed or widths == {len(self.header)}:
            self._width = widths.pop()

    def _shape_problem(self, cells: list[str]) -> str:
        has, wants, named = len(cells), self._width, len(self.header)
        if has == wants:
            column = next(number for number, cell in enumerate(cells[named:], named + 1) if cell)
            return f"has a value in column {column}, which has no name in the header"
        values = "value" if has == 1 else "values"
        problem = f"has {has} {values} where the header has {wants}: "
        one = {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(self._dialect.delimiter, "a delimiter")
        if has > wants:
            return problem + f"{one} inside an unquoted value shifts the columns; put quotes around it"
        if any("\n" in cell or "\r" in cell for cell in cells):
            return problem + "a value runs over several lines; look for a quote that is not closed"
        return problem + f"a value or {one} is missing"

    def _undecoded(self, cells: list[str]) -> str | None:
        """Name the first byte that is no text; in the cells, such bytes become U+FFFD, so that they can be stored."""
        problem = None
        for number, cell in enumerate(cells, 1):
            if not cell.isascii() and (bad := _UNDECODED.search(cell)):
                byte = ord(bad[0]) - 0xDC00
                cells[number - 1] = _UNDECODED.sub("\ufffd", cell)
                place = f"the byte 0x{byte:02X} in column {number}"
                problem = problem or f"{place} is not {self._encoding.name} text: correct the value"
        return problem

    def _told(self, asked: ReadOptions, announced: str | None) -> ReadOptions:
        """Tell what was really used, so that the same words read the same table again."""
        dialect = self._dialect
        return ReadOptions(
            format="csv",
            encoding=self._encoding.name,
            delimiter=dialect.delimiter,
            quote=dialect.quote,
            escape=dialect.escape,
            skip_initial_space=dialect.skip_initial_space,
            header_row=self._skip + 1 if self._has_header else 0,
            mend_header=asked.mend_header,
            notes=(*self._encoding.notes, *self._notes(asked, dialect, announced)),
        )

    def _notes(self, asked: ReadOptions, dialect: Dialect, announced: str | None) -> Iterator[str]:
        if announced:
            yield f"The first line says that values are separated by {spoken(announced)}."
        elif not asked.delimiter and len(self.header) > 1:
            yield f"Values are separated by {spoken(dialect.delimiter)}."
        elif len(self.header) == 1:
            yield "Only one column was found; if there are more, choose the delimiter."
        if dialect.quote == "'":
            yield "Values are wrapped in single quotes."
        if dialect.escape:
            yield "A backslash before a quote makes it part of the value."
        if dialect.skip_initial_space:
            yield "Blanks after a delimiter are left out."
        if self._passed_over:
            passed = ", ".join(map(str, self._passed_over))
            yield f"The header is on line {self._skip + 1}; passed over above it: line {passed}."
        if self._has_header and (value := like_a_value(self.header)):
            yield f"The column name “{value}” looks like a value; if the file has no header, set the header row to 0."
        if self._has_header and self._width > len(self.header):
            yield f"Columns after “{self.header[-1]}” have no name and must stay empty."


def _nothing_but_blanks(line: int, *, most: int) -> FileNotReadable:
    return FileNotReadable(
        f"The file has more than {most:,} blank lines",
        line=line,
        advice="Delete the blank lines, or export the file again.",
    )

"""Rows into delimited text or lines of JSON, made by the database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from .cells_in_sql import ROW, Cell, Kind, as_text, joined, literal, neutralised, told_or_not
from .copying import copied_lines, copied_texts
from .delimited import Dialect
from .neutralising import neutralise


class DelimitedCopy:
    """Bytes of a delimited file as `CsvWriter` writes it, of the rows of a query named ROW; `rows` counts them.

    Unlike it, "" is written as two quotes, so that whoever looks can tell it from NULL.
    """

    def __init__(self, cells: Sequence[Cell], dialect: Dialect) -> None:
        self.cells, self.dialect = cells, dialect
        self.rows = 0

    def blocks(self, query: str, parameters: Sequence[Any]) -> Iterator[bytes]:
        """The file, a batch of rows at a time."""
        header = io.StringIO()
        line = csv.writer(header, delimiter=self.dialect.delimiter, lineterminator="\r\n")
        line.writerow([neutralise(cell.header) for cell in self.cells])
        yield header.getvalue().encode(self.dialect.encoding)
        columns = ", ".join(map(_column, self.cells))
        options = f"FORMAT csv, DELIMITER {literal(self.dialect.delimiter)}"
        for lines in copied_lines(f"SELECT {columns} FROM ({query}) {ROW}", parameters, options):
            self.rows += len(lines)
            # The database ends a line as Unix does.
            yield b"".join([b"\r\n".join([line[:-1] for line in lines]), b"\r\n"])


class JsonLinesCopy:
    """Bytes of a file of JSON objects, one a line, of the rows of a query named ROW; `rows` counts them."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.rows = 0

    def blocks(self, query: str, parameters: Sequence[Any]) -> Iterator[bytes]:
        """The file, a batch of rows at a time."""
        pairs = [part for cell in self.cells for part in (literal(f",{json.dumps(cell.header)}:"), _json(cell))]
        pairs[0] = literal("{" + f"{json.dumps(self.cells[0].header)}:")
        line = joined([*pairs, "'}'"])
        for lines in copied_texts(f"SELECT {line} FROM ({query}) {ROW}", parameters):
            self.rows += len(lines)
            yield b"".join([b"\n".join(lines), b"\n"])


def _column(cell: Cell) -> str:
    if cell.kind in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.DATE) and not cell.told:
        return cell.sql  # what the database writes by itself is the same, and costs less
    text = as_text(cell)
    can_run = cell.kind in (Kind.TEXT, Kind.OTHER, Kind.JSON)
    return told_or_not(cell, neutralised(text) if can_run else text, literal(neutralise(cell.stand_in)))


def _json(cell: Cell) -> str:
    value = as_text(cell) if cell.kind is Kind.OTHER else cell.sql
    shown = f"coalesce(to_json({value})::text, 'null')"
    return told_or_not(cell, shown, literal(json.dumps(cell.stand_in)))

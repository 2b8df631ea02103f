"""The formats of files that exports are written in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from admin_ext.transfers.export_columns import Query
from admin_ext.transfers.writing import EXCEL, RFC4180, TSV, Dialect
from admin_ext.transfers.writing.delimited_by_copy import DelimitedCopy, JsonLinesCopy
from admin_ext.transfers.writing.landing import Landing
from admin_ext.transfers.writing.packing import opened
from admin_ext.transfers.writing.workbook_by_copy import Look, WorkbookCopy


@dataclass(frozen=True)
class Format:
    """A format by its stored name."""

    name: str
    label: str
    suffix: str
    dialect: Dialect | None = None
    protected: bool = False
    """Whether what an import would not take is kept from being changed by mistake."""

    @property
    def is_workbook(self) -> bool:
        return self.suffix == "xlsx"


FORMATS = {
    each.name: each
    for each in (
        Format("csv", "CSV, with commas", "csv", RFC4180),
        Format("csv-excel", "CSV for Excel, with semicolons", "csv", EXCEL),
        Format("tsv", "TSV, with tabs", "tsv", TSV),
        Format("xlsx", "Excel workbook", "xlsx"),
        Format("xlsx-edit", "Excel workbook to edit and import again", "xlsx", protected=True),
        Format("ndjson", "NDJSON, a JSON object a line", "ndjson"),
    )
}
PACKINGS = {"": "Not packed", "gz": "gzip", "zip": "ZIP"}


class FormatNotKnown(Exception):
    """An export asks for a format, or a packing, that there is none of."""


def check_format(format: str, packing: str = "") -> None:
    """Raises FormatNotKnown."""
    if format not in FORMATS:
        raise FormatNotKnown(f"There is no format {format}. There are: {', '.join(FORMATS)}.")
    if packing not in PACKINGS:
        raise FormatNotKnown(f"There is no packing {packing}. There are: {', '.join(filter(None, PACKINGS))}.")
    if packing and FORMATS[format].is_workbook:
        raise FormatNotKnown("A workbook is packed by itself. Choose another format, or no packing.")


def suffix_of(format: str, packing: str = "") -> str:
    """What a file's name ends with, without the dot in front."""
    suffix = FORMATS[format].suffix
    return f"{suffix}.{packing}" if packing == "gz" else packing or suffix


class QueryWriter:
    """Writes the rows of a query to a file; `rows` counts them, `sha256` is known after all of `batches()`."""

    def __init__(self, path: Path, query: Query, *, format: str, packing: str = "", name: str, look: Look) -> None:
        self.path, self.query = path, query
        self.look = dataclasses.replace(look, protected=FORMATS[format].protected)
        self.format, self.packing, self.name = FORMATS[format], packing, name
        self.rows = 0
        self.sha256 = ""

    def batches(self) -> Iterator[int]:
        """Write a batch of rows at a time and give how many are written. Ends with the whole file, or with none when
        it is left early. Raises WorkbookLimitReached."""
        landing = Landing(self.path)
        with landing.or_nothing():
            written = self._workbook(landing.part) if self.format.is_workbook else self._text(landing.part)
            for rows in written:
                self.rows = rows
                yield rows
            landing.settle()
        self.sha256 = landing.sha256

    def _workbook(self, part: Path) -> Iterator[int]:
        book = WorkbookCopy(self.query.cells, self.look)
        yield from book.write(part, self.query.sql, self.query.parameters)

    def _text(self, part: Path) -> Iterator[int]:
        cells, dialect = self.query.cells, self.format.dialect
        made: DelimitedCopy | JsonLinesCopy = DelimitedCopy(cells, dialect) if dialect else JsonLinesCopy(cells)
        with opened(part, packing=self.packing, name=self.name) as file:
            for block in made.blocks(self.query.sql, self.query.parameters):
                file.write(block)
                yield made.rows

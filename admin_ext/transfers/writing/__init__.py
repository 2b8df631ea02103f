"""Writing: rows streamed into files, in constant memory, whole or not at all.

with CsvWriter(path, ["Name", "Total"], dialect="excel") as out:
    out.write(["Ærø Kro", Decimal("-3.50")])
out.rows, out.sha256
"""

from .delimited import EXCEL, RFC4180, TSV, CsvWriter, Dialect
from .landing import NotLanded
from .neutralising import neutralise, strip_neutralising
from .workbook import COLUMN_KINDS, WorkbookLimitReached, WorkbookWriter

__all__ = [
    "COLUMN_KINDS",
    "EXCEL",
    "RFC4180",
    "TSV",
    "CsvWriter",
    "Dialect",
    "NotLanded",
    "WorkbookLimitReached",
    "WorkbookWriter",
    "neutralise",
    "strip_neutralising",
]

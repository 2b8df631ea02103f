"""Reading: any file a business mails around, turned into rows.

table = open_table(path)
table.detected.notes        what was found, in sentences
for row in table.rows():    row.number, row.line, row.cells, row.problem
"""

from .ahead import in_batches, read_ahead
from .limits import Limits
from .opening import open_table
from .options import FORMATS, OptionNotUsable, ReadOptions
from .table import Cell, CellError, EmptyFile, FileNotReadable, NoRows, Row, Sheet, Table

__all__ = [
    "FORMATS",
    "Cell",
    "CellError",
    "EmptyFile",
    "FileNotReadable",
    "Limits",
    "NoRows",
    "OptionNotUsable",
    "ReadOptions",
    "Row",
    "Sheet",
    "Table",
    "in_batches",
    "open_table",
    "read_ahead",
]

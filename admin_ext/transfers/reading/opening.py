"""The one door: any file a business mails around, as a table."""

from os import PathLike
from pathlib import Path

from .content import format_of
from .delimited import DelimitedTable
from .options import ReadOptions
from .table import FileNotReadable, Table
from .workbook import SheetTable


def open_table(path: str | PathLike[str], *, options: ReadOptions | None = None) -> Table:
    """Open a text file or a workbook as a table of rows.

    What `options` leaves open is found by looking at the file; `Table.detected` tells what was used.
    Reading takes a time and a memory that depend on what others wrote: do it in a worker, under limits.

    Raises FileNotReadable (EmptyFile, NoRows) when there is no table in the file. A table with no rows is
    never given.
    """
    options = options or ReadOptions()
    path = Path(path)
    found = format_of(path)
    if options.format and options.format != found:
        raise FileNotReadable(
            f"The file is {_spoken(found)}, not {_spoken(options.format)}",
            advice="Its content decides, not its name. Leave the format open.",
        )
    if found == "csv":
        return DelimitedTable(path, options)
    return SheetTable(path, options, format=found)


def _spoken(format: str) -> str:
    return "delimited text" if format == "csv" else f"a workbook ({format})"

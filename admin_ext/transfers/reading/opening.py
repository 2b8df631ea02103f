"""The one door: any file a business mails around, as a table."""

from os import PathLike
from pathlib import Path

from .confined import ConfinedTable
from .content import format_of, is_container
from .delimited import DelimitedTable
from .footer import WithoutFooter
from .limits import Limits
from .options import ReadOptions
from .table import FileNotReadable, Table
from .workbook import SheetTable


def open_table(path: str | PathLike[str], *, options: ReadOptions | None = None, limits: Limits | None = None) -> Table:
    """Open a text file or a workbook as a table of rows.

    What `options` leaves open is found by looking at the file; `Table.detected` tells what was used.
    Workbooks are read by a process of their own, bound by `limits`. Text is read here: our own code, in
    bounded memory. Both take time that depends on what others wrote: do it in a worker.

    Raises FileNotReadable (EmptyFile, NoRows) when there is no table in the file, or when it costs more to
    read than `limits` allow. A table with no rows is never given.
    """
    options, limits, path = options or ReadOptions(), limits or Limits(), Path(path)
    if is_container(path):
        return ConfinedTable(path, options, limits)
    return open_here(path, options=options, limits=limits)


def open_here(path: Path, *, options: ReadOptions, limits: Limits) -> Table:
    """Open a file in this process, which the limits of memory and time must bind already. Raises as `open_table`."""
    found = format_of(path)
    if options.format and options.format != found:
        raise FileNotReadable(
            f"The file is {_spoken(found)}, not {_spoken(options.format)}",
            advice="Its content decides, not its name. Leave the format open.",
        )
    table: Table = (
        DelimitedTable(path, options) if found == "csv" else SheetTable(path, options, format=found, limits=limits)
    )
    return WithoutFooter(table, options.footer_rows) if options.footer_rows else table


def _spoken(format: str) -> str:
    return "delimited text" if format == "csv" else f"a workbook ({format})"

"""The process that reads one workbook and may die of it: `python -m admin_ext.transfers.reading.child`.

It takes one line of JSON on its standard input (path, options, limits), binds itself by the limits, and
writes frames to its standard output: the table, its rows in batches, the end; or a refusal.
"""

import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from .limits import OUT_OF_MEMORY, Limits
from .opening import open_here
from .options import ReadOptions
from .table import FileNotReadable, Table
from .wire import fact_to_json, pack

_BATCH_CELLS = 16_000
_MOST_ROWS = 1_000


def main() -> None:
    """Read what is asked for. Never raises: what goes wrong is a frame or the way the process ends."""
    asked = json.loads(sys.stdin.readline())
    limits = Limits.from_json(asked["limits"])
    limits.hold_this_process()
    try:
        for frame in frames(Path(asked["path"]), ReadOptions.from_json(asked["options"]), limits):
            _send(frame)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)  # nobody wants the rest


def frames(path: Path, options: ReadOptions, limits: Limits) -> Iterator[bytes]:
    """Give the table as the frames of an answer."""
    try:
        table = open_here(path, options=options, limits=limits)
        yield pack({"table": _opening(table)})
        yield from map(pack, _batches(table))
        yield pack({"end": {"blank_rows": table.blank_rows}})
    except FileNotReadable as refused:
        yield pack({"refused": fact_to_json(refused)})


def _opening(table: Table) -> dict[str, Any]:
    return {
        "detected": table.detected.to_json(),
        "header": table.header,
        "sheets": [[sheet.name, sheet.hidden] for sheet in table.sheets],
    }


def _batches(table: Table) -> Iterator[dict[str, Any]]:
    """Rows are sent together, but never so many that wide ones make a large message."""
    size = max(1, min(_MOST_ROWS, _BATCH_CELLS // max(1, len(table.header))))
    rows = table.rows()
    while True:
        batch: list[Any] = []
        try:
            batch.extend(islice(rows, size))
        except FileNotReadable as refused:
            # What was read before the file broke off arrives before the refusal.
            if batch:
                yield {"rows": batch}
            raise refused
        if not batch:
            return
        yield {"rows": batch}


def _send(frame: bytes) -> None:
    while frame:
        frame = frame[os.write(1, frame) :]


if __name__ == "__main__":
    main()

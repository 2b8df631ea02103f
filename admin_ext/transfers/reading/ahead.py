"""Rows in batches, and reading ahead: the next part of a file is parsed while what came of the last one goes into the database."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from typing import TypeVar

from .table import Row

T = TypeVar("T")
MOST_CELLS = 500_000  # held at a time; what somebody sends may be sixteen thousand columns wide
PATIENCE = 0.0005  # seconds


def in_batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """So many rows at once, or fewer where they are wide."""
    batch: list[Row] = []
    cells = 0
    for row in rows:
        batch.append(row)
        cells += len(row.cells)
        if len(batch) == size or cells > MOST_CELLS:
            yield batch
            batch, cells = [], 0
    if batch:
        yield batch


def read_ahead(parts: Iterator[T]) -> Iterator[T]:
    """Yield what `parts` yields, in order, one part ahead, read in a thread of its own; it must not ask the database.

    What `parts` raises is raised here. When nobody wants more, the thread ends.
    """
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=1)
    nobody_waits = threading.Event()
    # Whoever waits for the database gives the interpreter away, and has to wait for it after each answer: five
    # milliseconds by default, some ten times a batch, which is as long as the reading takes that goes on meanwhile.
    patience = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE)
    reader = threading.Thread(target=_read, args=(parts, waiting, nobody_waits), name="read ahead", daemon=True)
    reader.start()
    try:
        while True:
            part, error = waiting.get()
            if error is not None:
                raise error
            if part is None:
                return
            yield part
    finally:
        sys.setswitchinterval(patience)
        nobody_waits.set()
        reader.join()


def _read(
    parts: Iterator[T], waiting: queue.Queue[tuple[T | None, BaseException | None]], nobody_waits: threading.Event
) -> None:
    error: BaseException | None = None
    try:
        for part in parts:
            if not _handed_over((part, None), waiting, nobody_waits):
                return
    except BaseException as raised:  # the one who waits is to have it
        error = raised
    _handed_over((None, error), waiting, nobody_waits)


def _handed_over(
    item: tuple[T | None, BaseException | None],
    waiting: queue.Queue[tuple[T | None, BaseException | None]],
    nobody_waits: threading.Event,
) -> bool:
    while not nobody_waits.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False

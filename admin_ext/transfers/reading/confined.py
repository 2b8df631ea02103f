"""A table read by a process of its own, which may run out of memory or time, or crash, without harm to anybody."""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .limits import OUT_OF_MEMORY, Limits
from .options import OptionNotUsable, ReadOptions
from .table import FileNotReadable, Row, Sheet, Table
from .wire import LENGTH, MOST_FRAME, fact_from_json, unpack

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[3]
_CHILD = ("-m", "admin_ext.transfers.reading.child")
_AT_ONCE = 1 << 20
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ", "LANG", "LC_ALL")
_SMALLER = "Save the data as CSV, or split it, and send that."


class ConfinedTable(Table):
    """A workbook, read elsewhere. Rows arrive while they are asked for; the process ends with the last, or with this."""

    def __init__(self, path: Path, asked: ReadOptions, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._reader: _Reader | None = _Reader(path, asked, limits)
        told = self._reader.next_message("table")["table"]
        with _disbelieved(limits):
            self.detected = ReadOptions.from_json(told["detected"])
            self.header = [str(name) for name in told["header"]]
            self.sheets = tuple(Sheet(str(name), hidden=bool(hidden)) for name, hidden in told["sheets"])

    def rows(self) -> Iterator[Row]:
        self.blank_rows = 0
        reader = self._take_reader()
        try:
            while True:
                message = reader.next_message("rows", "end")
                if "end" in message:
                    with _disbelieved(self._limits):
                        self.blank_rows = int(message["end"]["blank_rows"])
                    return
                yield from message["rows"]
        finally:
            reader.stop()

    def _take_reader(self) -> "_Reader":
        """The first reading goes on where opening stopped; each further one reads the file again in the same words."""
        reader, self._reader = self._reader, None
        if reader is None:
            reader = _Reader(self._path, self.detected, self._limits)
            reader.next_message("table")
        return reader


class _Reader:
    """The reading process and the pipe from it. It gets no secret, no database and no file but the one it reads."""

    def __init__(self, path: Path, asked: ReadOptions, limits: Limits) -> None:
        self._limits = limits
        self._left = float(limits.wait_seconds)
        self._process = subprocess.Popen(
            [sys.executable, *_CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env=_environment(),
            start_new_session=True,
        )
        self.stop = weakref.finalize(self, _end, self._process)
        self.stop.atexit = False  # when this process ends, the pipe breaks and the other ends by itself
        request = {"path": str(path.resolve()), "options": asked.to_json(), "limits": limits.to_json()}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died before it was asked, and the first answer will be told as missing

    def next_message(self, *expected: str) -> dict[str, Any]:
        """Give the next message. Raises FileNotReadable: what the reader refuses, or what it died of."""
        try:
            with _disbelieved(self._limits):
                length = int.from_bytes(self._exactly(LENGTH), "big")
                if length > MOST_FRAME:
                    raise ValueError("a frame is too long")
                message = unpack(self._exactly(length))
                if "refused" in message:
                    raise fact_from_json(message["refused"])
                if not any(name in message for name in expected):
                    raise ValueError("not what was expected")
        except FileNotReadable:
            self.stop()
            raise
        return message

    def _exactly(self, wanted: int) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        pieces: list[bytes] = []
        while wanted:
            began = time.monotonic()
            ready = select.select([pipe], [], [], max(0.0, self._left))[0]
            self._left -= time.monotonic() - began
            if not ready:
                raise _out_of_time(self._limits.wait_seconds)
            piece = os.read(pipe, min(wanted, _AT_ONCE))
            if not piece:
                raise self._cause_of_death()
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def _cause_of_death(self) -> FileNotReadable:
        try:
            ended = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            ended = 0
        logger.warning("The reader of a workbook ended with %s", ended)
        return _died(ended, self._limits)


@contextmanager
def _disbelieved(limits: Limits) -> Iterator[None]:
    """A reader that speaks nonsense is as good as dead."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError, OptionNotUsable) as said:
        logger.warning("The reader of a workbook spoke nonsense: %s", said)
        raise _died(0, limits) from said


def _died(ended: int, limits: Limits) -> FileNotReadable:
    """Tell people why there is no answer. A negative number is the signal that ended the process."""
    if ended == -signal.SIGABRT:  # what calamine does when memory is refused, and when its stack is full
        return FileNotReadable(
            f"The workbook is damaged, or reading it takes more than {limits.memory_mb:,} MB of memory", advice=_SMALLER
        )
    if ended in (OUT_OF_MEMORY, -signal.SIGKILL):
        return FileNotReadable(
            f"Reading the workbook takes more than {limits.memory_mb:,} MB of memory", advice=_SMALLER
        )
    if ended == -signal.SIGXCPU:
        return _out_of_time(limits.cpu_seconds)
    return FileNotReadable(
        "The workbook is damaged in a way that stops the program that reads it",
        advice="Open it in Excel, save it again, and send the new file.",
    )


def _out_of_time(seconds: int) -> FileNotReadable:
    return FileNotReadable(f"Reading the workbook takes longer than {seconds} seconds", advice=_SMALLER)


def _environment() -> dict[str, str]:
    """The settings of this process hold its secrets; the one that reads gets the path to its own code, and no more."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), "PYTHONUTF8": "1"}


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()

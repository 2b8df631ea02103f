"""Rows into delimited text."""

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from .landing import Landing
from .neutralising import neutralise


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written. Lines end with CR LF, quotes are doubled, decimals have a point."""

    delimiter: str = ","
    encoding: str = "utf-8"  # "utf-8-sig" puts a mark in front, without which Excel takes UTF-8 for Windows-1252


RFC4180 = Dialect()
EXCEL = Dialect(delimiter=";", encoding="utf-8-sig")
TSV = Dialect(delimiter="\t")

_DIALECTS = {"rfc4180": RFC4180, "excel": EXCEL, "tsv": TSV}


class CsvWriter:
    """Streams rows into a file: header first, `rows` counts the data rows, `sha256` is known after `close()`.

    Text is neutralised (see `neutralise`); numbers are written in full, never with an exponent where they are
    exact; dates and times in ISO 8601, with their offset, in `zone` when one is given. None and "" are both
    written as nothing: a CSV file cannot tell them apart. Leaving the `with` block by an exception leaves no file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        header: Sequence[str],
        *,
        dialect: Dialect | str = RFC4180,
        zone: tzinfo | None = None,
    ) -> None:
        dialect = _DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self.rows = 0
        self._zone = zone
        self._landing = Landing(path)
        self._file = self._landing.part.open("w", encoding=dialect.encoding, newline="", buffering=1 << 16)
        self._out = csv.writer(self._file, delimiter=dialect.delimiter, lineterminator="\r\n")
        self._out.writerow([neutralise(name) for name in header])
        self._writers: dict[type, Callable[[Any], str | int]] = {
            str: neutralise,
            int: int,
            bool: lambda value: "true" if value else "false",
            type(None): lambda value: "",
            Decimal: lambda value: format(value, "f"),
            float: lambda value: repr(value).removesuffix(".0"),
            datetime: self._instant,
        }

    def write(self, row: Sequence[Any]) -> None:
        """Write one data row. What is neither text, number, date nor boolean is written as `str` gives it."""
        writers = self._writers
        other = _other
        self._out.writerow([writers.get(type(value), other)(value) for value in row])
        self.rows += 1

    def close(self) -> None:
        """Complete the file. Closing again does nothing."""
        if not self._file.closed:
            with self._landing.or_nothing():
                self._file.close()
                self._landing.settle()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file in hexadecimal. Raises NotLanded before `close()`."""
        return self._landing.sha256

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()
            self._landing.give_up()

    def _instant(self, value: datetime) -> str:
        if self._zone is not None and value.tzinfo is not None:
            value = value.astimezone(self._zone)
        return value.isoformat(sep=" ")


def _other(value: Any) -> str:
    """Dates and times give ISO 8601; text of any other origin is text and may run."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return neutralise(str(value))

"""A file as it is, or packed on the way: `gz` or `zip`."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

PACKINGS = ("", "gz", "zip")
LEVEL = 1  # of deflate: three times as fast as the usual one, and a tenth larger


@contextlib.contextmanager
def opened(path: Path, *, packing: str = "", name: str = "") -> Iterator[IO[bytes] | BufferedIOBase]:
    """The file to write into; `name` is what it is called inside of a zip."""
    if packing == "gz":
        with path.open("wb") as raw, gzip.GzipFile(name, "wb", compresslevel=LEVEL, fileobj=raw, mtime=0) as packed:
            yield packed
    elif packing == "zip":
        with zipped(path) as box, box.open(name, "w", force_zip64=True) as inside:
            yield inside
    else:
        with path.open("wb", buffering=1 << 18) as file:
            yield file


def zipped(path: Path, **options: Any) -> ZipFile:
    return ZipFile(path, "w", ZIP_DEFLATED, compresslevel=LEVEL, **options)

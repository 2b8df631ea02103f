"""A workbook is a ZIP of XML parts made by someone else; this looks at all of it before anything is parsed."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .limits import Limits
from .table import FileNotReadable

_LARGE = 32 << 20  # bytes inflated; below it a ratio harms nobody
_CHUNK = 1 << 20
_OVERLAP = 4096  # longer than any tag that is searched, so none is missed between two chunks

# Searched for one by one: a pattern with a fixed beginning is found many times faster than an alternation.
_DTDS = (b"<!DOCTYPE", b"<!ENTITY", b"<\0!\0D\0", b"<\0!\0E\0", b"\0<\0!\0D", b"\0<\0!\0E")
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b\x08", b"7z\xbc\xaf", b"Rar!")
_SHEET = re.compile(rb"<(\w+:)?worksheet\b")
_ERROR = re.compile(rb"""t\s*=\s*["']e["']""")
_FORMULA = re.compile(rb"<f[\s/>]")
_PREFIXED_FORMULA = re.compile(rb":f[\s/>]")
_LONG_NUMBER = re.compile(rb">\s*-?\d{16}")
_SECOND_LOOK = (_ERROR, _FORMULA, _PREFIXED_FORMULA, _LONG_NUMBER)
_PLACE = re.compile(rb"""r\s*=\s*["']([A-Za-z]{0,9})(\d{1,10})["']""")  # of a cell, or of a row
_CELL = re.compile(rb"<(?:\w+:)?c[\s>/]")
_SHARED_TEXTS = re.compile(rb"""uniqueCount\s*=\s*["'](\d+)""")


@dataclass
class SheetPart:
    """What one look at the bytes of a worksheet tells. `columns` and `rows` are how far its cells reach at most."""

    name: str
    columns: int = 0
    rows: int = 0
    second_look: bool = False  # holds errors, formulas or very long numbers, or cells that do not say where they are
    unplaced: bool = False  # some cells do not name their place
    _letters: set[bytes] = field(default_factory=set)

    def see(self, chunk: bytes) -> None:
        """Take notice of a piece of the sheet; pieces may overlap."""
        self.second_look = self.second_look or any(pattern.search(chunk) for pattern in _SECOND_LOOK)
        places = _PLACE.findall(chunk)
        cells = len(_CELL.findall(chunk))
        if cells > sum(bool(letters) for letters, _ in places) + 1:  # one may be cut in two
            self.second_look = self.unplaced = True
        if places:
            self.rows = max(self.rows, max(map(int, {row for _, row in places})))
            self._letters.update({letters for letters, _ in places})
            self.columns = max(map(column_number, self._letters))


def column_number(letters: bytes) -> int:
    """Give 1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def inspect(path: Path, limits: Limits) -> dict[str, SheetPart]:
    """Inflate every entry once, in constant memory, and give its worksheets by name of part.

    Raises FileNotReadable over a damaged, encrypted or nested archive, over more entries or bytes than any
    honest workbook has (counted while inflating, whatever the archive says about itself), and over DTDs.
    """
    sheets: dict[str, SheetPart] = {}
    inflated = 0
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > limits.entries:
                _refuse(f"The workbook has {len(entries):,} parts, more than the {limits.entries:,} allowed")
            for entry in entries:
                if entry.flag_bits & 1:
                    _refuse("The workbook is protected by a password", "Remove the password and save it again.")
                with archive.open(entry) as part:
                    claimed = 0
                    for piece in _inflate(part, entry, limits, inflated):
                        _look(piece, entry.filename, sheets)
                        claimed = claimed or _claimed_texts(piece)
                    inflated += part.tell()
                    if claimed > part.tell():
                        _refuse(f"The workbook is damaged: it claims {claimed:,} texts where there is no room for them")
    except FileNotReadable:
        raise
    except Exception as broken:  # zipfile and zlib raise many kinds over damaged archives
        raise FileNotReadable(
            f"The workbook is damaged: {str(broken) or 'it is cut off'}",
            advice="Open it in Excel, save it again, and send the new file.",
        ) from broken
    return sheets


def _inflate(part: IO[bytes], entry: zipfile.ZipInfo, limits: Limits, before: int) -> Iterator[bytes]:
    """Yield the entry piece by piece, each beginning with the end of the one before; stop when it grows too big."""
    seen, tail = 0, b""
    while chunk := part.read(_CHUNK):
        if not seen and chunk.startswith(_ARCHIVES) and "embeddings" not in entry.filename:
            _refuse(f"The workbook contains another archive ({entry.filename})", "Remove it and save the workbook.")
        seen += len(chunk)
        if before + seen > limits.inflated_mb << 20:
            _refuse(f"The workbook grows beyond {limits.inflated_mb:,} MB when it is opened", "Split it.")
        if seen > _LARGE and seen > limits.ratio * max(entry.compress_size, 1):
            _refuse(f"A part of the workbook grows more than {limits.ratio} times when it is opened ({entry.filename})")
        yield tail + chunk
        tail = chunk[-_OVERLAP:]


def _claimed_texts(piece: bytes) -> int:
    """Give how many shared texts the part says it has; calamine sets aside room for all of them before it reads one."""
    claim = _SHARED_TEXTS.search(piece[:_OVERLAP])
    return int(claim[1]) if claim else 0


def _look(piece: bytes, name: str, sheets: dict[str, SheetPart]) -> None:
    if not name.lower().endswith((".xml", ".rels", ".vml")):
        return
    if any(dtd in piece for dtd in _DTDS):
        _refuse(f"The workbook carries a document type definition ({name})", "No spreadsheet program writes one.")
    if name not in sheets and _SHEET.search(piece[:_OVERLAP]):
        sheets[name] = SheetPart(name)
    if name in sheets:
        sheets[name].see(piece)


def _refuse(message: str, advice: str = "Save the data as CSV and send that.") -> None:
    raise FileNotReadable(message, advice=advice)

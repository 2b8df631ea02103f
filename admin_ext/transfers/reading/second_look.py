"""What calamine leaves out of a worksheet, read from its XML.

calamine gives error cells and formulas without a stored value as blanks, and long numbers as floats. A blank
that was `#N/A` would be imported as "nothing there", so those cells are looked up in the sheet itself.
"""

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers import expat

from .package import column_number
from .table import CellError, FileNotReadable

MOST_FOUND = 200_000  # cells of a sheet that may differ from what calamine gives; more are a broken export
_LONG_NUMBER = re.compile(r"-?\d{16,300}")  # longer ones are no number to Excel either
_NOT_XML = (expat.ExpatError, LookupError, ValueError)  # the last two over encodings that do not exist
_PLACE = re.compile(r"([A-Za-z]+)(\d+)")


@dataclass
class SecondLook:
    """Cells by 0-based row and column that replace calamine's, and how far cells with content really reach."""

    cells: dict[int, dict[int, CellError | int]] = field(default_factory=dict)
    found: int = 0
    rows: int = 0
    columns: int = 0


def look_again(path: Path, part: str, *, sheet: str) -> SecondLook:
    """Read one worksheet part. Raises FileNotReadable when it is not XML, or holds more than MOST_FOUND such cells."""
    reader = _Reader(sheet)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(part) as xml:
            reader.parser.ParseFile(xml)
    except _NOT_XML as broken:
        raise FileNotReadable(
            f"The sheet is damaged: {broken}",
            line=reader.row + 1,
            sheet=sheet,
            advice="Open the workbook in Excel, save it again, and send the new file.",
        ) from broken
    return reader.seen


class _Reader:
    """Walks through `row`, `c`, `f`, `v` and `is`; counts places where the file does not name them."""

    def __init__(self, sheet: str) -> None:
        self.seen = SecondLook()
        self.sheet = sheet
        self.row = self.column = -1
        self.kind = ""
        self.formula: str | None = None
        self.value: str | None = None
        self.text: list[str] | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_dtd
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _refuse_dtd(self, *_: Any) -> None:
        raise FileNotReadable("The sheet carries a document type definition", sheet=self.sheet)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "row":
            number = attributes.get("r", "")
            self.row = int(number) - 1 if number.isdigit() else self.row + 1
            self.column = -1
        elif name == "c":
            place = _PLACE.fullmatch(attributes.get("r", ""))
            self.column = column_number(place[1].encode()) - 1 if place else self.column + 1
            self.row = int(place[2]) - 1 if place else self.row
            self.kind = attributes.get("t", "n")
            self.formula = self.value = None
        elif name in ("f", "v", "is"):
            self.text = []

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "c":
            self._take_cell()
        elif name in ("f", "v", "is") and self.text is not None:
            text = "".join(self.text)
            self.text = None
            if name == "f":
                self.formula = text
            else:
                self.value = text

    def _take_cell(self) -> None:
        if self.formula is None and self.value is None:
            return
        self.seen.rows = max(self.seen.rows, self.row + 1)
        self.seen.columns = max(self.seen.columns, self.column + 1)
        instead = self._instead_of_calamine()
        if instead is not None:
            self.seen.cells.setdefault(self.row, {})[self.column] = instead
            self.seen.found += 1
            if self.seen.found > MOST_FOUND:
                raise FileNotReadable(
                    f"More than {MOST_FOUND:,} cells hold an error or a formula that was never calculated",
                    line=self.row + 1,
                    sheet=self.sheet,
                    advice="Open the workbook in Excel, let it calculate, save it, and send the new file.",
                )

    def _instead_of_calamine(self) -> CellError | int | None:
        if self.kind == "e":
            return CellError(self.value or "#ERROR")
        if self.formula is not None and not self.value and (self.kind != "str" or self.value is None):
            written = f"={self.formula}" if self.formula else "a formula"
            return CellError(f"{written} (never calculated: open in Excel and save)")
        if self.kind == "n" and self.value and _LONG_NUMBER.fullmatch(self.value.strip()):
            return int(self.value)
        return None


def sheet_parts(path: Path) -> dict[str, str]:
    """Give the part of the archive for each sheet name; sheets whose part cannot be told are left out."""
    with zipfile.ZipFile(path) as archive:
        entries = {_plain(name): name for name in archive.namelist()}
        workbook = next((plain for plain in sorted(entries, key=len) if plain.endswith("workbook.xml")), "")
        folder = str(PurePosixPath(workbook).parent).removeprefix(".")
        links = f"{folder}/_rels/workbook.xml.rels".lstrip("/")
        if workbook not in entries or links not in entries:
            return {}
        targets = {
            found.get("Id", ""): found.get("Target", "")
            for found in _elements(archive.read(entries[links]), "Relationship")
        }
        parts = {}
        for sheet in _elements(archive.read(entries[workbook]), "sheet"):
            link = next((value for key, value in sheet.items() if key.rpartition(":")[2] == "id"), "")
            target = targets.get(link, "").replace("\\", "/")
            plain = _plain(target) if target.startswith("/") else _plain(f"{folder}/{target}")
            if target and plain in entries:
                parts[sheet.get("name", "")] = entries[plain]
        return parts


def _plain(name: str) -> str:
    """Spell a part's name one way; writers differ in slashes, letter case, and a slash in front."""
    steps: list[str] = []
    for step in name.replace("\\", "/").lower().split("/"):
        if step == ".." and steps:
            steps.pop()
        elif step not in ("", ".", ".."):
            steps.append(step)
    return "/".join(steps)


def _elements(xml: bytes, wanted: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: (
        found.append(attributes) if name.rpartition(":")[2] == wanted else None
    )
    try:
        parser.Parse(xml, True)
    except _NOT_XML:
        return []
    return found

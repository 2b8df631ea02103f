"""What a file is, judged by its bytes; its name proves nothing."""

import re
import zipfile
from pathlib import Path

from .table import EmptyFile, FileNotReadable

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_WORKBOOK = "EncryptedPackage".encode("utf-16-le")

_OTHER_FILES = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"BZh", "a compressed file (bzip2)"),
    (b"7z\xbc\xaf", "a compressed file (7-Zip)"),
    (b"Rar!", "a compressed file (RAR)"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)
_OTHER_TEXTS = (
    (re.compile(r"\s*<(!doctype html|html|head|body|table)\b", re.I), "a web page (HTML)"),
    (re.compile(r"\s*<\?xml\b", re.I), "an XML document"),
    (re.compile(r"\s*(\{\s*[\"}]|\[\s*[\[{\"\]])"), "a JSON document"),
    (re.compile(r"(From|Received|MIME-Version|Message-ID): ", re.I), "an e-mail"),
)
_TABLE_WANTED = "Send a CSV file or an Excel workbook."


def is_container(path: Path) -> bool:
    """Say whether the file is a workbook, or anything else that other people's code would have to unpack."""
    with path.open("rb") as file:
        return file.read(len(_OLE)).startswith((_ZIP, _EMPTY_ZIP, _OLE))


def format_of(path: Path) -> str:
    """Give "csv", "xlsx", "xlsb", "xls" or "ods".

    Raises EmptyFile, or FileNotReadable that says what the file is instead of a table.
    """
    if path.stat().st_size == 0:
        raise EmptyFile("The file is empty: it holds no bytes at all", advice="Ask the sender to export it again.")
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return _format_of_zip(path)
    if head.startswith(_OLE):
        return _format_of_ole(path)
    for magic, name in _OTHER_FILES:
        if head.startswith(magic):
            raise FileNotReadable(f"The file is {name}, not a table", advice=_TABLE_WANTED)
    _refuse_binary(head)
    return "csv"


def refuse_other_text(head: str) -> None:
    """Raise FileNotReadable when decoded text opens like a web page, XML, JSON or an e-mail."""
    for opening, name in _OTHER_TEXTS:
        if opening.match(head.removeprefix("\ufeff")):
            raise FileNotReadable(f"The file is {name}, not a table", advice=_TABLE_WANTED)


def _format_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.replace("\\", "/").lstrip("/").lower() for name in archive.namelist()}
            mimetype = _first_bytes(archive, "mimetype") if "mimetype" in names else b""
    except Exception as broken:  # zipfile raises many kinds over damaged archives; all mean the same to a person
        raise FileNotReadable(
            "The workbook is damaged: its ZIP container cannot be opened",
            advice="Open it in Excel, save it again, and send the new file.",
        ) from broken
    if b"opendocument.spreadsheet" in mimetype:
        return "ods"
    if any(name.endswith("workbook.bin") for name in names):
        return "xlsb"
    if any(name.endswith("workbook.xml") for name in names):
        return "xlsx"
    if b"opendocument" in mimetype or any(name.startswith(("word/", "ppt/")) for name in names):
        raise FileNotReadable("The file is an office document, not a spreadsheet", advice=_TABLE_WANTED)
    if any("sheet" in name and name.endswith(".xml") for name in names) or "[content_types].xml" in names:
        raise FileNotReadable(
            "The workbook is damaged: its list of sheets is missing",
            advice="Open it in Excel, save it again, and send the new file.",
        )
    raise FileNotReadable("The file is a ZIP archive, not a table", advice="Unpack it and send the table inside.")


def _first_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(100)


def _format_of_ole(path: Path) -> str:
    content = path.read_bytes() if path.stat().st_size < 64 << 20 else b""
    if _ENCRYPTED_WORKBOOK in content:
        raise FileNotReadable(
            "The workbook is protected by a password",
            advice="Open it in Excel, remove the password (File > Info > Protect Workbook), save, and send it again.",
        )
    return "xls"


def _refuse_binary(head: bytes) -> None:
    """NUL bytes may be UTF-16 or UTF-32 and are judged with the encoding; other control bytes are no text."""
    control = sum(head.count(byte) for byte in range(32) if byte not in (0, 9, 10, 11, 12, 13, 26, 27))
    if control * 10 > len(head):
        raise FileNotReadable("The file is binary data, not a table", advice=_TABLE_WANTED)

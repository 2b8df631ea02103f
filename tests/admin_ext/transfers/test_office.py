"""What a spreadsheet makes of exports: opened in LibreOffice, nothing in them is active.

Needs `soffice` (Debian: libreoffice-calc-nogui), so it is owed and not run with the others.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from admin_ext.transfers.formats import FORMATS, suffix_of
from tests.admin_ext.transfers.test_round_trip import NASTY, made_rows, write_kinds

pytestmark = [pytest.mark.django_db, pytest.mark.office]

ROWS = 10_000
SPREADSHEETS = [name for name in FORMATS if name != "ndjson"]
# Delimiter, quote, UTF-8, the first line, no formats of columns, English, what is quoted is not text for that alone,
# numbers and days are found out: what people get who press OK, or worse.
ASKED = {
    "csv": "44,34,76,1,,1033,false,true",
    "csv-excel": "59,34,76,1,,1033,false,true",
    "tsv": "9,34,76,1,,1033,false,true",
}


def opened(path: Path, format: str) -> str:
    """The file as LibreOffice keeps it in its own format, as XML."""
    reading = [f"--infilter=CSV:{ASKED[format]}"] if format in ASKED else []
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    command = [
        "soffice",
        profile,
        "--headless",
        *reading,
        "--convert-to",
        "fods",
        "--outdir",
        str(path.parent),
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return path.with_suffix(".fods").read_text(encoding="utf-8")


def active(book: str) -> list[str]:
    """Formulas, links, and what else does something by itself or at a click. LibreOffice keeps yes and no as formulas."""
    body = book[book.index("<office:body>") :]
    return re.findall(
        r'table:formula="(?!of:=(?:TRUE|FALSE)\(\)")[^"]*"|xlink:href="[^"]*"|<office:event-listeners>|<table:dde-links?',
        body,
    )


@pytest.mark.parametrize("format", SPREADSHEETS)
def test_no_cell_of_an_export_is_active(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"out.{suffix_of(format)}"
    write_kinds(path, format, made_rows(ROWS, seed=4711))
    book = opened(path, format)
    assert not active(book)
    assert book.count("office:value-type=") > 10 * ROWS, "The file was not read."


def test_text_as_it_came_would_be_active(tmp_path: Path) -> None:
    """The check sees what it is to see."""
    path = tmp_path / "raw.csv"
    path.write_text(
        "\r\n".join(text for text in NASTY if text.startswith(("=", "+1", "@"))), encoding="utf-8", newline=""
    )
    assert active(opened(path, "csv"))

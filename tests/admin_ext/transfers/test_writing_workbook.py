"""Rows become a workbook: typed cells, no live formula, sheets that follow each other, whole or nothing."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from admin_ext.transfers.reading import ReadOptions, open_table
from admin_ext.transfers.writing import WorkbookLimitReached, WorkbookWriter
from admin_ext.transfers.writing import workbook as limits

OSLO = ZoneInfo("Europe/Oslo")


def written(path, rows, header=("a", "b"), **options):
    with WorkbookWriter(path, header, zone=OSLO, **options) as out:
        for row in rows:
            out.write(row)
    return openpyxl.load_workbook(path)


@pytest.mark.parametrize(
    ("value", "cell", "kind"),
    [
        (3, 3, "n"),
        (-3.5, -3.5, "n"),
        (Decimal("12.50"), 12.5, "n"),
        (True, True, "b"),
        ("=1+1", "=1+1", "s"),
        ("-3.5", "-3.5", "s"),
        ("https://example.org", "https://example.org", "s"),
        ("007", "007", "s"),
        (1234567890123456, "1234567890123456", "s"),
        (Decimal("1234567890.1234567"), "1234567890.1234567", "s"),
        (Decimal("NaN"), "NaN", "s"),
        (float("inf"), "inf", "s"),
        (date(2024, 2, 29), datetime(2024, 2, 29), "d"),
        (date(1850, 1, 1), "1850-01-01", "s"),
        (datetime(2024, 7, 1, 22, 30, tzinfo=UTC), datetime(2024, 7, 2, 0, 30), "d"),
        (None, None, "n"),
        ("", None, "n"),
    ],
)
def test_cells_keep_their_types(tmp_path, value, cell, kind):
    sheet = written(tmp_path / "out.xlsx", [[value, "x"]])["Sheet1"]
    found = sheet["A2"]
    # openpyxl calls a text that begins with "=" a formula, whatever the file says; calamine reads what is there.
    assert found.value == cell
    assert found.data_type == kind or (value == "=1+1" and found.data_type == "f")


def test_no_text_is_a_live_formula_or_a_link(tmp_path):
    path = tmp_path / "out.xlsx"
    texts = ["=1+1", "+1+1", "@SUM(1)", "-2+3", "\t=1", "http://example.org"]
    written(path, [[text, "x"] for text in texts])
    table = open_table(path)
    assert [row.cells[0] for row in table.rows()] == texts
    assert not any("formula" in note for note in table.detected.notes)


def test_the_header_is_styled_frozen_filtered_and_wide_enough(tmp_path):
    sheet = written(tmp_path / "out.xlsx", [["a much longer text than the header", 1]])["Sheet1"]
    assert sheet["A1"].font.bold
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:B2"
    assert sheet.column_dimensions["A"].width > 30


def test_rows_go_on_in_a_next_sheet_when_one_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_ROWS", 3)
    path = tmp_path / "out.xlsx"
    book = written(path, [[number, "x"] for number in range(7)], sheet_name="Orders")
    assert book.sheetnames == ["Orders", "Orders (2)", "Orders (3)"]
    assert book["Orders (3)"]["A1"].value == "a"
    seen = [
        row.cells[0] for name in book.sheetnames for row in open_table(path, options=ReadOptions(sheet=name)).rows()
    ]
    assert seen == list(range(7))


def test_a_text_column_keeps_everything_as_text(tmp_path):
    sheet = written(tmp_path / "out.xlsx", [[7, date(2024, 1, 1)]], column_kinds=["text", "text"])["Sheet1"]
    assert (sheet["A2"].value, sheet["B2"].value) == ("7", "2024-01-01")
    assert sheet["A2"].number_format == "@"


def test_a_text_too_long_for_a_cell_is_told_and_leaves_no_file(tmp_path):
    with pytest.raises(WorkbookLimitReached, match=r"Row 1, column “b”.*40,000"):
        written(tmp_path / "out.xlsx", [["x", "y" * 40_000]])
    assert list(tmp_path.iterdir()) == []


def test_an_instant_without_a_zone_to_write_it_in_is_refused(tmp_path):
    with (
        pytest.raises(WorkbookLimitReached, match="zone"),
        WorkbookWriter(tmp_path / "out.xlsx", ["a"]) as out,
    ):
        out.write([datetime(2024, 1, 1, tzinfo=UTC)])


def test_names_of_sheets_are_made_fit(tmp_path):
    book = written(tmp_path / "out.xlsx", [[1, 2]], sheet_name="Orders [open]: 2024/05 and a very long tail")
    assert len(book.sheetnames[0]) <= 31


def test_the_checksum_is_that_of_the_file(tmp_path):
    with WorkbookWriter(tmp_path / "out.xlsx", ["a"]) as out:
        out.write(["Ærø"])
    assert out.rows == 1
    assert out.sha256 == hashlib.sha256((tmp_path / "out.xlsx").read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]


def test_an_unchanged_export_reads_back_as_it_was(tmp_path):
    path = tmp_path / "out.xlsx"
    row = ["007", Decimal("12.34"), 5, True, date(2024, 1, 2), "=x", "_x0041_", " padded ", "two\nlines"]
    written(path, [row], header=[f"c{number}" for number in range(len(row))])
    assert next(iter(open_table(path).rows())).cells == row

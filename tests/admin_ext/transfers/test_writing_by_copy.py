"""Cells that the database makes say the same as those of the writers in Python."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest
from django.db import connection
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from admin_ext.transfers.export_columns import Query
from admin_ext.transfers.formats import FORMATS, QueryWriter
from admin_ext.transfers.reading import open_table
from admin_ext.transfers.snapshots import time_zone
from admin_ext.transfers.writing import WorkbookLimitReached, neutralise
from admin_ext.transfers.writing.cells_in_sql import Cell, Kind
from admin_ext.transfers.writing.workbook_by_copy import Look

pytestmark = pytest.mark.django_db

TYPES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.DECIMAL: "numeric",
    Kind.FLOAT: "float8",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.INSTANT: "timestamptz",
    Kind.OTHER: "interval",
}
RISKY = st.text(alphabet="=+-@\t\r\n＝＋－＠'\" \xa0\ufeff\u200b\u3000\x0b1.5e,;&<_x0041aéÅ\x07", max_size=9)
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12) | RISKY


def written(path, values, kind=Kind.TEXT, *, format="csv", packing="", zone="Europe/Oslo", look=None, **said):
    """A file of one column `a` beside a column of numbers, and its writer."""
    cells = [Cell("a", 'r."a"', kind, **said), Cell("n", 'r."n"', Kind.INTEGER, digits=10)]
    sql = f"SELECT a, n FROM unnest(%s::{TYPES[kind]}[]) WITH ORDINALITY v(a, n) ORDER BY n"
    writer = QueryWriter(
        path,
        Query(sql, (values,), cells),
        format=format,
        packing=packing,
        name="inside.csv",
        look=look or Look(title="Rows", zone=zone),
    )
    with time_zone(zone):
        list(writer.batches())
    return writer


def _header(path, format):
    if FORMATS[format].is_workbook:
        return [cell.value for cell in openpyxl.load_workbook(path)["Rows"][1]]
    with path.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file, delimiter=FORMATS[format].dialect.delimiter))


def column(path, dialect=","):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [row[0] for row in csv.reader(file, delimiter=dialect)][1:]


class TestDelimited:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=60))
    @example(["=1+1", " \nabc", "\x0b=1", "''-1", "-1,234.50", "\ufeff@x", "'", "-", "\\.", "%s", "a\r\nb"])
    def test_texts_are_neutralised_as_in_python(self, tmp_path_factory, texts):
        path = tmp_path_factory.mktemp("csv") / "out.csv"
        assert written(path, texts).rows == len(texts)
        assert column(path) == [neutralise(text) for text in texts]

    @pytest.mark.parametrize(
        ("kind", "value", "cell"),
        [
            (Kind.TEXT, None, ""),
            (Kind.INTEGER, -9223372036854775808, "-9223372036854775808"),
            (Kind.DECIMAL, Decimal("-0.50"), "-0.50"),
            (Kind.DECIMAL, Decimal("1E+20"), "100000000000000000000"),
            (Kind.DECIMAL, Decimal("0.00000000001"), "0.00000000001"),
            (Kind.FLOAT, 0.1, "0.1"),
            (Kind.FLOAT, 3.0, "3"),
            (Kind.BOOLEAN, True, "true"),
            (Kind.DATE, date(2024, 2, 29), "2024-02-29"),
            (Kind.INSTANT, datetime(2024, 7, 1, 22, 30, tzinfo=UTC), "2024-07-02 00:30:00+02:00"),
            (Kind.INSTANT, datetime(2024, 1, 1, 0, 0, 0, 250000, tzinfo=UTC), "2024-01-01 01:00:00.25+01:00"),
        ],
    )
    def test_values_are_written_in_full(self, tmp_path, kind, value, cell):
        path = tmp_path / "out.csv"
        written(path, [value], kind)
        assert column(path) == [cell]

    def test_a_zone_of_half_an_hour_keeps_its_offset(self, tmp_path):
        path = tmp_path / "out.csv"
        written(path, [datetime(2024, 7, 1, tzinfo=UTC)], Kind.INSTANT, zone="Asia/Kolkata")
        assert column(path) == ["2024-07-01 05:30:00+05:30"]

    def test_dialects(self, tmp_path):
        path = tmp_path / "out.csv"
        written(path, ["a;b,c\td"], format="csv")
        assert path.read_bytes() == b'a,n\r\n"a;b,c\td",1\r\n'
        written(path, ["a;b,c\td"], format="csv-excel")
        assert path.read_bytes() == b'\xef\xbb\xbfa;n\r\n"a;b,c\td";1\r\n'
        written(path, ["a;b,c\td"], format="tsv")
        assert path.read_bytes() == b'a\tn\r\n"a;b,c\td"\t1\r\n'

    @pytest.mark.parametrize("format", FORMATS)
    def test_no_rows_make_a_file_with_a_header(self, tmp_path, format):
        path = tmp_path / f"out.{FORMATS[format].suffix}"
        assert written(path, [], format=format).rows == 0
        if format == "ndjson":
            assert path.read_bytes() == b""
        else:
            assert _header(path, format) == ["a", "n"]

    def test_packed(self, tmp_path):
        written(tmp_path / "out.gz", ["x"], packing="gz")
        assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == b"a,n\r\nx,1\r\n"
        written(tmp_path / "out.zip", ["x"], packing="zip")
        with zipfile.ZipFile(tmp_path / "out.zip") as box:
            assert box.namelist() == ["inside.csv"] and box.read("inside.csv") == b"a,n\r\nx,1\r\n"

    def test_what_is_not_told_is_marked(self, tmp_path):
        for format in FORMATS:
            path = tmp_path / f"out-{format}.{FORMATS[format].suffix}"
            written(path, [5, 6], Kind.INTEGER, format=format, told="r.n = 1", stand_in="— not visible —")
            if format == "ndjson":
                assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [5, "— not visible —"]
            else:
                assert [str(row.cells[0]) for row in open_table(path).rows()] == ["5", "— not visible —"]


class TestJsonLines:
    @settings(max_examples=20, deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=60))
    def test_every_text_comes_back(self, tmp_path_factory, texts):
        path = tmp_path_factory.mktemp("ndjson") / "out.ndjson"
        written(path, texts, format="ndjson")
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        assert [json.loads(line)["a"] for line in lines] == texts

    def test_values_keep_their_types(self, tmp_path):
        path = tmp_path / "out.ndjson"
        for kind, value, told in (
            (Kind.INTEGER, 1234567890123456789, 1234567890123456789),
            (Kind.BOOLEAN, False, False),
            (Kind.TEXT, None, None),
            (Kind.DECIMAL, Decimal("1.50"), 1.5),
            (Kind.INSTANT, datetime(2024, 7, 1, 22, 30, tzinfo=UTC), "2024-07-02T00:30:00+02:00"),
        ):
            written(path, [value], kind, format="ndjson")
            assert json.loads(path.read_text())["a"] == told


class TestWorkbook:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=60))
    @example(["&"])
    @example(["_x0041_", "\x07", "a\rb\nc\t", "<&>", "￾", "_x005F_", "=1+1", "_x00"])
    def test_every_text_comes_back(self, tmp_path_factory, texts):
        path = tmp_path_factory.mktemp("xlsx") / "out.xlsx"
        written(path, texts, format="xlsx")
        sheet = openpyxl.load_workbook(path)["Rows"]
        assert [openpyxl.utils.escape.unescape(cell.value or "") for cell in sheet["A"][1:]] == texts
        assert "<f>" not in zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode()

    @pytest.mark.parametrize(
        ("kind", "value", "cell", "type_"),
        [
            (Kind.INTEGER, 3, 3, "n"),
            (Kind.DECIMAL, Decimal("12.50"), 12.5, "n"),
            (Kind.BOOLEAN, True, True, "b"),
            (Kind.TEXT, "007", "007", "s"),
            (Kind.INTEGER, 999999999999999, 999999999999999, "n"),
            (Kind.INTEGER, 1234567890123456, "1234567890123456", "s"),
            (Kind.INTEGER, -1234567890123456789, "-1234567890123456789", "s"),
            (Kind.DECIMAL, Decimal("1234567890.1234567"), "1234567890.1234567", "s"),
            (Kind.DECIMAL, Decimal("0.000000000000001"), 1e-15, "n"),
            (Kind.DECIMAL, Decimal("NaN"), "NaN", "s"),
            (Kind.FLOAT, float("inf"), "Infinity", "s"),
            (Kind.FLOAT, -2.5, -2.5, "n"),
            (Kind.DATE, date(2024, 2, 29), datetime(2024, 2, 29), "d"),
            (Kind.DATE, date(1850, 1, 1), "1850-01-01", "s"),
            (Kind.INSTANT, datetime(2024, 7, 1, 22, 30, tzinfo=UTC), datetime(2024, 7, 2, 0, 30), "d"),
            # Twice there on that day, and finer than Excel keeps.
            (Kind.INSTANT, datetime(2024, 10, 27, 0, 30, tzinfo=UTC), "2024-10-27 02:30:00+02:00", "s"),
            (Kind.INSTANT, datetime(2024, 7, 1, 0, 0, 0, 1, tzinfo=UTC), "2024-07-01 02:00:00.000001+02:00", "s"),
            (Kind.TEXT, None, None, "n"),
            (Kind.TEXT, "", None, "n"),
        ],
    )
    def test_cells_keep_their_types(self, tmp_path, kind, value, cell, type_):
        path = tmp_path / "out.xlsx"
        written(path, [value], kind, format="xlsx")
        found = openpyxl.load_workbook(path)["Rows"]["A2"]
        assert (found.value, found.data_type) == (cell, type_)

    def test_an_instant_that_no_import_brings_back_stays_an_instant(self, tmp_path):
        path = tmp_path / "out.xlsx"
        instant = datetime(2024, 7, 1, 0, 0, 0, 400001, tzinfo=UTC)
        written(path, [instant], Kind.INSTANT, format="xlsx", comes_back=False)
        assert openpyxl.load_workbook(path)["Rows"]["A2"].data_type == "d"

    def test_the_look_of_it(self, tmp_path):
        path = tmp_path / "out.xlsx"
        written(path, ["a", "b"], format="xlsx", choices=("a", "b", "c, with comma"), longest=30)
        book = openpyxl.load_workbook(path)
        sheet = book["Rows"]
        assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B3")
        assert sheet["A1"].font.b and sheet["A1"].fill.fgColor.rgb == "FFE5E7EB"
        rule = sheet.data_validations.dataValidation[0]
        assert (str(rule.sqref), rule.formula1) == ("A2:A1048576", "Choices!$A$1:$A$3")
        assert [cell.value for cell in book["Choices"]["A"]] == ["a", "b", "c, with comma"]
        assert book["Choices"].sheet_state == "hidden"

    def test_one_to_edit_keeps_what_no_import_takes_from_being_changed(self, tmp_path):
        path = tmp_path / "out.xlsx"
        written(path, ["a"], format="xlsx-edit", locked=True, longest=30)
        sheet = openpyxl.load_workbook(path)["Rows"]
        assert sheet.protection.sheet
        assert sheet["A2"].protection.locked and not sheet["B2"].protection.locked
        written(path, ["a"], format="xlsx", locked=True)
        assert not openpyxl.load_workbook(path)["Rows"].protection.sheet

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
    def test_goes_on_in_the_next_sheet(self, tmp_path, count):
        path = tmp_path / "out.xlsx"
        look = Look(title="Rows", zone="UTC", rows_of_sheet=2)
        assert written(path, [f"v{n}" for n in range(count)], format="xlsx", look=look).rows == count
        book = CalamineWorkbook.from_path(path)
        sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
        assert book.sheet_names == ["Rows", "Rows (2)", "Rows (3)"][: max(1, -(-count // 2))]
        assert [row[0] for sheet in sheets for row in sheet[1:]] == [f"v{n}" for n in range(count)]
        assert all(sheet[0] == ["a", "n"] for sheet in sheets)

    def test_a_text_that_no_cell_holds_is_refused_and_leaves_no_file(self, tmp_path):
        path = tmp_path / "out.xlsx"
        with pytest.raises(WorkbookLimitReached, match="Row 2, column “a”: the text has 40,000 characters"):
            written(path, ["x", "y" * 40_000], format="xlsx")
        assert not list(tmp_path.iterdir())

    def test_many_columns(self, tmp_path):
        path = tmp_path / "out.xlsx"
        cells = [Cell(f"c{n}", "r.a", Kind.TEXT) for n in range(700)]
        look = Look(title="Rows", zone="UTC")
        for format in ("csv", "ndjson", "xlsx"):
            query = Query("SELECT 'x&y'::text AS a ORDER BY 1", (1,)[:0], cells)
            writer = QueryWriter(path, query, format=format, name="", look=look)
            list(writer.batches())
            assert writer.rows == 1
        sheet = openpyxl.load_workbook(path)["Rows"]
        assert sheet.cell(2, 700).value == "x&y"


def test_the_zone_is_put_back():
    with time_zone("Asia/Tokyo"), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('TimeZone')")
        assert cursor.fetchone() == ("Asia/Tokyo",)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('TimeZone')")
        assert cursor.fetchone() == ("UTC",)

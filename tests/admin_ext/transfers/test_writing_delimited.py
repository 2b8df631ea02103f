"""Rows become a CSV file: types, dialects, whole or nothing, and back again."""

import hashlib
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from admin_ext.transfers.reading import open_table
from admin_ext.transfers.writing import CsvWriter, NotLanded, strip_neutralising


def written(path, rows, header=("a", "b"), **options):
    with CsvWriter(path, header, **options) as out:
        for row in rows:
            out.write(row)
    return path.read_bytes()


def test_rfc_4180_is_commas_and_crlf(tmp_path):
    content = written(tmp_path / "out.csv", [["x,y", 'say "hi"'], ["line\nbreak", None]])
    assert content == b'a,b\r\n"x,y","say ""hi"""\r\n"line\nbreak",\r\n'


def test_excel_gets_semicolons_and_a_mark(tmp_path):
    assert written(tmp_path / "out.csv", [["Ærø", 1]], dialect="excel") == "\ufeffa;b\r\nÆrø;1\r\n".encode()


def test_tsv_gets_tabs(tmp_path):
    assert written(tmp_path / "out.csv", [["x", 1]], dialect="tsv") == b"a\tb\r\nx\t1\r\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (-3.5, "-3.5"),
        (Decimal("-3.50"), "-3.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-9"), "0.000000001"),
        (2.0, "2"),
        (-7, "-7"),
        (True, "true"),
        (False, "false"),
        (date(1899, 12, 31), "1899-12-31"),
        (datetime(2024, 3, 1, 9, 5, tzinfo=UTC), "2024-03-01 10:05:00+01:00"),
        ("-3.5", "-3.5"),
        ("=1+1", "'=1+1"),
        ("-2+3", "'-2+3"),
        ("007", "007"),
    ],
)
def test_every_type_is_written_plainly(tmp_path, value, text):
    content = written(tmp_path / "out.csv", [[value, "x"]], zone=ZoneInfo("Europe/Oslo"))
    assert content.decode() == f"a,b\r\n{text},x\r\n"


def test_an_unchanged_export_reads_back_as_it_was(tmp_path):
    texts = ["=1+1", "'=1+1", "-3.5", " padded ", "multi\r\nline", 'q"uote', "007", "Ærø", "a;b,c\td"]
    for dialect in ("rfc4180", "excel", "tsv"):
        path = tmp_path / f"{dialect}.csv"
        written(path, [[text, "end"] for text in texts], dialect=dialect)
        rows = list(open_table(path).rows())
        assert [strip_neutralising(row.cells[0]) for row in rows] == texts
        assert not any(row.problem for row in rows)


def test_rows_and_checksum_are_told_at_the_end(tmp_path):
    out = CsvWriter(tmp_path / "out.csv", ["a"])
    out.write([1])
    with pytest.raises(NotLanded):
        _ = out.sha256
    assert not (tmp_path / "out.csv").exists()
    out.close()
    out.close()
    assert out.rows == 1
    assert out.sha256 == hashlib.sha256((tmp_path / "out.csv").read_bytes()).hexdigest()


def test_an_exception_leaves_nothing_and_keeps_the_old_file(tmp_path):
    (tmp_path / "out.csv").write_text("yesterday")
    with pytest.raises(ZeroDivisionError), CsvWriter(tmp_path / "out.csv", ["a"]) as out:
        out.write([1 / 0])
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "yesterday"


def test_memory_does_not_grow_with_rows(tmp_path):
    with CsvWriter(tmp_path / "out.csv", ["a", "b"]) as out:
        out.write(["x", 1])
        tracemalloc.start()
        for number in range(50_000):
            out.write(["some text that takes room", number])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 500_000

"""What a person may say when looking is not enough, and kinds of file that mail brings: one test each."""

from datetime import datetime
from decimal import Decimal

import pytest
import xlsxwriter

from admin_ext.transfers.reading import CellError, FileNotReadable, NoRows, OptionNotUsable, ReadOptions, open_table
from tests.admin_ext.transfers.packages import make_package, sheet_xml, text_row


class TestAMendedHeader:
    def test_numbers_names_that_are_blank_or_stand_twice(self, read):
        table, rows = read("id,,name,name,name 2,\n1,2,3,4,5,\n", mend_header=True)
        assert table.header == ["id", "Column 2", "name", "name 3", "name 2"]
        assert rows[0].cells == ["1", "2", "3", "4", "5"]

    def test_reads_the_same_table_again_in_the_words_it_told(self, read, write):
        table, rows = read("a,a\n1,2\n", mend_header=True)
        assert list(open_table(write("a,a\n1,2\n"), options=table.detected).rows()) == rows

    def test_of_a_sheet(self, tmp_path):
        path = make_package(tmp_path / "x.xlsx", sheet_xml(text_row(1, "a", "a") + text_row(2, "x", "y")))
        with pytest.raises(FileNotReadable, match="have the header mended"):
            open_table(path)
        assert open_table(path, options=ReadOptions(mend_header=True)).header == ["a", "a 2"]

    def test_a_header_of_nothing_is_not_mended(self, write):
        with pytest.raises(FileNotReadable):
            open_table(write(",,\n,,\n"), options=ReadOptions(mend_header=True))


class TestAFooter:
    FILE = "a,b\n1,2\n3,4\nTotal,6\n(2 rows)\n"

    def test_is_a_row_unless_said_so(self, read):
        _, rows = read(self.FILE)
        assert [row.problem is None for row in rows] == [True, True, True, False]

    def test_is_left_out_when_said_so(self, read):
        table, rows = read(self.FILE, footer_rows=2)
        assert [row.cells for row in rows] == [["1", "2"], ["3", "4"]]
        assert "The last 2 rows are left out." in table.detected.notes
        assert [row.number for row in rows] == [row.number for row in table.rows()]

    def test_of_a_sheet(self, tmp_path):
        rows = text_row(1, "a", "b") + text_row(2, "x", "y") + text_row(3, "Total", "1")
        table = open_table(make_package(tmp_path / "x.xlsx", sheet_xml(rows)), options=ReadOptions(footer_rows=1))
        assert [row.cells for row in table.rows()] == [["x", "y"]]
        assert table.detected.footer_rows == 1

    def test_that_is_all_there_is(self, read):
        with pytest.raises(NoRows):
            read(self.FILE, footer_rows=4)

    def test_cannot_be_negative(self):
        with pytest.raises(OptionNotUsable):
            ReadOptions(footer_rows=-1)


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("utf-8", "naïve 😀"),
        ("utf-8-sig", "naïve 😀"),
        ("utf-16", "naïve 😀"),
        ("utf-16-le", "naïve"),
        ("utf-16-be", "naïve"),
        ("utf-32", "naïve 😀"),
        ("cp1252", "Straße “ö” €"),
        ("latin-1", "Straße öäü"),
        ("cp1251", "Съешь ещё этих мягких французских булок"),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("shift_jis", "日本語の名前と住所です"),
        ("gb18030", "我能吞下玻璃而不伤身体"),
    ],
)
def test_an_encoding_is_found(read, encoding, word):
    text = "name,number\n" + "".join(f"{word},{n}\n" for n in range(40))
    _, rows = read(text.encode(encoding))
    assert [row.cells for row in rows] == [[word, str(n)] for n in range(40)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends(read, delimiter, end):
    lines = [delimiter.join(cells) for cells in (["a", "b"], ["1", "2,5" if delimiter != "," else "2"], ["3", "4"])]
    _, rows = read(end.join(lines) + end)
    assert [row.cells[0] for row in rows] == ["1", "3"]
    assert all(row.problem is None for row in rows)


def test_a_number_that_is_none_is_an_error_of_its_cell(tmp_path):
    """Rust reads “NaN” and “inf” as numbers; nobody means them."""
    cells = "".join(
        f'<c r="{column}2"><v>{value}</v></c>' for column, value in zip("ABC", ("NaN", "inf", "1"), strict=True)
    )
    path = make_package(tmp_path / "x.xlsx", sheet_xml(text_row(1, "a", "b", "c") + f'<row r="2">{cells}</row>'))
    (row,) = open_table(path).rows()
    assert row.cells == [CellError("nan is no number"), CellError("inf is no number"), 1]


def test_text_numbers_stay_text_and_dates_of_1900_are_right(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "x.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["code", "day", "price"])
    sheet.write_string(1, 0, "00123")
    sheet.write_number(1, 1, 45351.5, book.add_format({"num_format": "yyyy-mm-dd hh:mm"}))
    sheet.write_number(1, 2, 1.1)
    book.close()
    (row,) = open_table(tmp_path / "x.xlsx").rows()
    assert row.cells == ["00123", datetime(2024, 2, 29, 12, 0), Decimal("1.1")]


class TestWhatOneLineMayCost:
    """Small versions of the bombs, quick enough for every run."""

    def test_a_header_that_looks_like_a_number_for_long(self, read):
        table, _ = read("a," + "1" * 200_000 + "x\n1,2\n3,4\n")
        assert len(table.header[1]) == 200_001

    def test_a_record_that_never_ends(self, read, monkeypatch):
        monkeypatch.setattr("admin_ext.transfers.reading.records.HEAVIEST_RECORD", 10_000)
        with pytest.raises(FileNotReadable, match=r"runs over more than .* \(line 2\)"):
            read("a,b\n" + '"\n",' * 1_000)

    def test_records_of_several_lines_are_weighed_one_by_one(self, read, monkeypatch):
        monkeypatch.setattr("admin_ext.transfers.reading.records.HEAVIEST_RECORD", 1_000)
        _, rows = read("a,b\n" + '"x\ny",1\n' * 1_000)
        assert len(rows) == 1_000

    def test_more_delimiters_than_any_table_has(self, read):
        with pytest.raises(FileNotReadable, match=r"1,200,001 values, more than the 16,384 columns .*\(line 3\)"):
            read("a,b\n1,2\n" + "," * 1_200_000 + "\n")

    def test_blank_lines_without_end(self, read, monkeypatch):
        monkeypatch.setattr("admin_ext.transfers.reading.delimited.MOST_BLANK_ROWS", 2_000)
        with pytest.raises(FileNotReadable, match="more than 2,000 blank lines"):
            read("a,b\n1,2\n" + "\n" * 3_000 + "3,4\n")

    def test_blank_lines_before_anything(self, read):
        with pytest.raises(FileNotReadable, match="more than 100,000 blank lines"):
            read("\n" * 150_000 + "a,b\n1,2\n")

    def test_a_broken_quote_on_every_line(self, read):
        """Each used to make every line after it slower, so that a file of them never came to an end."""
        _, rows = read("a,b\n" + '"x\ny"z,1\n' * 60_000)
        assert len(rows) >= 60_000

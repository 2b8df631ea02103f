"""A sheet of a workbook becomes rows: types, errors that are not blanks, headers, and which sheet."""

from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest
import xlsxwriter

from admin_ext.transfers.reading import CellError, EmptyFile, FileNotReadable, NoRows, ReadOptions, open_table
from tests.admin_ext.transfers.packages import make_package, sheet_xml, text_row


@pytest.fixture
def workbook(tmp_path):
    """Make a workbook from sheets of rows; a name that begins with "-" hides its sheet."""

    def make(merge=None, **sheets):
        path = tmp_path / "mailed.xlsx"
        book = xlsxwriter.Workbook(path)
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name.removeprefix("hidden_"))
            if name.startswith("hidden_"):
                sheet.hide()
            for number, row in enumerate(rows):
                for column, value in enumerate(row):
                    if isinstance(value, date):
                        style = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
                        sheet.write_datetime(number, column, value, style)
                    elif value is not None:
                        sheet.write(number, column, value)
            if merge:
                sheet.merge_range(*merge)
        book.close()
        return path

    return make


def rows_of(path, **options):
    return list(open_table(path, options=ReadOptions(**options)).rows())


class TestCells:
    def test_keep_their_types(self, workbook):
        path = workbook(S=[["a", "b", "c", "d", "e"], [1, 2.5, True, datetime(2024, 1, 2, 3, 4), "x"], [None, "y"]])
        first, second = rows_of(path)
        assert first.cells == [1, Decimal("2.5"), True, datetime(2024, 1, 2, 3, 4), "x"]
        assert [type(cell) for cell in first.cells] == [int, Decimal, bool, datetime, str]
        assert second.cells == [None, "y", None, None, None]

    def test_numbers_are_what_excel_shows(self, workbook):
        path = workbook(S=[["a", "b"], [0.1 + 0.2, 122.00999999999999], [-7, 1e20]])
        assert [row.cells for row in rows_of(path)] == [
            [Decimal("0.3"), Decimal("122.01")],
            [-7, Decimal("1E+20")],
        ]

    def test_errors_are_never_blank(self, tmp_path):
        error = '<c r="B2" t="e"><v>#N/A</v></c>'
        path = make_package(tmp_path / "x.xlsx", sheet_xml(text_row(1, "a", "b") + f'<row r="2">{error}</row>'))
        (row,) = rows_of(path)
        assert row.cells == [None, CellError("#N/A")]
        assert any("1 cells hold an error" in note for note in open_table(path).detected.notes)

    def test_a_formula_nobody_calculated_is_never_blank(self, tmp_path):
        path = tmp_path / "openpyxl.xlsx"
        book = openpyxl.Workbook()
        book.active.append(["a", "b"])
        book.active.append([1, "=A2*2"])
        book.save(path)
        (row,) = rows_of(path)
        assert row.cells[0] == 1
        assert isinstance(row.cells[1], CellError)
        assert "=A2*2" in str(row.cells[1])

    def test_a_calculated_formula_is_its_value_even_when_that_is_no_text(self, tmp_path):
        cells = '<c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>""</f><v></v></c><c r="C2"><v>5</v></c>'
        head = text_row(1, "a", "b", "c")
        (row,) = rows_of(make_package(tmp_path / "x.xlsx", sheet_xml(f'{head}<row r="2">{cells}</row>')))
        assert row.cells == [2, None, 5]

    def test_a_row_of_nothing_but_errors_at_the_end_is_a_row(self, tmp_path):
        rows = text_row(1, "a", "b") + text_row(2, "x", "y") + '<row r="4"><c r="A4" t="e"><v>#REF!</v></c></row>'
        read = rows_of(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))
        assert [(row.line, row.cells[0]) for row in read] == [(2, "x"), (4, CellError("#REF!"))]

    def test_a_row_of_nothing_but_uncalculated_formulas_at_the_end_is_a_row(self, tmp_path):
        rows = text_row(1, "a", "b") + text_row(2, "x", "y") + '<row r="5"><c r="B5"><f>SUM(B2:B4)</f></c></row>'
        last = rows_of(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))[-1]
        assert (last.line, str(last.cells[1])[:11]) == (5, "=SUM(B2:B4)")

    def test_places_are_counted_where_the_file_does_not_name_them(self, tmp_path):
        rows = (
            '<row><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><t>b</t></is></c></row>'
            '<row><c><v>1</v></c><c t="e"><v>#DIV/0!</v></c></row>'
        )
        (row,) = rows_of(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))
        assert row.cells == [1, CellError("#DIV/0!")]

    def test_long_numbers_keep_all_their_digits(self, tmp_path):
        rows = (
            text_row(1, "a", "b") + '<row r="2"><c r="A2"><v>12345678901234567891</v></c><c r="B2"><v>1</v></c></row>'
        )
        (row,) = rows_of(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))
        assert row.cells == [12345678901234567891, 1]

    def test_a_nul_character_is_an_error_of_its_cell(self, tmp_path):
        (row,) = rows_of(
            make_package(tmp_path / "x.xlsx", sheet_xml(text_row(1, "a", "b") + text_row(2, "x_x0000_", "y")))
        )
        assert row.cells == [CellError("text with a NUL character"), "y"]

    def test_dates_of_1904_workbooks_are_right(self, tmp_path):
        path = tmp_path / "mac.xlsx"
        book = xlsxwriter.Workbook(path, {"date_1904": True})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["day", "what"])
        sheet.write_datetime(1, 0, date(2024, 2, 29), book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write(1, 1, "x")
        book.close()
        assert rows_of(path)[0].cells[0] == date(2024, 2, 29)


class TestHeader:
    def test_titles_above_are_passed_over_and_rows_keep_their_numbers(self, workbook):
        path = workbook(S=[["Price list 2024"], [], ["SIN", "Name", "Price"], ["1", "nut", 2], [], ["2", "bolt", 3]])
        table = open_table(path)
        assert (table.header, table.detected.header_row) == (["SIN", "Name", "Price"], 3)
        assert [(row.number, row.line) for row in table.rows()] == [(1, 4), (2, 6)]
        assert table.blank_rows == 1

    def test_a_table_may_begin_in_any_column(self, workbook):
        path = workbook(S=[[None, None, "a", "b"], [None, None, 1, 2], ["stray", None, 3, 4]])
        table = open_table(path)
        good, stray = table.rows()
        assert (table.header, good.cells, good.problem) == (["a", "b"], [1, 2], None)
        assert "column A" in stray.problem

    def test_a_value_beyond_the_header_is_a_problem(self, workbook):
        (row,) = rows_of(workbook(S=[["a", "b"], [1, 2, None, "lost?"]]))
        assert "column D" in row.problem

    def test_merged_names_stand_for_every_column(self, workbook):
        path = workbook(S=[["Name", "Price", None], ["nut", 1, 2]], merge=(0, 1, 0, 2, "Price"))
        assert open_table(path).header == ["Name", "Price", "Price 2"]

    def test_double_and_blank_names_are_refused_by_name(self, workbook):
        with pytest.raises(FileNotReadable, match="“a” in columns 1, 3") as refused:
            open_table(workbook(S=[["a", "b", "a"], ["x", "y", "z"]]))
        assert (refused.value.sheet, refused.value.line) == ("S", 1)

    def test_the_person_may_point_at_the_header_or_say_there_is_none(self, workbook):
        path = workbook(S=[["a", "b"], ["c", "d"], [1, 2]])
        assert open_table(path, options=ReadOptions(header_row=2)).header == ["c", "d"]
        assert [row.line for row in rows_of(path, header_row=0)] == [1, 2, 3]

    def test_a_row_beyond_the_end_cannot_be_the_header(self, workbook):
        with pytest.raises(FileNotReadable, match="ends before row 9"):
            open_table(workbook(S=[["a", "b"], [1, 2]]), options=ReadOptions(header_row=9))


class TestSheets:
    TABLE = [["a", "b"], [1, 2]]

    def test_the_first_visible_table_is_read_and_told(self, workbook):
        table = open_table(
            workbook(Read_me=[["Please fill in"], ["all of it"]], hidden_Codes=self.TABLE, Data=self.TABLE)
        )
        assert table.detected.sheet == "Data"
        assert [(sheet.name, sheet.hidden) for sheet in table.sheets] == [
            ("Read_me", False),
            ("Codes", True),
            ("Data", False),
        ]
        assert any("“Data” is read" in note for note in table.detected.notes)
        assert any("Hidden sheets" in note and "“Codes”" in note for note in table.detected.notes)

    def test_a_hidden_sheet_is_read_when_asked_for(self, workbook):
        path = workbook(Data=self.TABLE, hidden_Codes=[["x", "y"], [3, 4]])
        assert rows_of(path, sheet="Codes")[0].cells == [3, 4]

    def test_an_unknown_sheet_is_refused_with_those_there_are(self, workbook):
        with pytest.raises(FileNotReadable, match=r"“Dta”.*“Data”"):
            open_table(workbook(Data=self.TABLE), options=ReadOptions(sheet="Dta"))

    def test_a_sheet_passed_over_for_its_header_is_told(self, workbook):
        table = open_table(workbook(Orders=[["a", "a", "b"], ["x", "y", "z"]], Data=self.TABLE))
        assert any("“Orders” was passed over" in note for note in table.detected.notes)

    def test_a_workbook_without_rows_is_never_a_success(self, workbook):
        with pytest.raises(NoRows):
            open_table(workbook(S=[["a", "b"]]))
        with pytest.raises(EmptyFile):
            open_table(workbook(S=[]))
        with pytest.raises(EmptyFile, match="Hidden sheets are read when chosen by name: Codes"):
            open_table(workbook(S=[], hidden_Codes=self.TABLE))

    def test_what_was_detected_reads_the_same_table_again(self, workbook):
        path = workbook(Read_me=[["x"]], Data=[["Title"], [], *self.TABLE])
        table = open_table(path)
        again = open_table(path, options=table.detected)
        assert (again.header, again.detected, list(again.rows())) == (table.header, table.detected, list(table.rows()))

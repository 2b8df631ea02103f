"""A delimited file becomes rows: dialects, lines, ragged rows and broken quotes."""

import re
import tracemalloc

import pytest

from admin_ext.transfers.reading import EmptyFile, FileNotReadable, NoRows, OptionNotUsable, ReadOptions, open_table
from admin_ext.transfers.reading.records import LONGEST_CELL


def cells(rows):
    return [row.cells for row in rows]


class TestDialects:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_finds_the_delimiter(self, read, delimiter):
        table, rows = read(delimiter.join(["id", "name"]) + "\n" + delimiter.join(["1", "Ann"]) + "\n")
        assert (table.detected.delimiter, table.header, cells(rows)) == (delimiter, ["id", "name"], [["1", "Ann"]])

    def test_prefers_semicolons_to_decimal_commas(self, read):
        table, rows = read("name;price\nnut;1,50\nbolt;2,25\n")
        assert table.detected.delimiter == ";"
        assert cells(rows) == [["nut", "1,50"], ["bolt", "2,25"]]

    def test_prefers_semicolons_even_when_commas_are_as_regular(self, read):
        table, _ = read("name;price, net\nnut;1,50\nbolt;2,25\n")
        assert table.header == ["name", "price, net"]

    def test_the_header_decides_when_rows_are_ragged(self, read):
        table, rows = read("name;note;price\n" + "nut;red;1,50\n" * 10 + "bolt;a;b;2,25\n" * 3)
        assert table.header == ["name", "note", "price"]
        assert sum(row.problem is not None for row in rows) == 3

    def test_does_not_count_delimiters_inside_quotes(self, read):
        table, _ = read('a;b\n"x,y,z";1\n"p,q,r";2\n')
        assert table.detected.delimiter == ";"

    def test_obeys_the_sep_line_and_counts_it(self, read):
        table, rows = read("sep=|\na|b\n1|2\n")
        assert table.header == ["a", "b"]
        assert [row.line for row in rows] == [3]

    def test_takes_single_quotes_when_values_are_wrapped_in_them(self, read):
        _, rows = read("a,b\n'x, y','z'\n'p','q'\n")
        assert cells(rows) == [["x, y", "z"], ["p", "q"]]

    def test_takes_a_backslash_for_an_escape_only_where_it_must(self, read):
        _, rows = read('a,b\n"say \\"hi\\" now",1\n')
        assert cells(rows) == [['say "hi" now', "1"]]
        _, rows = read('a,b\n"C:\\dir\\",1\n')
        assert cells(rows) == [["C:\\dir\\", "1"]]

    def test_blanks_between_delimiter_and_quote_are_layout(self, read):
        _, rows = read('"a", "b"\n"1, 2", "3"\n')
        assert cells(rows) == [["1, 2", "3"]]

    @pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
    def test_reads_all_line_endings(self, read, ending):
        _, rows = read(ending.join(["a,b", "1,2", "3,4"]))
        assert [(row.line, row.cells) for row in rows] == [(2, ["1", "2"]), (3, ["3", "4"])]

    def test_what_was_detected_reads_the_same_table_again(self, write):
        path = write("Report\n\nid;név\n1;ő\n".encode("cp1250"))
        table = open_table(path)
        again = open_table(path, options=ReadOptions.from_json(table.detected.to_json()))
        assert (again.header, again.detected) == (table.header, table.detected)
        assert list(again.rows()) == list(table.rows())

    def test_what_the_person_says_wins(self, read):
        table, rows = read("a,b;c\n1,2;3\n", delimiter=";")
        assert (table.header, cells(rows)) == (["a,b", "c"], [["1,2", "3"]])


class TestHeader:
    def test_passes_over_an_obvious_title(self, read):
        table, rows = read("Invoices over 250,,\n,,\nname,amount,paid\nAnn,3,2024-01-01\n")
        assert (table.header, table.detected.header_row) == (["name", "amount", "paid"], 3)
        assert rows[0].line == 4
        assert any("line 1" in note for note in table.detected.notes)

    def test_does_not_take_a_row_of_data_for_the_header(self, read):
        table, rows = read("name,city\nSmith,John,Oslo\nDoe,Jane,Rome\n")
        assert table.header == ["name", "city"]
        assert len(rows) == 2
        assert all(row.problem for row in rows)

    def test_a_title_is_told_from_a_narrow_header_by_the_values_below(self, read):
        assert read("Report\nname,amount,paid\nAnn,3,x\n")[0].header == ["name", "amount", "paid"]
        assert read("name\nSmith,John,Oslo\nDoe,Jane,Rome\n")[0].header == ["name"]

    def test_the_person_may_point_at_the_header(self, read):
        table, rows = read("some notes\nmore, notes\nid,name\n1,Ann\n", header_row=3)
        assert (table.header, rows[0].line) == (["id", "name"], 4)

    def test_a_file_without_a_header_is_read_when_told_so(self, read):
        table, rows = read("1,Ann\n2,Bob\n", header_row=0)
        assert table.header == ["Column 1", "Column 2"]
        assert [row.line for row in rows] == [1, 2]

    def test_says_when_a_name_looks_like_a_value(self, read):
        table, _ = read("1,Ann\n2,Bob\n")
        assert any("looks like a value" in note for note in table.detected.notes)

    def test_refuses_double_names_and_tells_them(self, write):
        with pytest.raises(FileNotReadable, match=re.escape("“id” in columns 1, 3")) as refused:
            open_table(write("id,name,id\n1,2,3\n"))
        assert (refused.value.line, refused.value.column) == (1, 3)

    def test_refuses_a_blank_name_and_tells_the_column(self, write):
        with pytest.raises(FileNotReadable, match="without a name in the header: 2"):
            open_table(write("id,,name\n1,2,3\n"))

    def test_tolerates_blank_names_at_the_end_while_the_columns_are_empty(self, read):
        table, rows = read("id,name,,\n1,Ann,,\n2,Bob,,x\n")
        assert table.header == ["id", "name"]
        assert rows[0].cells == ["1", "Ann"]
        assert "column 4" in rows[1].problem

    def test_refuses_more_columns_than_a_table_may_have(self, write):
        wide = ",".join(f"c{number}" for number in range(20_000))
        with pytest.raises(FileNotReadable, match="20,000 columns"):
            open_table(write(f"{wide}\n{wide}\n"))


class TestRaggedRows:
    def test_flags_a_comma_inside_an_unquoted_value(self, read):
        _, rows = read("a,b,c\n1,2,3\n1,2,x,3\n1,2,3\n")
        assert [bool(row.problem) for row in rows] == [False, True, False]
        assert rows[1].problem.startswith("has 4 values where the header has 3: a comma inside an unquoted value")
        assert rows[1].cells == ["1", "2", "x", "3"]

    def test_flags_a_shifted_row_whose_last_value_was_empty(self, read):
        _, rows = read("a,b\n1,2\nx,y,\n")
        assert rows[1].problem

    def test_a_value_too_many_in_every_row_is_no_closing_delimiter(self, read):
        _, rows = read("a,b\n1,2,x\n3,4,y\n")
        assert all("has 3 values where the header has 2" in row.problem for row in rows)

    def test_flags_a_missing_value(self, read):
        _, rows = read("a,b,c\n1,2\n1,2,3\n")
        assert "has 2 values where the header has 3" in rows[0].problem

    def test_tolerates_a_delimiter_at_the_end_of_every_row(self, read):
        _, rows = read("a,b\n1,2,\n3,4,\n")
        assert [(row.cells, row.problem) for row in rows] == [(["1", "2"], None), (["3", "4"], None)]

    def test_counts_blank_rows_and_gives_the_others_their_lines(self, read):
        table, rows = read("a,b\n\n1,2\n,\n3,4\n\n")
        assert [(row.number, row.line) for row in rows] == [(1, 3), (2, 5)]
        assert table.blank_rows == 3


class TestQuotes:
    def test_lines_stay_right_behind_a_quoted_line_break(self, read):
        _, rows = read('a,b\n"one\ntwo\nthree",1\nx,2\n')
        assert [(row.line, row.cells[0]) for row in rows] == [(2, "one\ntwo\nthree"), (5, "x")]

    def test_an_unclosed_quote_costs_one_row_and_tells_its_line(self, read):
        _, rows = read('a,b\n1,x\n2,"y\n3,z\n4,"w"\n')
        assert [(row.line, bool(row.problem)) for row in rows] == [(2, False), (3, True), (4, False), (5, False)]
        assert "the quote opened on line 3 is never closed" in rows[1].problem
        assert cells(rows[2:]) == [["3", "z"], ["4", "w"]]

    def test_an_unclosed_quote_at_the_end_is_told(self, read):
        _, rows = read('a,b\n1,x\n2,"y\n')
        assert "line 3" in rows[1].problem

    def test_a_quote_that_opens_late_in_a_record_is_found(self, read):
        _, rows = read('a,b,c\n"x\ny",1,"z\n5,6,7\n8,9,"0"\n')
        assert "opened on line 3" in rows[0].problem
        assert [row.line for row in rows] == [2, 4, 5]

    def test_doubled_quotes_are_not_an_opening(self, read):
        _, rows = read('a,b\n1,"x ""y\nz"" \n2,w\n3,"v"\n')
        assert "opened on line 2" in rows[0].problem

    def test_a_quote_inside_a_quoted_value_is_a_problem_of_that_row(self, read):
        _, rows = read('a,b\n"5" pipe",1\n6,2\n')
        assert "write it twice" in rows[0].problem
        assert cells(rows[1:]) == [["6", "2"]]

    def test_a_quote_inside_a_plain_value_is_part_of_it(self, read):
        _, rows = read('a,b\n5" pipe,1\n')
        assert cells(rows) == [['5" pipe', "1"]]

    def test_every_line_is_accounted_for_when_quotes_break_everywhere(self, read):
        _, rows = read("a,b\n" + '1,"x\n' * 5_000)
        assert [row.line for row in rows] == list(range(2, 5_002))

    def test_an_unclosed_quote_in_a_long_file_does_not_swallow_the_rest(self, read):
        _, rows = read('a,b\n1,"open\n' + "2,filler that goes on and on and on\n" * 60_000)
        assert len(rows) == 60_001
        assert "opened on line 2 is not closed within 1,000,000 characters" in rows[0].problem
        assert not any(row.problem for row in rows[1:])

    def test_long_cells_are_read_up_to_the_limit(self, read):
        _, rows = read(f"a,b\n{'x' * 200_000},1\n{'y' * (LONGEST_CELL + 1)},2\nz,3\n")
        assert len(rows[0].cells[0]) == 200_000
        assert "longer than 1,000,000" in rows[1].problem
        assert rows[2].cells == ["z", "3"]


def test_memory_does_not_grow_with_rows(write):
    table = open_table(write("a,b\n" + "some text that takes room,1\n" * 100_000))
    tracemalloc.start()
    assert sum(1 for _ in table.rows()) == 100_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


class TestNothingToRead:
    @pytest.mark.parametrize("content", ["", "\n", "\n\n  \n", "\ufeff", "\r\n\r\n"])
    def test_an_empty_file_is_told(self, write, content):
        with pytest.raises(EmptyFile):
            open_table(write(content))

    @pytest.mark.parametrize("content", ["a,b", "a,b\n", "a,b\n\n,\n", "a\n" + "\n" * 20_000])
    def test_a_header_without_rows_is_never_a_success(self, write, content):
        with pytest.raises(NoRows, match="no rows below the header"):
            list(open_table(write(content)).rows())

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b"%PDF-1.7 ...", "a PDF document"),
            (b"\x89PNG\r\n\x1a\n....", "an image"),
            (b"<!DOCTYPE html><html>", "a web page"),
            (b"\n <HTML><body>", "a web page"),
            (b'<?xml version="1.0"?><a/>', "an XML document"),
            (b'{"a": 1}\n{"a": 2}', "a JSON document"),
            (b'[\n {"a": 1}]', "a JSON document"),
            (b"\x1f\x8b\x08....", "a compressed file"),
            (bytes(range(1, 32)) * 40, "binary data"),
        ],
    )
    def test_other_files_are_refused_by_their_name(self, write, content, name):
        with pytest.raises(FileNotReadable, match=re.escape(f"The file is {name}")):
            open_table(write(content))

    def test_a_wish_for_another_format_does_not_change_what_it_is(self, write):
        with pytest.raises(FileNotReadable, match="delimited text, not a workbook"):
            open_table(write("a,b\n1,2\n"), options=ReadOptions(format="xlsx"))


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [{"delimiter": ";;"}, {"encoding": "klingon"}, {"encoding": "hex"}, {"header_row": -1}, {"format": "doc"}],
    )
    def test_refuse_what_can_mean_nothing(self, options):
        with pytest.raises(OptionNotUsable):
            ReadOptions(**options)

    def test_survive_json(self):
        options = ReadOptions(format="csv", delimiter="\t", header_row=3, notes=("Read as UTF-8.",))
        stored = options.to_json()
        assert ReadOptions.from_json(stored | {"gone": 1}) == options
        assert ReadOptions.from_json(stored).notes == options.notes

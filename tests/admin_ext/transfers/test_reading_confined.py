"""A workbook is read by a process of its own; whatever becomes of that, people are told, and the asker lives on."""

import json
import os
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
import xlsxwriter

from admin_ext.transfers.reading import (
    CellError,
    FileNotReadable,
    Limits,
    NoRows,
    ReadOptions,
    confined,
    open_table,
    wire,
)
from admin_ext.transfers.reading.opening import open_here
from admin_ext.transfers.reading.table import Row
from tests.admin_ext.transfers.packages import make_package, sheet_xml, text_row

TWO_ROWS = sheet_xml(text_row(1, "a", "b") + text_row(2, "x", "y") + text_row(3, "z", "z"))


@pytest.fixture
def instead(monkeypatch):
    """Let other code run where the reader should."""

    def run(code):
        monkeypatch.setattr(confined, "_CHILD", ("-c", f"import json, os, signal, sys\n{code}"))

    return run


@pytest.fixture
def book(tmp_path):
    return make_package(tmp_path / "x.xlsx", TWO_ROWS)


def refused(path, **limits):
    with pytest.raises(FileNotReadable) as fact:
        list(open_table(path, limits=Limits(**limits)).rows())
    return str(fact.value)


def is_gone(process):
    return process.returncode is not None


class TestNothingIsLostOnTheWay:
    CELLS = [
        *("text", "", "it's “quoted”\nand \u2028 more", "\ud800", "[]", '["error", "no"]'),
        *(0, -1, 10**30, True, False, None),
        *(Decimal("0.10"), Decimal("-1E+20"), CellError("#N/A")),
        *(date(1900, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), time(0, 0, 1), timedelta(days=-3, seconds=5)),
    ]

    def test_cells_keep_value_and_type(self):
        frame = wire.pack({"rows": [Row(7, 9, self.CELLS, "a problem")]})
        (row,) = wire.unpack(frame[wire.LENGTH :])["rows"]
        assert row == Row(7, 9, self.CELLS, "a problem")
        assert [type(cell) for cell in row.cells] == [type(cell) for cell in self.CELLS]

    def test_a_whole_workbook_is_the_same_here_and_there(self, tmp_path):
        path = tmp_path / "x.xlsx"
        book = xlsxwriter.Workbook(path)
        sheet = book.add_worksheet("Data")
        book.add_worksheet("Codes").hide()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["a", "b", "c", "d"])
        for number in range(1, 3001):
            sheet.write_row(number, 0, [number, number / 7, number % 2 == 0])
            sheet.write_datetime(number, 3, date(2020, 1, 1) + timedelta(days=number), day)
        book.close()
        there = open_table(path)
        here = open_here(path, options=ReadOptions(), limits=Limits())
        assert (there.header, there.detected, there.sheets) == (here.header, here.detected, here.sheets)
        assert there.detected.notes == here.detected.notes
        assert list(there.rows()) == list(here.rows())
        assert there.blank_rows == here.blank_rows

    def test_rows_can_be_asked_for_again(self, book):
        table = open_table(book)
        assert [row.cells for row in table.rows()] == [row.cells for row in table.rows()] == [["x", "y"], ["z", "z"]]

    def test_a_refusal_keeps_its_kind_and_its_place(self, tmp_path):
        path = make_package(tmp_path / "x.xlsx", sheet_xml(text_row(3, "a", "b")))
        with pytest.raises(NoRows) as fact:
            open_table(path)
        assert (fact.value.sheet, fact.value.line) == ("S1", 3)


class TestTheReaderDies:
    @pytest.mark.parametrize(
        ("end", "told"),
        [
            ("os.kill(os.getpid(), signal.SIGSEGV)", "damaged in a way that stops the program"),
            ("os.kill(os.getpid(), signal.SIGABRT)", "damaged, or reading it takes more than 1,024 MB"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "takes more than 1,024 MB of memory"),
            ("os.kill(os.getpid(), signal.SIGXCPU)", "takes longer than 60 seconds"),
            ("os._exit(77)", "takes more than 1,024 MB of memory"),
            ("raise SystemExit(1)", "damaged in a way that stops the program"),
            ("os._exit(0)", "damaged in a way that stops the program"),
        ],
    )
    def test_at_once(self, book, instead, end, told):
        instead(end)
        assert told in refused(book)

    def test_in_the_middle_of_the_rows(self, book, instead):
        opening = {"table": {"detected": ReadOptions(format="xlsx").to_json(), "header": ["a"], "sheets": []}}
        frames = wire.pack(opening) + wire.pack({"rows": [Row(1, 2, ["x"])]})
        instead(f"os.write(1, {frames!r}); os.kill(os.getpid(), signal.SIGSEGV)")
        rows = open_table(book).rows()
        assert next(rows).cells == ["x"]
        with pytest.raises(FileNotReadable, match="stops the program"):
            next(rows)

    @pytest.mark.parametrize(
        "frame",
        [
            b"\xff\xff\xff\xff",
            b"\0\0\0\x02{]",
            b"\0\0\0\x02[]",
            b"\0\0\0\x02{}",
            (9_000).to_bytes(4, "big") + b"[" * 9_000,
            (lambda body: len(body).to_bytes(4, "big") + body)(b'{"table": {"header": 3}}'),
            (lambda body: len(body).to_bytes(4, "big") + body)(b'{"rows": [[1, 2, [["object", "x"]], null]]}'),
            (lambda body: len(body).to_bytes(4, "big") + body)(b'{"rows": [[1, 2, [["number", "x"]], null]]}'),
        ],
    )
    def test_nonsense_is_not_believed(self, book, instead, frame):
        instead(f"os.write(1, {frame!r})")
        assert "stops the program" in refused(book)

    def test_silence_ends(self, book, instead):
        instead("import time; time.sleep(30)")
        assert "takes longer than 1 seconds" in refused(book, wait_seconds=1)


class TestLimits:
    def test_memory_that_a_small_file_asks_for(self, tmp_path):
        """calamine copies a shared text into every cell that uses it: 300 KB of file, 2 GB of memory."""
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        texts = f'<sst xmlns="{main}"><si><t>{"x" * (1 << 20)}</t></si></sst>'.encode()
        rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 2000))
        path = make_package(
            tmp_path / "x.xlsx", sheet_xml(text_row(1, "a") + rows), extra={"xl/sharedStrings.xml": texts}
        )
        assert path.stat().st_size < 300_000
        assert re.search("takes more than 1,024 MB of memory", refused(path))

    def test_processor_time(self, tmp_path):
        cells = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}.5</v></c></row>' for n in range(2, 400_000))
        path = make_package(tmp_path / "x.xlsx", sheet_xml(text_row(1, "a") + cells))
        assert "takes longer than 1 seconds" in refused(path, cpu_seconds=1)

    def test_a_large_file_is_refused_before_it_is_opened(self, book):
        assert "larger than 0 MB" in refused(book, packed_mb=0)

    def test_the_reader_is_bound(self, book, instead):
        """Asked in the reader itself, after it has bound itself: no file, no core, no more memory than said."""
        instead(
            "import resource\n"
            "from admin_ext.transfers.reading import Limits\n"
            "from admin_ext.transfers.reading.wire import pack\n"
            "Limits(memory_mb=700).hold_this_process()\n"
            "names = ('RLIMIT_AS', 'RLIMIT_CPU', 'RLIMIT_FSIZE', 'RLIMIT_CORE', 'RLIMIT_NPROC')\n"
            "bound = {name: resource.getrlimit(getattr(resource, name))[0] for name in names}\n"
            "os.write(1, pack({'refused': {'message': json.dumps(bound)}}))"
        )
        bound = json.loads(refused(book).removesuffix("."))
        assert bound == {
            "RLIMIT_AS": 700 << 20,
            "RLIMIT_CPU": 60,
            "RLIMIT_FSIZE": 0,
            "RLIMIT_CORE": 0,
            "RLIMIT_NPROC": 0,
        }

    def test_the_reader_is_told_no_secret(self, book, instead, monkeypatch):
        monkeypatch.setenv("SECRET_KEY", "s3cret")
        monkeypatch.setenv("DATABASE_URL", "postgres://owner:password@db/x")
        instead(
            "from admin_ext.transfers.reading.wire import pack\n"
            "os.write(1, pack({'refused': {'message': json.dumps(dict(os.environ))}}))"
        )
        told = json.loads(refused(book).removesuffix("."))
        assert told.keys() <= {*confined._PASSED_ON, "PYTHONPATH", "PYTHONUTF8", "LC_CTYPE"}
        assert "s3cret" not in str(told)

    def test_the_reader_inherits_no_open_file(self, book, instead):
        secret = os.open(__file__, os.O_RDONLY)
        os.set_inheritable(secret, True)
        instead(
            "from admin_ext.transfers.reading.wire import pack\n"
            f"try:\n    os.fstat({secret}); told = 'open'\nexcept OSError:\n    told = 'closed'\n"
            "os.write(1, pack({'refused': {'message': told}}))"
        )
        try:
            assert refused(book) == "closed."
        finally:
            os.close(secret)


class TestNoReaderIsLeftBehind:
    @pytest.fixture
    def readers(self, monkeypatch):
        """The processes that were started."""
        started = []
        popen = confined.subprocess.Popen

        def start(*words, **options):
            started.append(popen(*words, **options))
            return started[-1]

        monkeypatch.setattr(confined.subprocess, "Popen", start)
        return started

    def test_after_the_last_row(self, book, readers):
        list(open_table(book).rows())
        assert [is_gone(process) for process in readers] == [True]

    def test_when_nobody_asks_for_more(self, book, readers):
        rows = open_table(book).rows()
        next(rows)
        rows.close()
        assert [is_gone(process) for process in readers] == [True]

    def test_when_the_table_is_forgotten(self, book, readers):
        table = open_table(book)
        assert not is_gone(readers[0])
        del table
        assert is_gone(readers[0])

    def test_after_a_refusal(self, tmp_path, readers):
        refused(make_package(tmp_path / "x.xlsx", sheet_xml("")))
        assert [is_gone(process) for process in readers] == [True]

    def test_text_needs_none(self, write, readers):
        list(open_table(write("a,b\n1,2\n")).rows())
        assert readers == []

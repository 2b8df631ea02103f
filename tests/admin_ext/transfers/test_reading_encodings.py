"""The encoding of a text file is found, told, and never silently wrong."""

import pytest

from admin_ext.transfers.reading import FileNotReadable, ReadOptions, open_table
from admin_ext.transfers.reading.encoding import LONGEST_LINE


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_reads_every_unicode_encoding_with_and_without_a_mark(read, encoding):
    text = "name,city,country\nÅse,Tromsø,Norway\n" * 3
    table, rows = read(text.encode(encoding))
    assert table.header == ["name", "city", "country"]
    assert rows[0].cells == ["Åse", "Tromsø", "Norway"]


def test_a_single_accent_is_read_as_windows_1252_and_told(read):
    table, rows = read("id,name\n1,Ærø\n".encode("cp1252"))
    assert rows[0].cells == ["1", "Ærø"]
    assert any("Windows-1252" in note and "line 2" in note for note in table.detected.notes)


def test_too_few_accents_to_guess_from_are_western(read):
    _, rows = read(b"a,b,c\n1,2,3\n4,5,\xa9")
    assert rows[1].cells == ["4", "5", "©"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp932", "名前,年齢\n山田太郎,25\n佐藤花子,30\n鈴木一郎,28\n高橋美咲,22\n"),
        ("cp1251", "имя,город\n" + "Иван Петров,Москва\nАнна Сидорова,Новгород\n" * 5),
        ("cp1252", "nombre,descripción\n" + "Señor Muñoz,Año de gestión\nNiño,Acción y razón\n" * 5),
    ],
)
def test_letters_enough_speak_for_their_encoding(read, encoding, text):
    table, rows = read(text.encode(encoding))
    assert table.detected.encoding == encoding
    assert rows[0].cells == text.splitlines()[1].split(",")


def test_the_accent_may_come_late_in_the_file(read):
    lines = b"id,name\n" + b"1,plain\n" * 300_000 + "2,Ærø\n".encode("cp1252")
    _, rows = read(lines)
    assert rows[-1].cells == ["2", "Ærø"]


def test_a_few_broken_bytes_do_not_make_utf8_something_else(read):
    content = ("id,name\n" + "1,Ærø Kro\n" * 5).encode() + b"2,Caf\xe9\n" + "3,Åse\n".encode()
    table, rows = read(content)
    assert table.detected.encoding == "utf-8"
    assert rows[4].cells == ["1", "Ærø Kro"]
    assert "the byte 0xE9 in column 2 is not utf-8 text" in rows[5].problem
    assert rows[5].cells == ["2", "Caf\ufffd"]
    assert rows[6].cells == ["3", "Åse"]


def test_the_encoding_asked_for_is_used_and_its_failures_are_rows(read):
    _, rows = read(b"id,name\n1,\xe9\n2,x\n", encoding="utf-8")
    assert [bool(row.problem) for row in rows] == [True, False]


def test_a_mark_is_never_part_of_the_first_name(read):
    table, _ = read("id,name\n1,é\n".encode("utf-8-sig"), encoding="utf8")
    assert table.header == ["id", "name"]


def test_a_text_cut_in_the_middle_of_a_letter_is_told(write):
    with pytest.raises(FileNotReadable, match="not utf-16 text"):
        list(open_table(write("a,b\n1,2\n".encode("utf-16")[:-1])).rows())


def test_a_nul_byte_is_refused_with_its_line(write):
    with pytest.raises(FileNotReadable, match="NUL byte") as refused:
        open_table(write(b"a,b\n1,2\r\n3,\0\n"))
    assert refused.value.line == 3


def test_a_nul_character_in_utf16_is_refused_too(write):
    with pytest.raises(FileNotReadable, match="NUL"):
        open_table(write("a,b\n1,2\n3,\0\n".encode("utf-16")))


def test_lines_are_counted_over_the_seams_of_reading(write):
    # The CR and the LF of line 2 fall into two different pieces of a megabyte.
    first = b"a,b\n" + b"x" * ((1 << 20) - 5) + b"\r\n"
    with pytest.raises(FileNotReadable) as refused:
        open_table(write(first + b"1,2\n\0"))
    assert refused.value.line == 4


def test_a_line_without_end_is_refused_before_it_is_in_memory(write):
    with pytest.raises(FileNotReadable, match="longer than 16 MB"):
        open_table(write(b"a,b\n" + b"x" * (LONGEST_LINE + (1 << 20) + 1)), options=ReadOptions(delimiter=","))

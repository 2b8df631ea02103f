"""A workbook is a ZIP of XML made by someone else; nothing in it may cost more than it should."""

import io
import zipfile

import pytest

from admin_ext.transfers.reading import FileNotReadable, Limits, open_table
from tests.admin_ext.transfers.packages import make_package, sheet_xml, text_row

HONEST = sheet_xml(text_row(1, "a", "b") + text_row(2, "x", "y"))


def refused(path, **limits):
    with pytest.raises(FileNotReadable) as fact:
        open_table(path, limits=Limits(**limits))
    return str(fact.value)


def test_the_honest_one_is_read(tmp_path):
    assert len(list(open_table(make_package(tmp_path / "x.xlsx", HONEST)).rows())) == 1


def test_the_name_of_the_file_proves_nothing(tmp_path):
    assert open_table(make_package(tmp_path / "orders.csv", HONEST)).detected.format == "xlsx"


def test_a_part_that_grows_beyond_measure(tmp_path):
    bomb = sheet_xml(text_row(1, "a", "b") + " " * (40 << 20))
    assert "grows more than 200 times" in refused(make_package(tmp_path / "x.xlsx", bomb))


def test_parts_that_grow_beyond_measure_together(tmp_path):
    extra = {f"xl/media/{number}.bin": b"\0" * (300 << 10) for number in range(4)}
    assert "grows beyond 1 MB" in refused(make_package(tmp_path / "x.xlsx", HONEST, extra=extra), inflated_mb=1)


def test_too_many_parts(tmp_path):
    extra = {f"xl/media/{number}.txt": b"" for number in range(60)}
    assert "more than the 50 allowed" in refused(make_package(tmp_path / "x.xlsx", HONEST, extra=extra), entries=50)


def test_an_archive_in_the_archive(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x", "y")
    assert "another archive" in refused(make_package(tmp_path / "x.xlsx", HONEST, extra={"xl/a.bin": inner.getvalue()}))


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_a_document_type_definition(tmp_path, encoding):
    bomb = '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]><lolz>&lol2;</lolz>'
    extra = {"docProps/app.xml": bomb.encode(encoding)}
    assert "document type definition" in refused(make_package(tmp_path / "x.xlsx", HONEST, extra=extra))


def test_a_document_type_definition_in_the_sheet_cut_by_the_reading(tmp_path):
    filler = "<!-- " + "x" * ((1 << 20) - 35) + " -->"
    sheet = sheet_xml(text_row(1, "a", "b"), before=filler + "<!DOCTYPE worksheet>")
    assert "document type definition" in refused(make_package(tmp_path / "x.xlsx", sheet))


def test_two_cells_at_the_far_corners_do_not_span_a_world(tmp_path):
    rows = text_row(1, "a", "b") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    assert "reach to XFD1048576" in refused(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))


def test_cells_that_do_not_name_their_places_are_counted(tmp_path):
    nameless = "<c><v>1</v></c>" * 12
    rows = text_row(1, "a", "b") + f'<row r="1000000">{nameless}</row>'
    assert "reach to L1000000" in refused(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))


def test_more_columns_than_excel_has(tmp_path):
    rows = text_row(1, "a", "b") + '<row r="2"><c r="ZZZZ2"><v>1</v></c></row>'
    assert "reach to ZZZZ2" in refused(make_package(tmp_path / "x.xlsx", sheet_xml(rows)))


def test_texts_claimed_but_not_there(tmp_path):
    claim = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="999999999"/>'
    path = make_package(tmp_path / "x.xlsx", HONEST, extra={"xl/sharedStrings.xml": claim})
    assert "claims 999,999,999 texts" in refused(path)


def test_an_encoding_that_does_not_exist(tmp_path):
    sheet = HONEST.replace('version="1.0"', 'version="1.0" encoding="klingon"').replace(
        "<row", "<row><c><f/></c></row><row", 1
    )
    assert "damaged" in refused(make_package(tmp_path / "x.xlsx", sheet))


def test_a_list_of_sheets_that_is_no_xml(tmp_path):
    links = b'<?xml version="1.0" encoding="klingon"?><Relationships/>'
    assert "damaged" in refused(make_package(tmp_path / "x.xlsx", HONEST, extra={"xl/_rels/workbook.xml.rels": links}))


def test_styled_but_empty_cells_far_away_cost_nothing(tmp_path):
    rows = text_row(1, "a", "b") + text_row(2, "x", "y") + '<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    assert len(list(open_table(make_package(tmp_path / "x.xlsx", sheet_xml(rows))).rows())) == 1


def test_a_damaged_archive(tmp_path):
    path = make_package(tmp_path / "x.xlsx", HONEST)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_an_archive_cut_off(tmp_path):
    path = make_package(tmp_path / "x.xlsx", HONEST)
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in refused(path)


def test_an_archive_that_lies_about_sizes(tmp_path):
    path = make_package(tmp_path / "x.xlsx", HONEST)
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = (1).to_bytes(4, "little")
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_a_plain_archive(tmp_path):
    path = tmp_path / "x.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../etc/orders.csv", "a,b\n1,2\n")
    assert "is a ZIP archive" in refused(path)
    assert [found.name for found in tmp_path.iterdir()] == ["x.xlsx"]


def test_old_binary_junk_with_an_honest_beginning(tmp_path):
    path = tmp_path / "x.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 20)
    assert "damaged" in refused(path)


def test_a_password(tmp_path):
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"))
    assert "protected by a password" in refused(path)


def test_xml_that_breaks_off_in_a_sheet_with_formulas(tmp_path):
    broken = sheet_xml(text_row(1, "a", "b") + '<row r="2"><c r="A2"><f>1</f></c></row>')[:-30]
    assert "damaged" in refused(make_package(tmp_path / "x.xlsx", broken))

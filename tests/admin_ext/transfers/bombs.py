"""Small files that want to be large, slow or endless. Each function writes one and gives what people should be told."""

import io
import struct
import zipfile
import zlib

from tests.admin_ext.transfers.packages import make_package, sheet_xml, text_row

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_HEAD = text_row(1, "a", "b") + text_row(2, "x", "y")
_HONEST = sheet_xml(_HEAD)
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_ODS = "application/vnd.oasis.opendocument.spreadsheet"


def _laughs(depth=10):
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, depth))
    return f'<!DOCTYPE lolz [<!ENTITY l0 "lol">{entities}]>', f"&l{depth - 1};"


def _texts(inside, before="", count=1):
    return f'<?xml version="1.0"?>{before}<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{count}">{inside}</sst>'.encode()


def _ods(path, rows, before=""):
    content = (
        f'<?xml version="1.0"?>{before}<office:document-content xmlns:office="{_OFFICE}" xmlns:table="{_TABLE}" '
        f'xmlns:text="{_TEXT}"><office:body><office:spreadsheet><table:table table:name="S">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    listed = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODS}"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", _ODS, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", listed)
        archive.writestr("content.xml", content)


def _ods_cell(text, attributes=""):
    return f'<table:table-cell office:value-type="string" {attributes}><text:p>{text}</text:p></table:table-cell>'


def laughs_in_shared_texts(path):
    doctype, last = _laughs()
    make_package(path, _HONEST, extra={"xl/sharedStrings.xml": _texts(f"<si><t>{last}</t></si>", before=doctype)})
    return "document type definition"


def laughs_in_the_sheet(path):
    doctype, last = _laughs()
    make_package(path, sheet_xml(_HEAD + text_row(3, last, "y"), before=doctype))
    return "document type definition"


def laughs_in_an_ods(path):
    doctype, last = _laughs()
    _ods(path, f"<table:table-row>{_ods_cell(last)}</table:table-row>", before=doctype)
    return "document type definition"


def laughs_in_the_list_of_sheets(path):
    doctype, last = _laughs()
    make_package(path, _HONEST, extra={"xl/theme/theme1.xml": f"{doctype}<a>{last}</a>".encode()})
    return "document type definition"


def quadratic_entities(path):
    """One long entity used many times: no nesting, so counters of depth see nothing."""
    before = f'<!DOCTYPE s [<!ENTITY a "{"a" * 100_000}">]>'
    make_package(path, sheet_xml(_HEAD + text_row(3, "&a;" * 20_000, "y"), before=before))
    return "document type definition"


def an_entity_from_a_file(path):
    before = '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    make_package(path, sheet_xml(_HEAD + text_row(3, "&a;", "y"), before=before))
    return "document type definition"


def a_high_ratio(path):
    make_package(path, sheet_xml(_HEAD + " " * (300 << 20)))
    return "grows more than 200 times"


def many_parts_that_grow(path):
    part = b"".join(bytes([n % 251]) * 200 for n in range(100_000))
    make_package(path, _HONEST, extra={f"xl/media/{n}.bin": part for n in range(40)})
    return "grows beyond 512 MB"


def a_hundred_thousand_parts(path):
    make_package(path, _HONEST, extra={f"x/{n}": b"" for n in range(100_000)})
    return "100,005 parts, more than the 10,000 allowed"


def an_archive_in_an_archive(path):
    inner = b"\0" * (1 << 20)
    for _ in range(8):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(10):
                archive.writestr(f"{n}.zip", inner)
        inner = packed.getvalue()
    make_package(path, _HONEST, extra={"xl/a.zip": inner})
    return "contains another archive"


def _end_of_central_directory(content):
    """Where the directory of an archive starts, how long it is, and how many entries it has."""
    count, size, start = struct.unpack_from("<H2L", content, content.rindex(b"PK\5\6") + 10)
    return start, size, count


def overlapping_entries(path):
    """After David Fifield: one kernel of packed zeros, named by thousands of entries."""
    make_package(path, _HONEST)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = 8 << 20
    kernel = squeeze.compress(b"\0" * zeros) + squeeze.flush()
    crc = zlib.crc32(b"\0" * zeros)
    content = path.read_bytes()
    start, size, count = _end_of_central_directory(content)
    name = b"xl/media/k.bin"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(kernel), zeros, len(name), 0) + name + kernel
    entry = (
        struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(kernel), zeros, len(name), 0, 0, 0, 0, 0, start
        )
        + name
    )
    central = content[start : start + size] + entry * 5_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count + 5_000, count + 5_000, len(central), start + len(local), 0)
    path.write_bytes(content[:start] + local + central + end)
    return "workbook"  # Python calls the overlap by name where it is new enough; else the sum of all parts is too large


def sizes_that_are_huge(path):
    """The directory claims four gigabytes for a part; nobody sets room aside for a claim."""
    make_package(path, _HONEST)
    content = bytearray(path.read_bytes())
    place = content.find(b"PK\1\2", content.find(b"PK\1\2") + 4)
    content[place + 24 : place + 28] = b"\xf0\xff\xff\xff"
    path.write_bytes(content)
    return 1


def a_mimetype_that_grows(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", _ODS + " " * (600 << 20))
        archive.writestr("content.xml", "<x/>")
    return "grows more than 200 times"


def a_million_shared_texts(path):
    inside = "".join(f"<si><t>text number {n}</t></si>" for n in range(1_000_000))
    rows = text_row(1, "a", "b") + '<row r="2"><c r="A2" t="s"><v>999999</v></c><c r="B2"><v>1</v></c></row>'
    make_package(path, sheet_xml(rows), extra={"xl/sharedStrings.xml": _texts(inside, count=1_000_000)})
    return 1


def a_text_used_everywhere(path):
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 3000))
    texts = _texts(f"<si><t>{'x' * (1 << 20)}</t></si>")
    make_package(path, sheet_xml(text_row(1, "a") + rows), extra={"xl/sharedStrings.xml": texts})
    return "MB of memory"


def texts_claimed_but_not_there(path):
    make_package(path, _HONEST, extra={"xl/sharedStrings.xml": _texts("", count=4_000_000_000)})
    return "claims 4,000,000,000 texts"


def a_dimension_as_large_as_excel(path):
    make_package(path, _HONEST.replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>'))
    return 1


def two_far_corners(path):
    make_package(path, sheet_xml(_HEAD + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
    return "reach to XFD1048576"


def two_far_corners_repeated_in_an_ods(path):
    row = "<table:table-row {}>{}</table:table-row>"
    wide = _ods_cell("x", 'table:number-columns-repeated="16384"')
    _ods(path, row.format("", _ods_cell("a")) + row.format('table:number-rows-repeated="1048576"', wide))
    return "workbook"


def deep_elements(path):
    make_package(path, sheet_xml(_HEAD + "<x>" * 1_000_000 + "</x>" * 1_000_000))
    return 1


def deep_elements_in_a_text(path):
    deep = "<r>" * 500_000 + "<t>z</t>" + "</r>" * 500_000
    make_package(path, sheet_xml(_HEAD), extra={"xl/sharedStrings.xml": _texts(f"<si>{deep}</si>")})
    return 1


def attributes_without_end(path):
    """Quadratic in parsers that compare each attribute with all others."""
    attributes = " ".join(f'a{n}="1"' for n in range(60_000))
    make_package(path, sheet_xml(_HEAD + f'<row r="3"><c r="A3" {attributes}><f>1</f><v>1</v></c></row>'))
    return 2


def merged_without_end(path):
    merged = "".join(f'<mergeCell ref="A{n}:XFD{n}"/>' for n in range(3, 200_000))
    make_package(path, sheet_xml(_HEAD, after=f"<mergeCells>{merged}</mergeCells>"))
    return 1


def a_number_of_a_million_digits(path):
    digits = '<row r="3"><c r="A3"><v>' + "9" * 1_000_000 + "</v></c></row>"
    make_package(path, sheet_xml(_HEAD + digits))
    return 2


def an_old_file_whose_sectors_run_in_a_circle(path):
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504)
    struct.pack_into("<5H", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<8L", header, 44, 1, 0, 0, 4096, 0, 0xFFFFFFFF, 0, 0)
    struct.pack_into("<109L", header, 76, 0, *([0xFFFFFFFF] * 108))
    path.write_bytes(bytes(header) + b"\0\0\0\0" * 128 + b"\0" * 512 * 4)
    return "workbook"


def a_line_of_500_mb(path):
    with path.open("wb") as file:
        file.write(b"a,b\n")
        for _ in range(500):
            file.write(b"x" * (1 << 20))
    return "longer than 16 MB"


def a_row_of_two_million_columns(path):
    path.write_bytes(b"a,b\n1,2\n" + b"1," * 2_000_000 + b"1\n3,4\n")
    return "2,000,001 values"


def a_header_of_two_million_columns(path):
    path.write_bytes(b",".join(b"c%d" % n for n in range(2_000_000)) + b"\n" + b"1," * 1_999_999 + b"1\n")
    return "2,000,000 values"


def rows_of_a_million_columns(path):
    path.write_bytes(b"a,b\n1,2\n" + (b"ab," * 1_000_000 + b"x\n") * 20)
    return 21


def a_header_that_looks_like_a_number_for_long(path):
    """Quadratic in a pattern where two runs of digits stand next to each other."""
    path.write_bytes(b"a," + b"1" * 900_000 + b"x\n" + b"1,2\n" * 3)
    return 3


def a_record_without_end(path):
    path.write_bytes(b"a,b\n" + b'"\n",' * 30_000_000)
    return "runs over more than"


def a_quote_never_closed_again_and_again(path):
    path.write_bytes(b"a,b\n" + (b'"' + (b"x" * 98 + b",\n") * 10_000) * 100)
    return 1_000_000


def broken_quotes_on_every_line(path):
    path.write_bytes(b"a,b\n" + b'"a"b,1\n' * 600_000)
    return 600_000


def two_hundred_million_blank_lines(path):
    path.write_bytes(b"a,b\n" + b"\n" * 200_000_000 + b"1,2\n")
    return "more than 5,000,000 blank lines"


def blank_lines_first(path):
    path.write_bytes(b" \n" * 100_000_000 + b"a,b\n1,2\n")
    return "more than 100,000 blank lines"


def a_compressed_file_called_csv(path):
    path.write_bytes(b"\x1f\x8b\x08" + zlib.compress(b"\0" * (100 << 20)))
    return "compressed file (gzip)"


def zeros(path):
    path.write_bytes(b"\0" * (100 << 20))
    return "NUL"


BOMBS = [
    made
    for name, made in list(globals().items())
    if not name.startswith("_") and getattr(made, "__module__", None) == __name__
]

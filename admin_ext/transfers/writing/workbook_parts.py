"""The parts of an .xlsx beside its rows: styles, names, what a sheet begins and ends with (ECMA-376, parts 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZipFile

from .cells_in_sql import Cell, Kind

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
CHOICES = "Choices"
"""The name of the hidden sheet that lists what may be chosen."""
_LAST_LINE = 1_048_576
_NARROWEST, _WIDEST = 8, 60  # characters
_STYLES = {Kind.DATE: 2, Kind.INSTANT: 3}
_TEXT, _PLAIN, _HEADER = 4, 0, 1
_OPEN = 5  # added to the style of a cell that may be changed on a protected sheet


@dataclass(frozen=True)
class Sheet:
    """A sheet that was written: its name, and the number of its last line."""

    name: str
    last: int


def column_letters(number: int) -> str:
    """Give A for 1, AA for 27."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def style_of(cell: Cell, protected: bool) -> int:
    """The number of a cell's style. A short text is of the format for text: what people type over it stays text."""
    kind = _STYLES.get(cell.kind, _PLAIN)
    if cell.kind is Kind.TEXT and cell.longest and not cell.choices:
        kind = _TEXT
    return kind + _OPEN if protected and not cell.locked else kind


def sheet_head(cells: Sequence[Cell], lengths: Sequence[int], protected: bool) -> bytes:
    """What stands before the rows, and the header row."""
    columns = "".join(
        f'<col min="{n}" max="{n}" width="{_width(cell, length)}" style="{style_of(cell, protected)}" customWidth="1"/>'
        for n, (cell, length) in enumerate(zip(cells, lengths, strict=True), start=1)
    )
    header = "".join(
        f'<c r="{column_letters(n)}1" s="{_HEADER}" t="inlineStr"><is><t xml:space="preserve">{escape(cell.header)}'
        "</t></is></c>"
        for n, cell in enumerate(cells, start=1)
    )
    return (
        f'{HEAD}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
        'activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData><row r="1">{header}</row>'
    ).encode()


def sheet_tail(cells: Sequence[Cell], last: int, protected: bool) -> bytes:
    """What stands after the rows."""
    area = f"A1:{column_letters(len(cells))}{last}"
    guard = '<sheetProtection sheet="1" formatColumns="0" formatRows="0" sort="0" autoFilter="0"/>' if protected else ""
    offered = [(n, m) for m, (n, _) in enumerate(_with_choices(cells), start=1)]
    rules = "".join(
        '<dataValidation type="list" allowBlank="1" showErrorMessage="1" errorTitle="Not one of the values" '
        'error="Choose one of the values of the list." '
        f'sqref="{column_letters(n)}2:{column_letters(n)}{_LAST_LINE}"><formula1>'
        f"{_choices_area(m, len(cells[n - 1].choices))}</formula1></dataValidation>"
        for n, m in offered
    )
    validations = f'<dataValidations count="{len(offered)}">{rules}</dataValidations>' if offered else ""
    return f'</sheetData>{guard}<autoFilter ref="{area}"/>{validations}</worksheet>'.encode()


def write_rest(package: ZipFile, sheets: Sequence[Sheet], cells: Sequence[Cell]) -> None:
    """The parts that say what the others are. Call last: only then is known how many sheets there are."""
    names = [sheet.name for sheet in sheets]
    hidden = ""
    if _with_choices(cells):
        package.writestr(f"xl/worksheets/sheet{len(sheets) + 1}.xml", _choices_sheet(cells))
        names.append(CHOICES)
        hidden = ' state="hidden"'
    numbers = range(1, len(names) + 1)
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}"{hidden if n > len(sheets) else ""} r:id="rId{n}"/>'
        for n, name in zip(numbers, names, strict=True)
    )
    areas = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{n}" hidden="1">'
        f"{escape(_quoted(sheet.name))}!$A$1:${column_letters(len(cells))}${sheet.last}</definedName>"
        for n, sheet in enumerate(sheets)
    )
    package.writestr(
        "xl/workbook.xml",
        f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><bookViews><workbookView/></bookViews>'
        f"<sheets>{listed}</sheets><definedNames>{areas}</definedNames></workbook>",
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    package.writestr(
        "xl/_rels/workbook.xml.rels",
        f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{relations}'
        f'<Relationship Id="rId{len(names) + 1}" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    )
    package.writestr("xl/styles.xml", _styles())
    package.writestr(
        "_rels/.rels",
        f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>' for n in numbers
    )
    package.writestr(
        "[Content_Types].xml",
        f'{HEAD}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>{overrides}</Types>',
    )


def _width(cell: Cell, length: int) -> int:
    # Room for the arrow of the filter beside the name.
    return max(_NARROWEST, min(max(len(cell.header) + 3, length + 2), _WIDEST))


def _with_choices(cells: Sequence[Cell]) -> list[tuple[int, Cell]]:
    return [(n, cell) for n, cell in enumerate(cells, start=1) if cell.choices]


def _choices_area(column: int, count: int) -> str:
    return f"{CHOICES}!${column_letters(column)}$1:${column_letters(column)}${count}"


def _choices_sheet(cells: Sequence[Cell]) -> str:
    columns = [cell.choices for _, cell in _with_choices(cells)]
    rows = ""
    for line in range(max(map(len, columns))):
        made = "".join(
            f'<c r="{column_letters(n)}{line + 1}" t="inlineStr"><is><t>{escape(values[line])}</t></is></c>'
            for n, values in enumerate(columns, start=1)
            if line < len(values)
        )
        rows += f'<row r="{line + 1}">{made}</row>'
    return f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def _quoted(name: str) -> str:
    doubled = name.replace("'", "''")
    return f"'{doubled}'"


def _styles() -> str:
    """0 plain, 1 header, 2 day, 3 instant, 4 text; 5 to 9 the same for cells that may be changed on a protected sheet."""
    formats = [(0, 0), (0, 1), (164, 0), (165, 0), (49, 0)]
    used = [*formats, *formats]
    cells = "".join(
        f'<xf numFmtId="{number}" fontId="{look}" fillId="{look * 2}" borderId="{look}" xfId="0" applyNumberFormat="1" '
        f'applyFont="1" applyFill="1" applyBorder="1"'
        + ("/>" if n < len(formats) else ' applyProtection="1"><protection locked="0"/></xf>')
        for n, (number, look) in enumerate(used)
    )
    font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
    return (
        f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
        '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
        f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
        '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
        '<fill><patternFill patternType="solid"><fgColor rgb="FFE5E7EB"/><bgColor indexed="64"/></patternFill></fill>'
        "</fills>"
        '<borders count="2"><border><left/><right/><top/><bottom/><diagonal/></border><border><left/><right/><top/>'
        '<bottom style="thin"><color auto="1"/></bottom><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(used)}">{cells}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )

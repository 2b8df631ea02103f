"""Where the column names are, and whether they can be used."""

import re
from collections.abc import Sequence

from .table import Cell, FileNotReadable

MOST_COLUMNS = 16_384  # what a worksheet can hold; a text file with more is not a table of ours
_LOOKED_AT = 50  # rows in which a header is searched
# No digit before the first digit: two runs that could share digits would be tried in every combination.
_LIKE_A_VALUE = re.compile(r"[\s.,:/$€£%+\-]*\d[\s\d.,:/$€£%+\-]*")


def find_header(rows: Sequence[Sequence[Cell]]) -> int:
    """Give the index of the row that names the columns.

    Rows above it are passed over only when they are obviously a title or a comment; in doubt
    the first row with anything in it is the header, and the person may say otherwise.
    """
    rows = rows[:_LOOKED_AT]
    first = next((index for index, row in enumerate(rows) if _filled(row)), 0)
    for index in range(first, len(rows)):
        if _reads_like_names(rows, index):
            return index if _obvious_preamble(rows[first:index], rows, index) else first
    return first


def like_a_value(names: Sequence[str]) -> str | None:
    """Give the first name that looks like a value, as in a file without a header."""
    return next((name for name in names if _LIKE_A_VALUE.fullmatch(name)), None)


def column_names(cells: Sequence[Cell], *, line: int, sheet: str | None = None, mend: bool | None = False) -> list[str]:
    """Give clean column names; blank ones at the end are dropped.

    Raises FileNotReadable when there are too many columns, or when a name is missing or used twice, unless
    such names are to be mended: then they are numbered.
    """
    names = [" ".join(str(cell).split()) if cell is not None else "" for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise FileNotReadable(
            f"The header has {len(names):,} columns, more than the {MOST_COLUMNS:,} a table may have",
            line=line,
            sheet=sheet,
            advice="Check the delimiter, or split the file.",
        )
    if mend and names:
        names = _mended(names)
    _refuse_blank_names(names, line, sheet)
    _refuse_double_names(names, line, sheet)
    _refuse_broken_names(names, line, sheet)
    return names


def _mended(names: list[str]) -> list[str]:
    """Column 3 for a blank name in column 3; Price, Price 2, Price 3 for a name used three times."""
    taken = set(names)
    mended: list[str] = []
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        wanted, place = name or f"Column {number}", 1
        while wanted in seen or (place > 1 and wanted in taken):
            place += 1
            wanted = f"{name or f'Column {number}'} {place}"
        seen.add(wanted)
        mended.append(wanted)
    return mended


def _refuse_blank_names(names: list[str], line: int, sheet: str | None) -> None:
    blank = [number for number, name in enumerate(names, 1) if not name]
    if not names or blank:
        which = _listed(blank) if names else "all"
        raise FileNotReadable(
            f"Columns without a name in the header: {which}",
            line=line,
            column=blank[0] if blank else None,
            sheet=sheet,
            advice="Give every column a name, choose the row that holds the names, or have the header mended.",
        )


def _refuse_double_names(names: list[str], line: int, sheet: str | None) -> None:
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names, 1):
        places.setdefault(name, []).append(number)
    double = {name: numbers for name, numbers in places.items() if len(numbers) > 1}
    if double:
        told = "; ".join(f"“{name}” in columns {_listed(numbers)}" for name, numbers in list(double.items())[:5])
        raise FileNotReadable(
            f"The header uses a name more than once: {told}",
            line=line,
            column=next(iter(double.values()))[1],
            sheet=sheet,
            advice="Rename or remove the extra columns, choose the row that holds the names, or have the header mended.",
        )


def _refuse_broken_names(names: list[str], line: int, sheet: str | None) -> None:
    for number, name in enumerate(names, 1):
        if any("\udc80" <= character <= "\udcff" for character in name):
            raise FileNotReadable(
                "A column name holds bytes that are not text in this encoding",
                line=line,
                column=number,
                sheet=sheet,
                advice="Choose another encoding.",
            )


def _reads_like_names(rows: Sequence[Sequence[Cell]], index: int) -> bool:
    """Mostly distinct words, with rows below that are no more than twice as wide."""
    names = [str(cell).strip() for cell in rows[index] if not _is_blank(cell)]
    below = [_filled(row) for row in rows[index + 1 :]]
    if not any(below) or len(names) * 2 < max(below):
        return False
    words = [
        cell
        for cell in rows[index]
        if isinstance(cell, str) and cell.strip() and not _LIKE_A_VALUE.fullmatch(cell.strip())
    ]
    enough = len(names) >= 2 or max(below) == 1
    return enough and len(words) * 2 > len(names) and len(set(names)) * 10 >= len(names) * 7


def _obvious_preamble(above: Sequence[Sequence[Cell]], rows: Sequence[Sequence[Cell]], index: int) -> bool:
    width = _filled(rows[index])
    titles = [row for row in above if _filled(row) and not _is_comment(row)]
    if any(_filled(row) > max(1, width // 3) for row in titles):
        return False
    # A title that could itself be a (too narrow) header needs more proof: values below that are not words.
    could_be_header = any(_filled(row) == len(row) for row in titles)
    if not could_be_header:
        return True
    gap = any(not _filled(row) for row in above)
    return (width >= 3 or gap) and any(_holds_a_value(row) for row in rows[index + 1 :])


def _is_comment(row: Sequence[Cell]) -> bool:
    return isinstance(row[0], str) and row[0].startswith("#")


def _holds_a_value(row: Sequence[Cell]) -> bool:
    return any(not isinstance(cell, str) or _LIKE_A_VALUE.fullmatch(cell) for cell in row if not _is_blank(cell))


def _filled(row: Sequence[Cell]) -> int:
    return sum(not _is_blank(cell) for cell in row)


def _is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return f"{shown} and {len(numbers) - 10} more" if len(numbers) > 10 else shown

"""What a column of an export is to the database: how SQL names its value, what it holds, and how it reads as text.

The database makes every cell; the process that runs the export only passes bytes on. What is written here must say the
same as `CsvWriter` and `WorkbookWriter` say of the same value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from .neutralising import BLANKS, BREAKS, NEEDS_A_LOOK, TRIGGERS

ROW = "r"
"""The name of the rows to be written, in SQL."""
MOST_PARTS = 90  # arguments of one concat(); PostgreSQL takes a hundred


class Kind(Enum):
    """What a column holds."""

    TEXT = auto()
    INTEGER = auto()
    DECIMAL = auto()
    FLOAT = auto()
    BOOLEAN = auto()
    DATE = auto()
    INSTANT = auto()
    JSON = auto()
    OTHER = auto()  # times, spans of time, addresses of machines: whatever the database shows as text


@dataclass(frozen=True)
class Cell:
    """One column of the rows to be written."""

    header: str
    sql: str
    """The value."""
    kind: Kind = Kind.TEXT
    told: str = ""
    """Where not every value may be told: SQL that is true where it may; `stand_in` stands where it is not."""
    stand_in: str = ""
    longest: int | None = None
    """The most characters of a text; None where there is no limit."""
    digits: int | None = None
    """The most digits of a number; None where there is no limit."""
    comes_back: bool = True
    """Whether an import may bring the column back, so that a workbook must not round it."""
    choices: tuple[str, ...] = ()
    locked: bool = False
    """Whether a workbook that is to come back keeps people from changing the column."""


def literal(text: str) -> str:
    """A text as SQL writes it, for a statement that takes parameters."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("%", "%%")
    return f"E'{escaped}'" if "\\" in text else f"'{escaped}'"


def joined(parts: Sequence[str]) -> str:
    """SQL that joins texts, of which NULL ones are nothing; of any number."""
    if len(parts) > MOST_PARTS:
        steps = [joined(parts[start : start + MOST_PARTS]) for start in range(0, len(parts), MOST_PARTS)]
        return joined(steps)
    return f"concat({', '.join(parts)})"


def as_text(cell: Cell) -> str:
    """SQL of the value as people and imports read it, NULL where there is none; not yet neutralised or escaped.

    Numbers in full; instants in ISO 8601 with the offset of the session's time zone.
    """
    if cell.kind is Kind.INSTANT:
        text = f"{cell.sql}::text"
        return f"({text} || CASE WHEN left(right({text}, 3), 1) IN ('+', '-') THEN ':00' ELSE '' END)"
    return cell.sql if cell.kind is Kind.TEXT else f"{cell.sql}::text"


def neutralised(text: str) -> str:
    """SQL of a text as it may stand in a CSV file: `neutralise`, in the database.

    Nearly every text is told by its first character alone, which costs a look into a table of whole numbers.
    """
    number = r"[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?$"
    active = rf"^'*([{_in_class(BREAKS)}]|[{_in_class(BLANKS)}]*(?!{number})[{_in_class(TRIGGERS - BREAKS)}])"
    firsts = ",".join(str(ord(each)) for each in sorted(NEEDS_A_LOOK))
    return (
        f"CASE WHEN ascii({text}) = ANY ('{{{firsts}}}'::int[]) AND {text} ~ {literal(active)} "
        f"THEN '''' || {text} ELSE {text} END"
    )


def told_or_not(cell: Cell, shown: str, stand_in: str) -> str:
    """SQL of what is shown where the value may be told, and else of what stands in its place."""
    return f"CASE WHEN {cell.told} THEN {shown} ELSE {stand_in} END" if cell.told else shown


def _in_class(characters: Iterable[str]) -> str:
    """Characters as a bracket expression of PostgreSQL's writes them; none of them hangs on its place."""
    return "".join(f"\\u{ord(each):04x}" for each in sorted(characters))

"""Which lines of a file something is about: tests on columns, as data.

    {"InvoiceNo": {"begins": ["C", "A"]}, "Quantity": {"below": 0}}

All tests must hold. `not_begins` and `not_below` also hold where the cell has nothing to compare, so that a line whose
cell is broken still goes where its fault is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

Cells = Sequence[Any]
Holds = Callable[[Cells], bool]


class NoSuchTest(ValueError):
    """A condition uses a word that is none."""


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _below(cell: Any, bound: Any) -> bool:
    try:
        return Decimal(_text(cell)) < Decimal(str(bound))
    except InvalidOperation:
        return False


def _begins(cell: Any, beginnings: Any) -> bool:
    return _text(cell).startswith(tuple(_listed(beginnings)))


def _listed(value: Any) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value])]


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "blank": lambda cell, wanted: (_text(cell) == "") is bool(wanted),
    "is": lambda cell, wanted: _text(cell) in _listed(wanted),
    "not": lambda cell, wanted: _text(cell) not in _listed(wanted),
    "begins": _begins,
    "not_begins": lambda cell, beginnings: not _begins(cell, beginnings),
    "below": _below,
    "not_below": lambda cell, bound: not _below(cell, bound),
}


def check_condition(condition: dict[str, dict[str, Any]]) -> None:
    """Raises NoSuchTest."""
    for column, tests in condition.items():
        if unknown := set(tests) - set(TESTS):
            known = ", ".join(TESTS)
            raise NoSuchTest(f"{column}: nobody knows the test {', '.join(sorted(unknown))}. There are: {known}.")
        for name in ("below", "not_below"):
            if name in tests and not isinstance(tests[name], int | float):
                raise NoSuchTest(f"{column}: {name} compares with a number, and {tests[name]} is none.")


def compile_condition(condition: dict[str, dict[str, Any]], place: Callable[[str], int]) -> Holds:
    """The condition as a function of the cells of a line; `place` tells where a column stands."""
    tests = [(place(column), TESTS[name], value) for column, all_ in condition.items() for name, value in all_.items()]

    def holds(cells: Cells) -> bool:
        return all(test(cells[i] if i < len(cells) else None, value) for i, test, value in tests)

    return holds

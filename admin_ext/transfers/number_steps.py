"""Steps of a mapping that rewrite what a cell says before it is read: whole numbers and signs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

Step = Callable[[Any], tuple[Any, tuple[str, str] | None]]


def whole(rule: dict[str, Any]) -> Step | None:
    """`17850.0`, as programs write a number that may be missing, means 17850."""
    if not rule.get("whole"):
        return None

    def step(value: Any) -> tuple[Any, tuple[str, str] | None]:
        text = "" if value is None else str(value).strip()
        head, point, tail = text.partition(".")
        return (head, None) if point and head.isdigit() and not tail.strip("0") else (value, None)

    return step


def negated(rule: dict[str, Any]) -> Step | None:
    """What is written as -5 is 5 of ours: units of a credit."""
    if not rule.get("negate"):
        return None

    def step(value: Any) -> tuple[Any, tuple[str, str] | None]:
        if value is None or not str(value).strip():
            return value, None
        try:
            return -Decimal(str(value).strip()), None
        except InvalidOperation:
            return None, ("It is not a number.", "Write digits with a point, e.g. 1234.50.")

    return step

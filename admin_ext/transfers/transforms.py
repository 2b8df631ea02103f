"""What a mapping may do to a cell before it is read: a fixed set of small steps, each declared as a word of a rule.

In the order in which they are done, whatever the order in the rule:

    {"join": {"columns": ["Street 2"], "with": ", "}}    other columns behind the first, blank ones left out
    {"trim": "ends" | "all"}                             blanks around it; with "all" runs of blanks inside become one
    {"replace": {"old": "new"}}                          bits of text that become others
    {"split": {"at": "/", "part": 2}}                    the part of that number, from 1; -1 is the last
    {"case": "upper" | "lower" | "title"}
    {"default": "EUR"}                                   what stands in for a blank cell
    (when_blank, otherwise, map and date: see `mapping`)
    {"number": {"decimal": ",", "thousands": "."}}       how numbers are written
    {"look_up": "name"}                                  by which field a related row is named, see `looking_up`

None of them runs what a file or a profile brings: there are no expressions and no patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Step = Callable[[Any], tuple[Any, tuple[str, str] | None]]
MOST_REPLACED = 100
_CASES: dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower, "title": str.title}
_THOUSANDS = ("", ".", ",", " ", "'")


class TransformNotUsable(ValueError):
    """A step is asked for in a way that means nothing."""


def check_transforms(rule: dict[str, Any]) -> None:
    """Raises TransformNotUsable."""
    for word, is_usable, form in _FORMS:
        if word in rule and not is_usable(rule[word]):
            raise TransformNotUsable(f"“{word}” is not said as it should be: {form}")


def first_steps(rule: dict[str, Any]) -> list[Step]:
    """What is done to the text of a cell."""
    made = (trimmed(rule), replaced(rule), split(rule), cased(rule), defaulted(rule))
    return [step for step in made if step]


def last_steps(rule: dict[str, Any]) -> list[Step]:
    """What is done to what has become of it."""
    return [step for step in (numbered(rule),) if step]


def trimmed(rule: dict[str, Any]) -> Step | None:
    if "trim" not in rule:
        return None
    if rule["trim"] == "all":
        return _on_text(lambda text: re.sub(r"\s+", " ", text).strip())
    return _on_text(str.strip)


def replaced(rule: dict[str, Any]) -> Step | None:
    if not rule.get("replace"):
        return None
    pairs = list(rule["replace"].items())

    def replace(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    return _on_text(replace)


def split(rule: dict[str, Any]) -> Step | None:
    if "split" not in rule:
        return None
    at, part = rule["split"]["at"], rule["split"]["part"]

    def step(value: Any) -> tuple[Any, tuple[str, str] | None]:
        if value is None or not str(value).strip():
            return value, None
        parts = str(value).split(at)
        if part > len(parts) or -part > len(parts):
            count = f"{len(parts)} part{'s' if len(parts) > 1 else ''}"
            return None, (f"It has {count}, split at “{at}”.", "Correct the cell, or change the mapping.")
        return parts[part - 1 if part > 0 else part].strip(), None

    return step


def cased(rule: dict[str, Any]) -> Step | None:
    return _on_text(_CASES[rule["case"]]) if "case" in rule else None


def defaulted(rule: dict[str, Any]) -> Step | None:
    if "default" not in rule:
        return None
    return lambda value: (rule["default"] if value is None or not str(value).strip() else value, None)


def numbered(rule: dict[str, Any]) -> Step | None:
    """Numbers that are written with other marks; what a workbook holds as a number is one already."""
    if "number" not in rule:
        return None
    decimal, thousands = rule["number"]["decimal"], rule["number"].get("thousands", "")
    mark = re.escape(decimal)
    grouped = rf"\d{{1,3}}(?:{_grouping(thousands)}\d{{3}})+|" if thousands else ""
    shape = re.compile(rf"[-+]?(?:{grouped}\d*)(?:{mark}\d*)?")

    def step(value: Any) -> tuple[Any, tuple[str, str] | None]:
        if value is None or isinstance(value, int | float | Decimal) or not str(value).strip():
            return value, None
        text = str(value).strip()
        if not shape.fullmatch(text) or not any(ch.isdigit() for ch in text):
            example = f"1{thousands}234{decimal}50"
            return None, ("It is not a number as the mapping expects it.", f"Write it as {example}.")
        if thousands:
            text = re.sub(_grouping(thousands), "", text)
        return text.replace(decimal, "."), None

    return step


def joined(texts: list[Any], mark: str) -> Any:
    """Several cells as one text; blank ones are left out, and a cell that stands alone stays what it is."""
    there = [text for text in texts if text is not None and str(text).strip()]
    return there[0] if len(there) == 1 else mark.join(str(text).strip() for text in there) if there else None


def _grouping(thousands: str) -> str:
    return "[ \u00a0\u202f]" if thousands == " " else re.escape(thousands)


def _on_text(change: Callable[[str], str]) -> Step:
    return lambda value: (change(value) if isinstance(value, str) else value, None)


def _is_replace(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and len(said) <= MOST_REPLACED
        and all(isinstance(text, str) for pair in said.items() for text in pair)
        and "" not in said
    )


def _is_split(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and set(said) == {"at", "part"}
        and isinstance(said["at"], str)
        and said["at"] != ""
        and type(said["part"]) is int
        and said["part"] != 0
    )


def _is_join(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and isinstance(said.get("columns"), list)
        and all(isinstance(each, str) for each in said["columns"])
        and isinstance(said.get("with", ""), str)
    )


def _is_number(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and said.get("decimal") in (".", ",")
        and said.get("thousands", "") in _THOUSANDS
        and said.get("thousands") != said["decimal"]
    )


_FORMS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("join", _is_join, '{"columns": [names], "with": text}.'),
    ("trim", lambda said: said in ("ends", "all"), '"ends" or "all".'),
    ("replace", _is_replace, f"at most {MOST_REPLACED} texts and what they become."),
    ("split", _is_split, '{"at": text, "part": a number from 1, or from the end -1}.'),
    ("case", lambda said: said in _CASES, '"upper", "lower" or "title".'),
    ("default", lambda said: isinstance(said, str | int | bool), "a text or a number."),
    ("number", _is_number, '{"decimal": "." or ",", "thousands": another mark, or empty}.'),
    ("look_up", lambda said: isinstance(said, str), "the name of a field."),
)
WORDS = {word for word, _, _ in _FORMS}

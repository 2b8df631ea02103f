"""A mapping: for each of our fields, where its value comes from in a file.

As data, so that it can be kept in a profile:

    {"key": ["code"],                                 by which fields an existing row is found
     "read": {"encoding": "cp1252"},                  what to tell the reader
     "columns": {
        "code":       {"from": "CustomerID"},
        "country":    {"from": "Country", "map": {"UK": "GB"}},
        "currency":   {"constant": "EUR"},
        "ordered_on": {"from": "OrderDate", "date": "%m/%d/%Y"},
        "state":      {"from": "ShippedDate", "when_blank": "confirmed", "otherwise": "shipped"},
        "number":     {"sequence": ["order"]}},
     "ignore": ["Photo"]}                             columns that are left out on purpose
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from admin_ext.transfers.reading import CellError, ReadOptions
from admin_ext.transfers.resources import NoResource, resource_for
from admin_ext.transfers.writing import strip_neutralising

WORDS = {"from", "constant", "sequence", "map", "date", "decimal_comma", "when_blank", "otherwise", "prefix", "aliases"}
Problem = tuple[str, str]
Extract = Callable[[Sequence[Any]], tuple[Any, Problem | None]]


class MappingNotUsable(Exception):
    """The mapping names a field or a column that there is not, or says something that has no meaning."""


@dataclasses.dataclass(frozen=True)
class Mapping:
    """Where each field's value comes from."""

    resource: str
    columns: dict[str, dict[str, Any]]
    key: tuple[str, ...]
    read: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    ignore: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any], *, resource: str) -> Self:
        """Raises MappingNotUsable."""
        try:
            declared = resource_for(resource)
        except NoResource as error:
            raise MappingNotUsable(str(error)) from error
        columns = data.get("columns", {})
        fields = set(declared.importable())
        for name, rule in columns.items():
            if name not in fields:
                raise MappingNotUsable(
                    f"{resource} has no column {name} to import. There are: {', '.join(sorted(fields))}."
                )
            if unknown := set(rule) - WORDS:
                raise MappingNotUsable(f"{name}: nobody knows what {', '.join(sorted(unknown))} means.")
            if not {"from", "constant", "sequence"} & set(rule):
                raise MappingNotUsable(f"{name}: say where it comes from: from, constant or sequence.")
        key = tuple(data.get("key") or declared.key())
        if missing := [name for name in key if name not in columns]:
            raise MappingNotUsable(f"{', '.join(missing)} is needed to find existing rows, so it must be mapped.")
        return cls(
            resource=resource,
            columns=columns,
            key=key,
            read=ReadOptions.from_json(data.get("read", {})),
            ignore=tuple(data.get("ignore", ())),
        )

    @classmethod
    def by_name(cls, header: list[str], *, resource: str) -> Self:
        """The mapping of a file whose columns are called as our fields are, as an export's are."""
        declared = resource_for(resource)
        model = declared.get_model()
        names: dict[str, str] = {}
        for name in declared.importable():
            field = model._meta.get_field(name)
            for called in (name, str(field.verbose_name)):
                names.setdefault(_folded(called), name)
        columns = {names[_folded(each)]: {"from": each} for each in header if _folded(each) in names}
        return cls.from_json({"columns": columns}, resource=resource)

    def to_json(self) -> dict[str, Any]:
        return {
            "key": list(self.key),
            "columns": self.columns,
            "read": self.read.to_json(),
            "ignore": list(self.ignore),
        }

    @property
    def sequences(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(rule["sequence"]) for name, rule in self.columns.items() if "sequence" in rule}

    @property
    def labels(self) -> dict[str, str]:
        """What the file calls each field, for messages."""
        return {name: rule["from"] for name, rule in self.columns.items() if "from" in rule}

    def extractors(self, header: list[str]) -> dict[str, Extract]:
        """For each field, the function that takes its raw value out of a row. Raises MappingNotUsable."""
        positions = {name: i for i, name in enumerate(header)}
        folded = {_folded(name): i for i, name in enumerate(header)}
        extractors: dict[str, Extract] = {}
        for name, rule in self.columns.items():
            if "sequence" in rule:
                continue
            if "from" not in rule:
                extractors[name] = _constant(rule["constant"])
                continue
            wanted = [rule["from"], *rule.get("aliases", ())]
            found = next((positions[w] for w in wanted if w in positions), None)
            if found is None:
                found = next((folded[_folded(w)] for w in wanted if _folded(w) in folded), None)
            if found is None:
                raise MappingNotUsable(
                    f"The file has no column “{rule['from']}”, from which {name} should come. "
                    f"Its columns are: {', '.join(header)}."
                )
            extractors[name] = _extractor(found, rule)
        return extractors

    def left_out(self, header: list[str]) -> list[str]:
        """Columns of the file that go nowhere and are not left out on purpose."""
        used = {_folded(each) for each in self.ignore}
        for rule in self.columns.values():
            used |= {_folded(each) for each in [rule.get("from", ""), *rule.get("aliases", ())]}
        return [name for name in header if name and _folded(name) not in used]


def _folded(name: str) -> str:
    return "".join(ch for ch in name.casefold() if ch.isalnum())


def _constant(value: Any) -> Extract:
    return lambda cells: (value, None)


def _extractor(position: int, rule: dict[str, Any]) -> Extract:
    steps = [step for step in (_states(rule), _mapped(rule), _dated(rule), _pointed(rule), _prefixed(rule)) if step]

    def extract(cells: Sequence[Any]) -> tuple[Any, Problem | None]:
        value = cells[position] if position < len(cells) else None
        if isinstance(value, CellError):
            return value, (f"The cell holds an error: {value}.", "Repair the formula, or write the value itself.")
        if isinstance(value, str):
            value = strip_neutralising(value)
        changed = value
        for step in steps:
            changed, error = step(changed)
            if error:
                return value, error
        return changed, None

    return extract


Step = Callable[[Any], tuple[Any, Problem | None]]


def _states(rule: dict[str, Any]) -> Step | None:
    if "when_blank" not in rule and "otherwise" not in rule:
        return None

    def step(value: Any) -> tuple[Any, Problem | None]:
        blank = value is None or str(value).strip() == ""
        if blank:
            return rule.get("when_blank", value), None
        return rule.get("otherwise", value), None

    return step


def _mapped(rule: dict[str, Any]) -> Step | None:
    if "map" not in rule:
        return None
    table = {str(key).strip().casefold(): value for key, value in rule["map"].items()}
    fallback = table.get("*", ...)

    def step(value: Any) -> tuple[Any, Problem | None]:
        text = "" if value is None else str(value).strip()
        if text.casefold() in table:
            return table[text.casefold()], None
        if fallback is not ...:
            return fallback, None
        if not text:
            return None, None
        return None, ("The mapping has no value for it.", "Correct the cell, or add the value to the mapping.")

    return step


def _dated(rule: dict[str, Any]) -> Step | None:
    if "date" not in rule:
        return None
    formats = [rule["date"]] if isinstance(rule["date"], str) else list(rule["date"])

    def step(value: Any) -> tuple[Any, Problem | None]:
        if value is None or isinstance(value, date | datetime) or not str(value).strip():
            return value or None, None
        for each in formats:
            try:
                return datetime.strptime(str(value).strip(), each), None
            except ValueError:
                continue
        return None, ("It is not a date as the mapping expects it.", f"Write it as {_example(formats[0])}.")

    return step


def _example(pattern: str) -> str:
    return date(2026, 3, 31).strftime(pattern)


def _pointed(rule: dict[str, Any]) -> Step | None:
    if not rule.get("decimal_comma"):
        return None

    def step(value: Any) -> tuple[Any, Problem | None]:
        if isinstance(value, int | float | Decimal) or value is None:
            return value, None
        return str(value).strip().replace(".", "").replace(" ", "").replace("\u00a0", "").replace(",", "."), None

    return step


def _prefixed(rule: dict[str, Any]) -> Step | None:
    if "prefix" not in rule:
        return None

    def step(value: Any) -> tuple[Any, Problem | None]:
        text = "" if value is None else str(value).strip().removesuffix(".0")
        return (f"{rule['prefix']}{text}" if text else value), None

    return step

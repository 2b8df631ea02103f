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

What else may be done to a cell is declared in `transforms`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from admin_ext.plans.three_way import VERSION, is_versioned
from admin_ext.transfers import transforms
from admin_ext.transfers.looking_up import LookUp
from admin_ext.transfers.number_steps import negated, whole
from admin_ext.transfers.reading import CellError, ReadOptions
from admin_ext.transfers.resources import NoResource, resource_for
from admin_ext.transfers.writing import strip_neutralising

WORDS = {
    *("from", "constant", "sequence", "map", "date", "decimal_comma", "when_blank", "otherwise", "prefix", "aliases"),
    *("whole", "negate"),
    *transforms.WORDS,
}
# Of mappings that fill several entities, see `entities`.
ENTITY_WORDS = {"position", "differs", "or_from"}
Problem = tuple[str, str]
Step = Callable[[Any], tuple[Any, Problem | None]]


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
    def from_json(cls, data: dict[str, Any], *, resource: str, words: set[str] = WORDS) -> Self:
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
            if unknown := set(rule) - words:
                raise MappingNotUsable(f"{name}: nobody knows what {', '.join(sorted(unknown))} means.")
            if not {"from", "constant", "sequence", "position"} & set(rule):
                raise MappingNotUsable(f"{name}: say where it comes from: from, constant or sequence.")
            _check_rule(name, rule, declared.get_model()._meta.get_field(name))
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
                names.setdefault(folded(called), name)
        columns = {names[folded(each)]: {"from": each} for each in header if folded(each) in names}
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
    def looks_up(self) -> bool:
        """Are related rows named by another of their fields, so that reading asks the database?"""
        return any("look_up" in rule for rule in self.columns.values())

    @property
    def labels(self) -> dict[str, str]:
        """What the file calls each field, for messages."""
        return {name: rule["from"] for name, rule in self.columns.items() if "from" in rule}

    def extractors(self, header: list[str], *, actor: Any = None, is_text: bool = True) -> dict[str, Extractor]:
        """For each field, what takes its raw values out of rows; looks up what `actor` may see. Texts of a file of text
        may be neutralised; those of a workbook mean what they say.

        Raises MappingNotUsable, NotPermitted.
        """
        model = resource_for(self.resource).get_model()
        extractors: dict[str, Extractor] = {}
        for name, rule in self.columns.items():
            if "sequence" in rule or "position" in rule:
                continue
            if "from" not in rule:
                extractors[name] = Extractor(None, [], constant=rule["constant"])
                continue
            place = place_in(header, [rule["from"], *rule.get("aliases", ())], name)
            joined = rule.get("join", {})
            others = [place_in(header, [each], f"a part of {name}") for each in joined.get("columns", ())]
            steps = _steps(rule)
            if "look_up" in rule:
                if actor is None:
                    raise MappingNotUsable(f"{name}: rows are not looked up where a file fills several entities.")
                steps.append(LookUp(model._meta.get_field(name), rule["look_up"], actor))
            extractors[name] = Extractor(place, steps, others=others, mark=joined.get("with", " "), is_text=is_text)
        version = next((i for i, each in enumerate(header) if folded(each) == folded(VERSION)), None)
        if version is not None and is_versioned(model):
            extractors[VERSION] = Extractor(version, [], is_text=is_text)
        return extractors

    def left_out(self, header: list[str]) -> list[str]:
        """Columns of the file that go nowhere and are not left out on purpose."""
        used = {folded(each) for each in (*self.ignore, VERSION)}
        for rule in self.columns.values():
            used |= {folded(each) for each in [rule.get("from", ""), *rule.get("aliases", ())]}
            used |= {folded(each) for each in rule.get("join", {}).get("columns", ())}
        return [name for name in header if name and folded(name) not in used]


def place_in(header: list[str], wanted: Sequence[str], what: str) -> int:
    """Where a column stands: by its name, by one of its other names, or nearly so. Raises MappingNotUsable."""
    positions = {name: i for i, name in enumerate(header)}
    nearly = {folded(name): i for i, name in enumerate(header)}
    found = next((positions[name] for name in wanted if name in positions), None)
    if found is None:
        found = next((nearly[folded(name)] for name in wanted if folded(name) in nearly), None)
    if found is None:
        raise MappingNotUsable(
            f"The file has no column “{wanted[0]}”, from which {what} should come. "
            f"Its columns are: {', '.join(header)}."
        )
    return found


def folded(name: str) -> str:
    """A name of a column without case, blanks and marks, in which senders differ."""
    return "".join(ch for ch in name.casefold() if ch.isalnum())


def _check_rule(name: str, rule: dict[str, Any], field: Any) -> None:
    try:
        transforms.check_transforms(rule)
    except transforms.TransformNotUsable as error:
        raise MappingNotUsable(f"{name}: {error}") from error
    if "look_up" in rule:
        related = getattr(field, "related_model", None)
        if related is None or rule["look_up"] not in {each.name for each in related._meta.concrete_fields}:
            raise MappingNotUsable(f"{name}: it is not a related row that can be looked up by {rule['look_up']}.")


class Extractor:
    """Takes the raw values of a field out of rows, of one or of many: the cell at `position`, those at `others` joined
    to it by `mark`, through the mapping's steps. Without a position it is `constant`."""

    def __init__(
        self,
        position: int | None,
        steps: list[Step],
        *,
        constant: Any = None,
        others: Sequence[int] = (),
        mark: str = "",
        is_text: bool = True,
    ) -> None:
        self.position = position
        self.steps = steps
        self.constant = constant
        self.others = others
        self.mark = mark
        self.is_text = is_text

    def __call__(self, cells: Sequence[Any]) -> tuple[Any, Problem | None]:
        """The value, and what is wrong with it."""
        if self.position is None:
            return self.constant, None
        value = cells[self.position] if self.position < len(cells) else None
        if self.others and not isinstance(value, CellError):
            there = (cells[each] for each in self.others if each < len(cells))
            value = transforms.joined([value, *there], self.mark)
        return self._taken(value)

    def column(self, cells: Sequence[Sequence[Any]], count: int) -> tuple[list[Any], list[Problem | None] | None]:
        """The values of `count` rows whose cells are given column by column, and what is wrong with each; None when
        nothing is."""
        if self.position is None:
            return [self.constant] * count, None
        column = cells[self.position]
        are_texts = set(map(type, column)) == {str} and not self.others
        if are_texts and not self.steps:
            if not self.is_text or "'" not in "".join(column):
                return list(column), None
            return [strip_neutralising(cell) if cell[:1] == "'" else cell for cell in column], None
        if are_texts:
            known = {cell: self._taken(cell) for cell in set(column)}
            outcomes = [known[cell] for cell in column]
        elif self.others:
            outcomes = [self(row) for row in zip(*cells, strict=True)]
        else:
            outcomes = [self._taken(cell) for cell in column]
        values, problems = [value for value, _ in outcomes], [problem for _, problem in outcomes]
        return values, problems if any(problems) else None

    def _taken(self, value: Any) -> tuple[Any, Problem | None]:
        if isinstance(value, CellError):
            return value, (f"The cell holds an error: {value}.", "Repair the formula, or write the value itself.")
        if isinstance(value, str) and self.is_text:
            value = strip_neutralising(value)
        changed = value
        for step in self.steps:
            changed, error = step(changed)
            if error:
                return value, error
        return changed, None


def _steps(rule: dict[str, Any]) -> list[Step]:
    words = (_states, _mapped, _dated, _pointed, negated, _prefixed)
    named = [step for step in (word(rule) for word in words) if step]
    return [*filter(None, [whole(rule)]), *transforms.first_steps(rule), *named, *transforms.last_steps(rule)]


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

"""A mapping that fills several entities from one flat file: an order line that names its order, customer and product.

As data, so that it can be kept in a profile:

    {"document": ["InvoiceNo"],                       lines that go in together or not at all
     "read": {…}, "ignore": […],                      as in any mapping
     "entities": [                                    wholes before their parts
        {"resource": "customers.Customer",
         "group_by": ["CustomerID"],                  lines of the same value are one row
         "when": {"CustomerID": {"blank": false}},    which lines it is about, see `conditions`
         "existing": "keep",                          a row that is there is left as it is; "fill": but for its blanks
         "columns": {"code": {"from": "CustomerID", "whole": true},
                     "name": {"from": "Name", "or_from": "CustomerID"},   where no line of the group has a name
                     "country": {"from": "Country", "differs": "first"}}},
        {"resource": "orders.Order", "group_by": ["InvoiceNo"], "columns": {…}},
        {"resource": "orders.OrderLine",
         "when": {"Quantity": {"below": 0}}, "refuse": "It orders less than nothing."},
        {"resource": "orders.OrderLine",              without group_by: a row for each line
         "columns": {"order": {"from": "InvoiceNo"},
                     "number": {"position": true}, …}}]}   the how-manieth line of its document it is

Each line goes to the first entity without `group_by` whose condition holds: that is what becomes of the line. Where the
lines of a group say different things, `differs` says whose word counts: "first", "last", or "problem" unless said.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from django.apps import apps
from django.db import models

from admin_ext.transfers.conditions import NoSuchTest, check_condition
from admin_ext.transfers.mapping import ENTITY_WORDS, WORDS, Mapping, MappingNotUsable
from admin_ext.transfers.reading import ReadOptions
from admin_ext.transfers.resources import NoResource, resource_for

DIFFERS = ("first", "last", "problem")
EXISTING = ("update", "keep", "fill")
ENTITY = {"resource", "group_by", "when", "existing", "key", "columns", "refuse"}


def is_flat(mapping: dict[str, Any] | None) -> bool:
    """Does a mapping, as it is kept, fill several entities?"""
    return bool(mapping and "entities" in mapping)


@dataclasses.dataclass(frozen=True)
class Entity:
    """What one kind of row takes from a line, or from a group of lines."""

    label: str
    mapping: Mapping
    group_by: tuple[str, ...] = ()
    when: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    existing: str = "update"
    refuse: str = ""

    @property
    def model(self) -> type[models.Model]:
        return apps.get_model(self.label)

    @property
    def fallbacks(self) -> Mapping:
        """The columns of last resort, as a mapping of their own."""
        rules = {name: rule for name, rule in self.mapping.columns.items() if "or_from" in rule}
        columns = {name: {**rule, "from": rule["or_from"], "aliases": []} for name, rule in rules.items()}
        return dataclasses.replace(self.mapping, columns=columns)

    @property
    def positions(self) -> list[str]:
        return [name for name, rule in self.mapping.columns.items() if "position" in rule]

    def differs(self, name: str) -> str:
        return self.mapping.columns[name].get("differs", "problem")


@dataclasses.dataclass(frozen=True)
class Entities:
    """The entities of a flat file, wholes before parts."""

    wholes: tuple[Entity, ...]
    leaves: tuple[Entity, ...]
    document: tuple[str, ...] = ()
    read: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    ignore: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises MappingNotUsable."""
        document = tuple(data.get("document", ()))
        entities = [_entity(each, document) for each in data["entities"]]
        wholes = tuple(each for each in entities if each.group_by)
        leaves = tuple(each for each in entities if not each.group_by)
        if not leaves:
            raise MappingNotUsable("No entity takes single lines: leave group_by out where each line is a row.")
        if both := {each.label for each in wholes} & {each.label for each in leaves}:
            raise MappingNotUsable(f"{', '.join(sorted(both))} is filled by groups and by single lines; choose one.")
        return cls(
            wholes=wholes,
            leaves=leaves,
            document=document,
            read=ReadOptions.from_json(data.get("read", {})),
            ignore=tuple(data.get("ignore", ())),
        )

    @staticmethod
    def models_of(mapping: dict[str, Any] | None) -> set[type[models.Model]]:
        """The models that a mapping, as it is kept, fills beside each other; none where it fills one."""
        return (
            {apps.get_model(each["resource"]) for each in mapping["entities"]}
            if mapping and is_flat(mapping)
            else set()
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "document": list(self.document),
            "read": self.read.to_json(),
            "ignore": list(self.ignore),
            "entities": [_as_json(each) for each in (*self.wholes, *self.leaves)],
        }

    @property
    def columns(self) -> dict[type[models.Model], list[str]]:
        """The columns that it fills, by model."""
        found: dict[type[models.Model], dict[str, None]] = {}
        for each in (*self.wholes, *self.leaves):
            found.setdefault(each.model, {}).update(dict.fromkeys(each.mapping.columns))
        return {model: list(names) for model, names in found.items()}

    def left_out(self, header: list[str]) -> list[str]:
        """Columns of the file that go nowhere and are not left out on purpose."""
        named = {*self.document, *self.ignore}
        for each in (*self.wholes, *self.leaves):
            named |= {*each.group_by, *each.when, *(rule.get("or_from", "") for rule in each.mapping.columns.values())}
        rest = [name for name in header if name not in named]
        for each in (*self.wholes, *self.leaves):
            rest = each.mapping.left_out(rest)
        return rest


def check_mapping(mapping: dict[str, Any], *, resource: str) -> dict[type[models.Model], list[str]]:
    """The columns that a mapping fills, by model. Raises MappingNotUsable."""
    if is_flat(mapping):
        return Entities.from_json(mapping).columns
    plain = Mapping.from_json(mapping, resource=resource)
    return {resource_for(resource).get_model(): list(plain.columns)}


def _entity(data: dict[str, Any], document: tuple[str, ...]) -> Entity:
    label = str(data.get("resource", ""))
    if unknown := set(data) - ENTITY:
        raise MappingNotUsable(f"{label}: nobody knows what {', '.join(sorted(unknown))} means.")
    try:
        label = resource_for(label).get_model()._meta.label
        check_condition(data.get("when", {}))
    except (NoResource, NoSuchTest) as error:
        raise MappingNotUsable(str(error)) from error
    refuse, group_by = str(data.get("refuse", "")), tuple(data.get("group_by", ()))
    if refuse and (group_by or "columns" in data):
        raise MappingNotUsable(f"{label}: what refuses lines has neither columns nor groups.")
    mapping = (
        Mapping(resource=label, columns={}, key=())
        if refuse
        else Mapping.from_json(data, resource=label, words=WORDS | ENTITY_WORDS)
    )
    for name, rule in mapping.columns.items():
        _check_rule(label, name, rule, group_by, document)
    existing = data.get("existing", "update")
    if existing not in EXISTING:
        raise MappingNotUsable(f"{label}: existing is one of {', '.join(EXISTING)}, and {existing} is none of them.")
    return Entity(
        label=label, mapping=mapping, group_by=group_by, when=data.get("when", {}), existing=existing, refuse=refuse
    )


def _check_rule(
    label: str, name: str, rule: dict[str, Any], group_by: tuple[str, ...], document: tuple[str, ...]
) -> None:
    if rule.get("differs", "problem") not in DIFFERS:
        raise MappingNotUsable(f"{label}.{name}: differs is one of {', '.join(DIFFERS)}.")
    if "position" in rule and (group_by or not document):
        raise MappingNotUsable(
            f"{label}.{name}: only a single line has a position, and only where document says within what."
        )


def _as_json(entity: Entity) -> dict[str, Any]:
    told: dict[str, Any] = {"resource": entity.label}
    if entity.group_by:
        told["group_by"] = list(entity.group_by)
    if entity.when:
        told["when"] = entity.when
    if entity.refuse:
        return {**told, "refuse": entity.refuse}
    return {**told, "existing": entity.existing, "key": list(entity.mapping.key), "columns": entity.mapping.columns}

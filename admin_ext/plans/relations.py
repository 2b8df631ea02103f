"""Many-to-many relations to whose rows a bulk edit adds others, or takes them away; found on the models themselves.

A relation counts, from either side, when its pairs are records of two foreign keys each and a pair stands once. What
needs a second pair of eyes, and what only ever grows, is no matter of a bulk edit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.db import models

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, can
from admin_ext.models import Record

OPERATIONS = {"add": "Add", "remove": "Remove"}
# What is done to a pair, and the right to it.
RIGHTS = {"add": "add", "remove": "delete"}


@dataclasses.dataclass(frozen=True)
class Relation:
    """One side of a relation. `pairs` is its model; `here` the foreign key to the row it is asked of, `there` the other."""

    name: str
    label: str
    pairs: Any
    here: str
    there: str

    @property
    def related(self) -> Any:
        """The model of the rows that are added."""
        return self.column(self.there).related_model

    def column(self, name: str) -> Any:
        return self.pairs._meta.get_field(name)

    def needed_of(self, name: str) -> str:
        """The right to a row that one of the foreign keys names: who adds a part changes the whole."""
        return "change" if name == self.pairs.part_of else "view"


def ends_of(model: Any) -> list[models.ForeignKey]:
    """The two foreign keys of a model whose rows say that two others belong together, and nothing else; none of others."""
    if not issubclass(model, Record) or model._meta.auto_created:
        return []
    own = [
        field
        for field in model._meta.concrete_fields
        if field.editable and not field.primary_key and not getattr(field, "generated", False)
    ]
    keys = [field for field in own if isinstance(field, models.ForeignKey)]
    return keys if len(own) == len(keys) == 2 and _stands_once(model, keys) else []


def relations_of(model: type[models.Model]) -> list[Relation]:
    """The relations of a model in which a bulk edit may have a hand, whoever asks."""
    found = (_relation(field) for field in model._meta.get_fields() if field.many_to_many)
    return [relation for relation in found if relation is not None]


def offered_relations(user: Any, model: type[models.Model]) -> dict[Relation, list[str]]:
    """The relations of a model of which `user` may write pairs of some rows, each with what they may do to it."""
    offered = {}
    for relation in relations_of(model):
        if operations := [each for each in OPERATIONS if _may(user, each, relation)]:
            offered[relation] = operations
    return offered


def asked_relations(
    user: Any, model: type[models.Model], asked: dict[str, dict[str, Any]]
) -> list[tuple[Relation, dict[str, Any]]]:
    """The relations that a plan names, each with what is asked. Raises NotPermitted unless `user` may do that."""
    offered = {relation.name: (relation, operations) for relation, operations in offered_relations(user, model).items()}
    found = []
    for name, change in asked.items():
        relation, operations = offered.get(name, (None, ()))
        if relation is None or change["operation"] not in operations:
            raise NotPermitted(
                f"You have no right to {change['operation']} {name} of {model._meta.verbose_name_plural}."
            )
        found.append((relation, change))
    return found


def _relation(field: Any) -> Relation | None:
    """The relation that a field, or the far side of one, gives its model; None where a bulk edit leaves it alone."""
    is_far = field.auto_created and not field.concrete
    own: Any = field.field if is_far else field
    pairs: Any = own.remote_field.through
    if not ends_of(pairs) or own.remote_field.symmetrical:
        return None
    if getattr(pairs, "review_required", False) or getattr(pairs, "append_only", False):
        return None
    here, there = own.m2m_field_name(), own.m2m_reverse_field_name()
    if not is_far:
        return Relation(own.name, str(own.verbose_name), pairs, here, there)
    label = (own.remote_field.related_name or str(own.model._meta.verbose_name_plural)).replace("_", " ")
    return Relation(field.get_accessor_name(), label, pairs, there, here)


def _stands_once(model: Any, ends: Iterable[models.Field]) -> bool:
    """Does the database hold that there is no pair twice?"""
    names = {field.name for field in ends}
    rules = [set(each) for each in model._meta.unique_together]
    rules += [set(each.fields) for each in model._meta.total_unique_constraints]
    return names in rules


def _may(user: Any, operation: str, relation: Relation) -> bool:
    """To take a pair away is not to write its columns, but nobody takes away what they may not read."""
    if not (can(user, RIGHTS[operation], relation.pairs) and can(user, "view", relation.related)):
        return False
    written = {relation.here, relation.there}
    if operation == "add" and not written <= field_rights(user, "add", relation.pairs).writable:
        return False
    return written <= field_rights(user, "view", relation.pairs).readable

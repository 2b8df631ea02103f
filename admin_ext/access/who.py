"""Who may do something to a row: everybody, found from the facts as sets of people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models

from admin_ext.access.facts import Facts, Given
from admin_ext.access.names import listed
from admin_ext.access.rights import on_whole, owner_field, permission
from admin_ext.access.scopes import scope_model


@dataclasses.dataclass
class Who:
    """A person who may, and by which ways."""

    person: int
    ways: list[str] = dataclasses.field(default_factory=list)


def who_may(action: str, row: models.Model, *, instant: datetime | None = None) -> list[Who]:
    """The people who may do `action` to a row now, or could at `instant`; without the sessions elevated just now.

    Raises PastNotKept.
    """
    facts = Facts(instant)
    model: Any = type(row)
    key: int | None = row.pk
    if not facts.is_there(model, row.pk):
        return []
    while part_of := getattr(model, "part_of", ""):
        key = facts.follow(model, key, part_of)
        model, action = model._meta.get_field(part_of).related_model, on_whole(action)
    found: dict[int, Who] = {}

    def add(people: Iterable[int], way: str) -> None:
        for person in people:
            found.setdefault(person, Who(person)).ways.append(way)

    add(facts.superusers(), "superuser")
    somewhere = _reached(facts, model, key)
    for role, holders in facts.holders(facts.roles_giving(permission(model, action))).items():
        add(holders if somewhere is None else holders & somewhere, f"role {listed(facts.role_names([role]))}")
    if key is not None:
        if owner := owner_field(model):
            add({facts.column(model, key, f"{owner}_id")} - {None}, "owner")
        add(_people(facts, facts.grants(model, action, key)), f"granted this {model._meta.verbose_name}")
    active = facts.active(found)
    return [who for person, who in sorted(found.items()) if person in active]


def _reached(facts: Facts, model: type[models.Model], key: int | None) -> set[int] | None:
    """The people whose places cover the row's place in every dimension; None where it hangs from none."""
    reached: set[int] | None = None
    for dimension, path in getattr(model, "scopes", {}).items():
        app = scope_model(dimension)._meta.app_label
        people = set().union(*facts.holders(facts.roles_giving(f"{app}.access_all_{dimension}")).values())
        if (place := facts.follow(model, key, path)) is not None:
            people |= _people(facts, facts.entries(dimension, facts.above(dimension, place)))
        reached = people if reached is None else reached & people
    return reached


def _people(facts: Facts, given: list[Given]) -> set[int]:
    """The people to whom something was given, themselves or through a role."""
    holders = facts.holders({each.role for each in given if each.role is not None})
    return {each.person for each in given if each.person is not None}.union(*holders.values())

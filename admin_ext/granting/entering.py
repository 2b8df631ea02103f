"""Who was let into a row one by one: by grants on it, and into a place also by grants on what it is part of."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.access.rights import restrict
from admin_ext.granting.people import action_of, role_model
from admin_ext.models import Scope

ENTER = "enter"
"""What a grant on a place itself gives, as the page calls it: to work there."""


@dataclasses.dataclass
class Entrant:
    """A person or role with grants on a row. `through` is the place above where an entry was given, if not here."""

    kind: str
    """`person` or `role`."""
    pk: int
    name: str
    verbs: list[str]
    through: Any = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.pk}"


def entrants(row: Any, *, seen_by: Any) -> list[Entrant]:
    """Everybody who was let into a row, roles first; whom `seen_by` may not see has no name."""
    found = _granted_on(row, seen_by)
    if isinstance(row, Scope):
        for above in places_above(row):
            for each in _granted_on(above, seen_by):
                if ENTER in each.verbs:
                    found.append(dataclasses.replace(each, verbs=[ENTER], through=above))
    return found


def places_above(place: Any) -> list[Any]:
    """What a place is part of, and so on, nearest first."""
    found: list[Any] = []
    while place.parent_id is not None:
        place = type(place)._base_manager.get(pk=place.parent_id)
        found.append(place)
    return found


def _granted_on(row: Any, seen_by: Any) -> list[Entrant]:
    kinds = (
        ("role", row.group_grants_model, "group_id", role_model()),
        ("person", row.user_grants_model, "user_id", get_user_model()),
    )
    found = []
    for kind, table, column, holders in kinds:
        verbs: dict[int, list[str]] = {}
        grants = table._base_manager.filter(content_object_id=row.pk).order_by("permission_id")
        for key, codename in grants.values_list(column, "permission__codename"):
            action = action_of(codename, type(row))
            verbs.setdefault(key, []).append(ENTER if action == f"access_{getattr(row, 'dimension', '')}" else action)
        seen = restrict(holders._default_manager.filter(pk__in=verbs), seen_by).in_bulk()
        named = [Entrant(kind, key, str(seen.get(key, NOT_VISIBLE)), held) for key, held in verbs.items()]
        found += sorted(named, key=lambda each: (each.name == NOT_VISIBLE, each.name))
    return found


def find_holder(key: str) -> Any:
    """The person or role that `person:5` means; None where there is none."""
    kind, _, number = key.partition(":")
    model: Any = {"person": get_user_model(), "role": role_model()}.get(kind)
    return model._base_manager.filter(pk=number).first() if model and number.isdigit() else None


def people_of(holder: Any) -> list[int]:
    """The keys of the people whom a grant to this holder reaches."""
    if isinstance(holder, Group):
        return list(get_user_model()._base_manager.filter(groups=holder.pk).values_list("pk", flat=True))
    return [holder.pk]

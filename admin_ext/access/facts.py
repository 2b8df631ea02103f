"""The facts that rights follow from, read off the tables one by one: of now, or as the record held them at an instant.

Nothing here decides. `explain` puts the facts together by itself, so that it can be compared with what `can` decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Exists, OuterRef

from admin_ext.access.scopes import scope_model
from admin_ext.audit.history import tracked_models


class PastNotKept(LookupError):
    """The record does not keep what the rows of a model were: their past cannot be explained."""


@dataclasses.dataclass(frozen=True)
class Given:
    """A grant on one row, a place or another: to a person or to the holders of a role."""

    row: int
    person: int | None = None
    role: int | None = None


class Facts:
    """What stood in the tables at `instant` (aware), or stands there now. Keys are those of rows of now."""

    def __init__(self, instant: datetime | None = None) -> None:
        self.instant = instant

    def rows(self, model: type[models.Model]) -> models.QuerySet:
        """The rows of a table. Of the past, rows of its history: ask for `id`, not `pk`. Raises PastNotKept."""
        if self.instant is None:
            return model._base_manager.all()
        history = _recorded(model).history.model
        until = history._base_manager.filter(history_date__lte=self.instant)
        newer = until.filter(id=OuterRef("id"), history_id__gt=OuterRef("history_id"))
        return until.filter(~Exists(newer)).exclude(history_type="-")

    # -- people and roles ----------------------------------------------------------------------------

    def person(self, key: int) -> dict[str, bool] | None:
        """The marks of an account: `is_active`, `is_staff`, `is_superuser`; None before it was made."""
        return self.rows(get_user_model()).filter(id=key).values("is_active", "is_staff", "is_superuser").first()

    def active(self, keys: Iterable[int] | None = None) -> set[int]:
        """Those people, or all, whose account is open."""
        people = self.rows(get_user_model()).filter(is_active=True)
        return set((people if keys is None else people.filter(id__in=keys)).values_list("id", flat=True))

    def superusers(self) -> set[int]:
        return set(self.rows(get_user_model()).filter(is_superuser=True).values_list("id", flat=True))

    def roles_of(self, person: int) -> set[int]:
        holding, named = _memberships()
        return set(self.rows(holding).filter(**{f"{named}_id": person}).values_list("group_id", flat=True))

    def holders(self, roles: Iterable[int]) -> dict[int, set[int]]:
        """The people who hold each of some roles, by role."""
        holding, named = _memberships()
        found: dict[int, set[int]] = {role: set() for role in roles}
        for role, person in self.rows(holding).filter(group_id__in=found).values_list("group_id", f"{named}_id"):
            found[role].add(person)
        return found

    def roles_giving(self, permission: str) -> set[int]:
        """The roles that hold a permission ("orders.ship_order")."""
        app, _, codename = permission.partition(".")
        given = self.rows(Group.permissions.through).filter(
            permission__content_type__app_label=app, permission__codename=codename
        )
        return set(given.values_list("group_id", flat=True))

    def role_names(self, roles: Iterable[int]) -> list[str]:
        return sorted(self.rows(Group).filter(id__in=set(roles)).values_list("name", flat=True))

    # -- places --------------------------------------------------------------------------------------

    def above(self, dimension: str, place: int) -> list[int]:
        """A place and all that it lies in, from the inside out."""
        model, chain = scope_model(dimension), [place]
        if not any(field.name == "parent" for field in model._meta.fields):
            return chain
        while (parent := self.column(model, chain[-1], "parent_id")) and parent not in chain:
            chain.append(parent)
        return chain

    def entries(self, dimension: str, places: Iterable[int] | None = None) -> list[Given]:
        """Who was let into a dimension's places, or into some of them, by name of each place."""
        model = scope_model(dimension)
        of = {
            "permission__content_type__app_label": model._meta.app_label,
            "permission__content_type__model": model._meta.model_name,
            "permission__codename": f"access_{dimension}",
        }
        return self._given(model, of if places is None else {**of, "content_object_id__in": list(places)})

    # -- rows ----------------------------------------------------------------------------------------

    def is_there(self, model: type[models.Model], key: int) -> bool:
        return self.rows(model).filter(**{_key_of(model): key}).exists()

    def column(self, model: type[models.Model], key: int, name: str) -> Any:
        """What a column of a row holds; None where there is no such row."""
        return self.rows(model).filter(**{_key_of(model): key}).values_list(name, flat=True).first()

    def follow(self, model: type[models.Model], key: int | None, path: str) -> int | None:
        """The key at the end of a way through foreign keys ("customer__region"); None where it ends on the way."""
        for step in path.split("__"):
            if key is None or step in ("pk", _key_of(model)):
                continue
            field: Any = model._meta.get_field(step)
            key, model = self.column(model, key, field.attname), field.related_model
        return key

    def grants(self, model: type[models.Model], action: str, key: int | None = None) -> list[Given]:
        """Who was granted `action` on a row of `model`, or on any; empty for what cannot be granted row by row."""
        if not hasattr(model, "user_grants_model"):
            return []
        of: dict[str, Any] = {"permission__codename": f"{action}_{model._meta.model_name}"}
        return self._given(model, of if key is None else {**of, "content_object_id": key})

    def _given(self, model: Any, of: dict[str, Any]) -> list[Given]:
        people = self.rows(model.user_grants_model).filter(**of).values_list("content_object_id", "user_id")
        roles = self.rows(model.group_grants_model).filter(**of).values_list("content_object_id", "group_id")
        return [Given(row, person=person) for row, person in people] + [Given(row, role=role) for row, role in roles]


def keeps_past(model: type[models.Model]) -> bool:
    """Whether it is on the record how the rows of `model` were."""
    try:
        _recorded(model)
    except PastNotKept:
        return False
    return True


def _recorded(model: type[models.Model]) -> Any:
    """The tracked model over a table: some tables have their history through a proxy."""
    table = model._meta.db_table
    found = next((each for each in tracked_models() if each._meta.db_table == table), None)
    if found is None:
        raise PastNotKept(f"It is not kept how {model._meta.verbose_name_plural} were in the past.")
    return found


def _key_of(model: type[models.Model]) -> str:
    assert model._meta.pk is not None
    return model._meta.pk.name


def _memberships() -> tuple[type[models.Model], str]:
    """The table of who holds which role, and the name of its column for the person."""
    field: Any = get_user_model()._meta.get_field("groups")
    return field.remote_field.through, field.m2m_field_name()

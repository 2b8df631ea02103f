"""Roles and places as ticks: what somebody has, what the person at the page may give, and why not the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Prefetch
from django.http import HttpRequest

from admin_ext.access.rights import access_of, restrict
from admin_ext.access.scopes import scope_models
from admin_ext.granting.giving import place_name
from admin_ext.granting.holding import check_below, check_holders_below, check_not_own, check_role
from admin_ext.granting.people import entry_to_any, memberships, role_model
from admin_ext.granting.telling import sentence
from admin_ext.services import Refused


@dataclasses.dataclass
class Tick:
    """One thing that can be given or taken. `why` says why the person at the page cannot; then it stays as it is."""

    row: Any
    value: str
    label: str
    told: str = ""
    why: str = ""
    depth: int = 0
    had: bool = False
    ticked: bool = False


@dataclasses.dataclass
class Ticks:
    """The ticks of one kind on a page, and what was posted of them."""

    name: str
    title: str
    ticks: list[Tick]

    def read(self, request: HttpRequest) -> None:
        """Take over what was posted. What cannot be changed here stays, unless the post was made by hand to say more:
        then the service refuses it."""
        posted = set(request.POST.getlist(self.name))
        for tick in self.ticks:
            tick.ticked = tick.value in posted or (tick.had and bool(tick.why))

    @property
    def chosen(self) -> list[Any]:
        return [tick.row for tick in self.ticks if tick.ticked]

    @property
    def moved(self) -> list[Any]:
        return [tick.row for tick in self.ticks if tick.ticked != tick.had]


def role_ticks(actor: Any, user: Any = None) -> Ticks:
    """The roles that the actor sees, with those that a person holds ticked."""
    held = set(memberships().filter(user_id=user.pk).values_list("group_id", flat=True)) if user else set()
    roles = restrict(role_model()._default_manager.all(), actor).order_by("name")
    ticks = []
    for role in roles.prefetch_related(Prefetch("permissions", Permission.objects.select_related("content_type"))):
        why = ""
        try:
            check_role(actor, role)
        except Refused as error:
            why = str(error)
        has = role.pk in held
        told = sentence(role.permissions.all(), kinds=3)
        ticks.append(Tick(role, str(role.pk), str(role), told, why, had=has, ticked=has))
    return Ticks("roles", "Roles", ticks)


def place_ticks(actor: Any, holder: Any = None) -> list[Ticks]:
    """The places that the actor sees, dimension by dimension, each a tree; ticked are those given to the holder."""
    found = []
    for model in scope_models():
        places = list(restrict(model._default_manager.all(), actor).order_by(model.natural_key_fields[0]))
        if not places:
            continue
        entered = access_of(actor).places(model.dimension)  # type: ignore[attr-defined]
        grantable = set(restrict(model._default_manager.all(), actor, "grant").values_list("pk", flat=True))
        held = set(entry_to_any(model, holder).values_list("content_object_id", flat=True)) if holder else set()
        ticks = []
        for place, depth in in_tree_order(places):
            why = ""
            if entered is not None and place.pk not in entered:
                why = "You do not work there yourself."
            elif place.pk not in grantable:
                why = f"You have no right to give grants on this {model._meta.verbose_name}."
            has = place.pk in held
            code = str(place.natural_key()[0])
            ticks.append(Tick(place, place_name(place), str(place), code, why, depth, has, has))
        title = str(model._meta.verbose_name_plural).capitalize()
        found.append(Ticks(f"places_{model.dimension}", title, ticks))  # type: ignore[attr-defined]
    return found


def why_not(actor: Any, holder: Any) -> str:
    """Why the actor may decide nothing about a holder; '' where they may."""
    try:
        check_not_own(actor, holder)
        if isinstance(holder, Group):
            check_holders_below(actor, holder)
        else:
            check_below(actor, holder)
    except Refused as error:
        return str(error)
    return ""


def in_tree_order(places: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    """Places with how deep they stand: each after the one it is part of. Where that one is not among them, at the top."""
    places = list(places)
    known = {place.pk for place in places}
    children: dict[int | None, list[Any]] = {}
    for place in places:
        children.setdefault(place.parent_id if place.parent_id in known else None, []).append(place)
    waiting = [(place, 0) for place in reversed(children.get(None, []))]
    while waiting:
        place, depth = waiting.pop()
        yield place, depth
        waiting += [(child, depth + 1) for child in reversed(children.get(place.pk, []))]

"""Giving to many at once: roles and places to several people, or what a colleague has. One act, an answer for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.granting.giving import give_place, give_role, give_row, place_name, take_place, take_role
from admin_ext.granting.holding import Estate
from admin_ext.granting.people import as_role, memberships
from admin_ext.services import ReasonMissing, Refused


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of giving one thing to one holder."""

    holder: Any
    what: str
    state: str
    """`given`, `had` already, `taken`, `refused`."""
    why: str = ""


def assign(
    *, actor: Any, people: Iterable[Any], roles: Iterable[Any], places: Iterable[Any], reason: str
) -> list[Outcome]:
    """Give every role and every place to every person, as far as the actor may. Raises ReasonMissing."""
    roles, places = list(roles), list(places)
    with _one_act(actor, "granting.assign", reason):
        outcomes = []
        for user in people:
            for role in roles:
                outcomes.append(_give(user, f"role {role}", _role(actor, user, role, reason)))
            for place in places:
                outcomes.append(_give(user, f"{place._meta.verbose_name} {place}", _place(actor, user, place, reason)))
        return outcomes


def set_places(*, actor: Any, holder: Any, places: Iterable[Any], among: Iterable[Any], reason: str) -> list[Outcome]:
    """Let a holder work in exactly these places of those that were asked about (`among`); others stay as they are.

    Raises what `give_place` raises: all of it is done or nothing.
    """
    wanted, asked = {place_name(place): place for place in places}, {place_name(place): place for place in among}
    with _one_act(actor, "granting.set_places", reason):
        outcomes = []
        for name, place in asked.items():
            what = f"{place._meta.verbose_name} {place}"
            if name in wanted:
                if give_place(actor=actor, holder=holder, place=place, reason=reason):
                    outcomes.append(Outcome(holder, what, "given"))
            elif take_place(actor=actor, holder=holder, place=place, reason=reason):
                outcomes.append(Outcome(holder, what, "taken"))
        return outcomes


def set_roles(*, actor: Any, user: Any, roles: Iterable[Any], among: Iterable[Any], reason: str) -> list[Outcome]:
    """Let a person hold exactly these roles of those that were asked about. All or nothing, as `set_places`."""
    wanted = {role.pk for role in roles}
    held = set(memberships().filter(user_id=user.pk).values_list("group_id", flat=True))
    with _one_act(actor, "granting.set_roles", reason):
        outcomes = []
        for role in among:
            if role.pk in wanted - held:
                give_role(actor=actor, user=user, role=role, reason=reason)
                outcomes.append(Outcome(user, f"role {role}", "given"))
            elif role.pk in held - wanted:
                take_role(actor=actor, user=user, role=role, reason=reason)
                outcomes.append(Outcome(user, f"role {role}", "taken"))
        return outcomes


def copy_rights(*, actor: Any, user: Any, source: Any, reason: str) -> list[Outcome]:
    """Give a person the roles, places and single rows of a colleague, as far as the actor may hand them on.

    The actor must be allowed to see the colleague. What is not theirs to see is not told of. Raises NotPermitted.
    """
    if not restrict(type(source)._default_manager.filter(pk=source.pk), actor, "view").exists():
        raise NotPermitted("You have no right to see whose rights you would copy.")
    with _one_act(actor, "granting.copy_rights", reason):
        outcomes = []
        for group in source.groups.order_by("name"):
            role = as_role(group)
            outcomes.append(_give(user, f"role {role}", _role(actor, user, role, reason)))
        own = dataclasses.replace(Estate.of_person(source), groups=Group.objects.none().values("pk"))
        for model, action, keys in own.grants():
            for row in restrict(model._default_manager.filter(pk__in=keys), actor, "view"):
                is_entry = action == f"access_{getattr(row, 'dimension', '')}"
                give = _place(actor, user, row, reason) if is_entry else _row(actor, user, row, action, reason)
                said = "" if is_entry else f"{action} on "
                outcomes.append(_give(user, f"{said}{row._meta.verbose_name} {row}", give))
        return outcomes


def _role(actor: Any, user: Any, role: Any, reason: str) -> Callable[[], bool]:
    def give() -> bool:
        before = memberships().filter(user_id=user.pk, group_id=role.pk).exists()
        give_role(actor=actor, user=user, role=role, reason=reason)
        return not before

    return give


def _place(actor: Any, user: Any, place: Any, reason: str) -> Callable[[], bool]:
    return lambda: give_place(actor=actor, holder=user, place=place, reason=reason)


def _row(actor: Any, user: Any, row: Any, verb: str, reason: str) -> Callable[[], bool]:
    return lambda: bool(give_row(actor=actor, row=row, holder=user, verbs=[verb], reason=reason))


def _give(holder: Any, what: str, give: Callable[[], bool]) -> Outcome:
    """One thing, in a savepoint: a refusal costs itself alone."""
    try:
        with transaction.atomic():
            return Outcome(holder, what, "given" if give() else "had")
    except ReasonMissing:
        raise
    except (Refused, NotPermitted) as error:
        return Outcome(holder, what, "refused", str(error))


def _one_act(actor: Any, verb: str, reason: str) -> Any:
    if not reason.strip():
        raise ReasonMissing("Nothing was done: giving rights asks for a reason. Say why.")
    return change_set(actor=actor, door=Door.SHELL, verb=verb, reason=reason)

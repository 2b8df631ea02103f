"""What a person may hand on: what they hold, where they hold it, to somebody who may not do more than they.

Whoever holds `entrust` on roles keeps the business's rights in trust: hands them on without using them. Not the rights
over people and roles, no place where they do not work themselves, and no opening of every place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.db.models import Value

from admin_ext.access.rights import access_of, restrict
from admin_ext.access.scopes import scope_models
from admin_ext.granting.people import (
    action_of,
    grantable_models,
    is_entrusted,
    memberships,
    named,
    rights_over_rights,
)
from admin_ext.services import Refused


class PersonIsYourself(Refused):
    """Nobody changes their own rights, or where they work."""


class PersonAboveYou(Refused):
    """Nobody decides over somebody who may do more than they."""


class RightNotHeld(Refused):
    """Nobody can hand on a right that they do not hold."""


class PlaceNotHeld(RightNotHeld):
    """Nobody can let somebody in where they do not work themselves."""


class RowNotHeld(RightNotHeld):
    """Nobody can hand on a right over a row that they do not hold over it."""


def not_held(actor: Any, rights: Iterable[Permission]) -> list[Permission]:
    """Those of `rights` that the actor may not hand on. The rights need their content types."""
    if actor.is_superuser:
        return []
    entrusted = is_entrusted(actor)
    return [
        right for right in rights if not actor.has_perm(named(right)) and not (entrusted and is_of_the_business(right))
    ]


def is_of_the_business(right: Permission) -> bool:
    """Whether a right can be held in trust: it is over the business, and within places."""
    return right.content_type.app_label not in rights_over_rights() and not right.codename.startswith("access_all_")


def check_rights(actor: Any, rights: Iterable[Permission]) -> None:
    """Raise RightNotHeld unless the actor may hand on every one of `rights`."""
    if missing := not_held(actor, rights):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RightNotHeld(f"You cannot decide over “{missing[0].name}”{more}, because you do not hold it yourself.")


def check_place(actor: Any, place: Any) -> None:
    """Raise PlaceNotHeld unless the actor works in a place themselves."""
    places = access_of(actor).places(place.dimension)
    if places is not None and place.pk not in places:
        raise PlaceNotHeld(f"You cannot decide who enters {place}, because you do not work there yourself.")


def check_not_own(actor: Any, holder: Any) -> None:
    """Raise PersonIsYourself where the holder of rights is the actor, or a role that the actor holds."""
    if isinstance(holder, Group):
        if memberships().filter(user_id=actor.pk, group_id=holder.pk).exists():
            raise PersonIsYourself(
                f"You hold the role {holder} yourself, and nobody changes their own rights. Ask another administrator."
            )
    elif holder.pk == actor.pk:
        raise PersonIsYourself("You cannot change your own rights or where you work. Ask another administrator.")


def check_below(actor: Any, user: Any) -> None:
    """Raise PersonAboveYou where a person may do what the actor could not hand on."""
    if user.pk == actor.pk or actor.is_superuser:
        return
    if user.is_superuser:
        raise PersonAboveYou(f"{user} is a superuser. Only a superuser decides over them.")
    if why := Estate.of_person(user).beyond(actor):
        raise PersonAboveYou(f"{user} may do more than you: {why}. Ask somebody who may do that as well.")


def check_role(actor: Any, role: Any) -> None:
    """Raise RightNotHeld where a role gives what the actor could not hand on: rights, places or single rows."""
    if not actor.is_superuser and (why := Estate.of_role(role).beyond(actor)):
        raise RightNotHeld(f"The role {role} gives more than you may hand on: {why}.")


def check_holders_below(actor: Any, role: Any) -> None:
    """Raise PersonAboveYou where somebody who holds a role may do what the actor could not hand on.

    A right or place given to a role meets, in its holders, the places and rights that they have by other ways.
    """
    if not actor.is_superuser and (why := Estate.of_holders(role).beyond(actor)):
        raise PersonAboveYou(f"Somebody who holds the role {role} may do more than you: {why}.")


@dataclasses.dataclass(frozen=True)
class Estate:
    """All that some people and roles hold together: rights, places, single rows."""

    users: models.QuerySet
    groups: models.QuerySet

    @classmethod
    def of_person(cls, user: Any) -> Estate:
        people = get_user_model()._base_manager.filter(pk=user.pk)
        return cls(people.values("pk"), Group.objects.filter(pk__in=user.groups.values("pk")).values("pk"))

    @classmethod
    def of_role(cls, role: Any) -> Estate:
        return cls(get_user_model()._base_manager.none().values("pk"), Group.objects.filter(pk=role.pk).values("pk"))

    @classmethod
    def of_holders(cls, role: Any) -> Estate:
        """What everybody who holds a role has by any way; superusers, who may do all without it, left out."""
        holders = memberships().filter(group_id=role.pk).values("user_id")
        people = get_user_model()._base_manager.filter(pk__in=holders, is_superuser=False).values("pk")
        held = memberships().filter(user_id__in=people).values("group_id")
        return cls(people, Group.objects.filter(models.Q(pk__in=held) | models.Q(pk=role.pk)).values("pk"))

    def rights(self) -> list[Permission]:
        held = Permission.objects.filter(group__in=self.groups).select_related("content_type").distinct()
        return list(held.order_by("content_type__app_label", "codename"))

    def grants(self, among: Iterable[Any] | None = None) -> Iterator[tuple[Any, str, set[int]]]:
        """Model, action and keys of the rows that are granted one by one, places too."""
        chosen = list(grantable_models() if among is None else among)
        if not chosen:
            return
        parts: list[models.QuerySet] = []
        for number, model in enumerate(chosen):
            for table, holder, held_by in (
                (model.user_grants_model, "user_id__in", self.users),
                (model.group_grants_model, "group_id__in", self.groups),
            ):
                rows = table._base_manager.filter(**{holder: held_by}).annotate(of=Value(number)).order_by()
                parts.append(rows.values_list("of", "permission__codename", "content_object_id"))
        found: dict[tuple[int, str], set[int]] = {}
        for number, codename, key in parts[0].union(*parts[1:], all=True):
            found.setdefault((number, codename), set()).add(key)
        for (number, codename), keys in sorted(found.items()):
            model = chosen[number]
            yield model, action_of(codename, model), keys

    def beyond(self, actor: Any) -> str:
        """What of this the actor may not hand on, in words for the actor; '' for nothing."""
        if missing := not_held(actor, self.rights()):
            return f"“{missing[0].name}”"
        for model, action, keys in self.grants():
            if not may_hand_on_rows(actor, model, action, keys):
                kind = model._meta.verbose_name_plural
                return f"places among the {kind}" if action.startswith("access_") else f"{action} of single {kind}"
        return ""


def may_hand_on_rows(actor: Any, model: Any, action: str, keys: set[int]) -> bool:
    """Does the actor hold an action on every one of these rows themselves, or keep it in trust and work everywhere?"""
    if actor.is_superuser:
        return True
    if action == f"access_{getattr(model, 'dimension', '')}":
        places = access_of(actor).places(model.dimension)
        return places is None or keys <= set(places)
    if restrict(model._base_manager.filter(pk__any_of=list(keys)), actor, action).count() == len(keys):
        return True
    return (
        is_entrusted(actor)
        and model._meta.app_label not in rights_over_rights()
        and all(access_of(actor).places(each.dimension) is None for each in scope_models())
    )

"""Guards: what a write of a place or a person would do to rights without looking like it.

A place that moves in its tree is entered by others from then on; one that is made under a person's own is theirs. A
person who may do more is not for others to edit: their address and name lead to their account.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, models

from admin_ext.access.guards import guard
from admin_ext.access.rights import NotPermitted, access_of, can
from admin_ext.audit.context import current_act
from admin_ext.granting.holding import PersonIsYourself, PlaceNotHeld, check_below
from admin_ext.granting.people import entry_to_any
from admin_ext.models import Scope


def check_places_stay(actor: Any, model: type[models.Model], keys: set[int], action: str) -> None:
    """After a write of places: nobody came to work elsewhere by their own act, and who moved one decides over both ends.

    Raises PersonIsYourself, PlaceNotHeld, NotPermitted.
    """
    if action not in ("add", "change") or actor.is_superuser:
        return
    before = _parents_before(model, keys)
    now = dict(model._base_manager.filter(pk__in=keys).values_list("pk", "parent_id"))
    moved = {key for key, parent in now.items() if key not in before or before[key] != parent}
    for place in model._base_manager.filter(pk__in=[key for key in moved if key in before]):
        if not can(actor, "grant", place):
            raise NotPermitted(
                f"Moving {place} changes who may enter it, and you have no right to give grants on it. Nothing was saved."
            )
    dimension = model.dimension  # type: ignore[attr-defined]
    if not moved or access_of(actor).places(dimension) is None:
        return
    tree = dict(model._base_manager.values_list("pk", "parent_id"))
    roots = _granted_roots(actor, model)
    was = {key: parent for key, parent in (tree | before).items() if key not in moved or key in before}
    covered = _below(roots, was)
    if gained := sorted(_below(roots, tree) - covered):
        place = model._base_manager.get(pk=gained[0])
        raise PersonIsYourself(
            f"You would come to work in {place} by this, and nobody widens where they work themselves. Nothing was "
            "saved. Ask somebody who works everywhere."
        )
    ends = {end for key in moved if key in before for end in (before[key], now[key])} - {None}
    if ends - covered:
        raise PlaceNotHeld(
            "Moving a place takes it from who works in what it was part of, and gives it to who works in what it comes "
            "to: you have to work in both yourself. Nothing was saved."
        )


def check_person_is_below(actor: Any, model: type[models.Model], keys: set[int], action: str) -> None:
    """After anything done to people: none of them may do more than who did it. Raises PersonAboveYou."""
    if action == "grant":
        return  # the services that give and take ask it themselves, before
    for user in model._base_manager.filter(pk__in=keys - {actor.pk}):
        check_below(actor, user)


def put_up_guards() -> None:
    """Called once, when the product starts."""
    guard(Scope, check_places_stay)
    guard(get_user_model(), check_person_is_below)


def _parents_before(model: Any, keys: set[int]) -> dict[int, int | None]:
    """The parents of places as they were before the open act; a place that was not there is left out."""
    history = model.history.model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT ON (h.id) h.id, h.parent_id, h.history_type FROM public.{history} h
            WHERE h.id = ANY(%s) AND h.change_set_id IS DISTINCT FROM %s
            ORDER BY h.id, h.history_id DESC
            """,
            [list(keys), current_act().id],
        )
        return {key: parent for key, parent, kind in cursor.fetchall() if kind != "-"}


def _granted_roots(actor: Any, model: Any) -> set[int]:
    """The places that were given to the actor as such, without those below them."""
    entry = f"access_{model.dimension}"
    own = entry_to_any(model, actor)
    by_role = model.group_grants_model._base_manager.filter(
        group_id__in=actor.groups.values("pk"), permission__codename=entry
    )
    return {*own.values_list("content_object_id", flat=True), *by_role.values_list("content_object_id", flat=True)}


def _below(roots: set[int], parents: dict[int, int | None]) -> set[int]:
    """The roots and everything below them in a tree of parents."""
    children: dict[int | None, list[int]] = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)
    found: set[int] = set()
    waiting = [root for root in roots if root in parents]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += children.get(key, [])
    return found

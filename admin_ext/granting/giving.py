"""Giving rights and taking them back, one at a time: a role, a place, a verb on a row, the rights of a role.

Each asks for `grant` on what it changes, and for a reason; each is in the ledger of reads as well, whose readers ask who
could see what, and since when. `holding` says what may be handed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.access.scopes import UnknownDimension, scope_model
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, Door
from admin_ext.granting.holding import (
    RowNotHeld,
    check_below,
    check_holders_below,
    check_not_own,
    check_place,
    check_rights,
    check_role,
    may_hand_on_rows,
)
from admin_ext.granting.people import as_role, entry_to, memberships, named, role_model, role_rights
from admin_ext.services import ReasonMissing, Refused, lock, service

# Means nothing on a single row: a row that is there is not added; imports and openings of a whole dimension are no
# matter of one row.
NOT_ON_ROWS = ("add", "import", "handover")


class PlaceNotKnown(Refused):
    """No place has this name, or none that the actor may see."""


class VerbNotKnown(Refused):
    """Rows of this kind do not know such a verb, or it cannot be granted on one row."""


@service("granting.give_role", right="grant", reason_required=True)
def give_role(*, actor: Any, user: Any, role: Any, reason: str) -> Any:
    """Let a person hold a role. Raises PersonIsYourself, PersonAboveYou, RightNotHeld."""
    role = as_role(role)
    check_not_own(actor, user)
    check_below(actor, user)
    check_role(actor, role)
    membership, made = memberships().get_or_create(user_id=user.pk, group_id=role.pk)
    if made:
        _note(actor, user, f"Role {role} given", reason, role=role.pk)
    return membership


@service("granting.take_role", right="grant", reason_required=True)
def take_role(*, actor: Any, user: Any, role: Any, reason: str) -> bool:
    """Take a role from a person; False where they did not hold it. Raises PersonIsYourself, PersonAboveYou."""
    role = as_role(role)
    check_not_own(actor, user)
    check_below(actor, user)
    taken, _ = memberships().filter(user_id=user.pk, group_id=role.pk).delete()
    if taken:
        _note(actor, user, f"Role {role} taken", reason, role=role.pk)
    return bool(taken)


@service("granting.give_place", right="grant", reason_required=True)
def give_place(*, actor: Any, holder: Any, place: Any, reason: str) -> bool:
    """Let a person, or every holder of a role, work in a place and in all below it; False where they did already.

    `place` is a row, or a dimension and a natural key: `region:NORDICS`. Asks for `grant` on the place as well. Raises
    PersonIsYourself, PersonAboveYou, PlaceNotHeld, PlaceNotKnown, NotPermitted.
    """
    row = _place_to_decide_over(actor, holder, place)
    table, of_holder = _grants(row, holder)
    _, made = table.objects.get_or_create(content_object=row, permission=entry_to(row), **of_holder)
    if made:
        _note(actor, holder, f"Let into a {row._meta.verbose_name}", reason, place=place_name(row))
    return made


@service("granting.take_place", right="grant", reason_required=True)
def take_place(*, actor: Any, holder: Any, place: Any, reason: str) -> bool:
    """Let a person or a role work in a place no longer; False where they did not. Raises as `give_place`."""
    row = _place_to_decide_over(actor, holder, place)
    table, of_holder = _grants(row, holder)
    taken, _ = table.objects.filter(content_object=row, permission=entry_to(row), **of_holder).delete()
    if taken:
        _note(actor, holder, f"Taken from a {row._meta.verbose_name}", reason, place=place_name(row))
    return bool(taken)


@service("granting.give_row", right="grant", reason_required=True)
def give_row(*, actor: Any, row: Any, holder: Any, verbs: Iterable[str], reason: str) -> list[str]:
    """Give a person, or every holder of a role, verbs on one row: `view`, `change`, `ship`. Returns the new ones.

    The actor needs `grant` on the row and each verb on it themselves. Raises PersonIsYourself, RowNotHeld, VerbNotKnown.
    """
    table, of_holder = _grants(row, holder)
    given = []
    for verb, right in _verbs_to_decide_over(actor, row, holder, verbs):
        _, made = table.objects.get_or_create(content_object=row, permission=right, **of_holder)
        given += [verb] * made
    if given:
        _note_row(actor, row, holder, "given", given, reason)
    return given


@service("granting.take_row", right="grant", reason_required=True)
def take_row(*, actor: Any, row: Any, holder: Any, verbs: Iterable[str], reason: str) -> list[str]:
    """Take verbs on one row back from a person or a role. Returns those that they had. Raises as `give_row`."""
    table, of_holder = _grants(row, holder)
    taken = []
    for verb, right in _verbs_to_decide_over(actor, row, holder, verbs):
        gone, _ = table.objects.filter(content_object=row, permission=right, **of_holder).delete()
        taken += [verb] * bool(gone)
    if taken:
        _note_row(actor, row, holder, "taken", taken, reason)
    return taken


@service("granting.set_role_rights", right="grant", reason_required=True)
def set_role_rights(*, actor: Any, role: Any, rights: Iterable[Permission], reason: str) -> Any:
    """Let a role give exactly these rights. What is added and what is taken away must be the actor's to hand on.

    Raises PersonIsYourself, PersonAboveYou, RightNotHeld.
    """
    held = set(role.permissions.values_list("pk", flat=True))
    wanted = {right.pk for right in rights}
    if wanted == held:
        return role
    check_not_own(actor, role)
    check_rights(actor, Permission.objects.filter(pk__in=wanted ^ held).select_related("content_type"))
    check_holders_below(actor, role)
    role_rights().filter(group_id=role.pk, permission_id__in=held - wanted).delete()
    table = role_rights().model
    role_rights().bulk_create(table(group_id=role.pk, permission_id=key) for key in sorted(wanted - held))
    moved = {"given": _named(wanted - held), "taken": _named(held - wanted)}
    _note(actor, role, f"Rights of role {role} set", reason, **moved)
    return role


def make_role(*, actor: Any, name: str, reason: str) -> Any:
    """A new role that gives nothing yet. Raises NotPermitted."""
    if not can(actor, "add", role_model()):
        raise NotPermitted("You have no right to add roles.")
    with change_set(actor=actor, door=Door.SHELL, verb="granting.make_role", reason=reason):
        return role_model()._default_manager.create(name=name)


def delete_role(*, actor: Any, role: Any, reason: str) -> None:
    """Take a role out of the world, and so from all who hold it. Raises PersonIsYourself, PersonAboveYou, RightNotHeld."""
    if not reason.strip():
        raise ReasonMissing("Nothing was deleted: say why.")
    with change_set(actor=actor, door=Door.SHELL, verb="granting.delete_role", reason=reason):
        role = lock(actor=actor, right="delete", row=role)
        check_not_own(actor, role)
        check_role(actor, role)
        check_holders_below(actor, role)
        _note(actor, role, f"Role {role} deleted", reason, holders=memberships().filter(group_id=role.pk).count())
        Group.objects.filter(pk=role.pk).delete()


def verbs_on(model: Any) -> list[tuple[str, str]]:
    """What can be granted on one row of a model: verb and label, seeing first. A place's entry is not among them."""
    kind = f"_{model._meta.model_name}"
    rights = Permission.objects.filter(
        content_type__app_label=model._meta.app_label,
        content_type__model=model._meta.model_name,
        codename__endswith=kind,
    ).order_by("pk")
    return [
        (verb, right.name.removeprefix("Can "))
        for right in rights
        if (verb := right.codename.removesuffix(kind)) not in NOT_ON_ROWS and not verb.startswith("access")
    ]


def find_place(text: str, *, seen_by: Any) -> Any:
    """The place that `region:NORDICS` names, if `seen_by` may see it. Raises PlaceNotKnown."""
    dimension, _, key = text.partition(":")
    try:
        model: Any = scope_model(dimension)
    except UnknownDimension:
        raise PlaceNotKnown(f"There is no {dimension}: a place is written as region:NORDICS.") from None
    found = restrict(model._default_manager.filter(**{model.natural_key_fields[0]: key}), seen_by, "view").first()
    if found is None:
        raise PlaceNotKnown(f"There is no {model._meta.verbose_name} {key} that you may see.")
    return found


def place_name(place: Any) -> str:
    """`region:NORDICS`."""
    return f"{place.dimension}:{place.natural_key()[0]}"


def _place_to_decide_over(actor: Any, holder: Any, place: Any) -> Any:
    row = find_place(place, seen_by=actor) if isinstance(place, str) else place
    check_not_own(actor, holder)
    if isinstance(holder, Group):
        check_holders_below(actor, holder)
    else:
        check_below(actor, holder)
    check_place(actor, row)
    if not can(actor, "grant", row):
        raise NotPermitted(f"You have no right to give grants on {row._meta.verbose_name} {row}.")
    return row


def _verbs_to_decide_over(actor: Any, row: Any, holder: Any, verbs: Iterable[str]) -> list[tuple[str, Permission]]:
    check_not_own(actor, holder)
    known = dict(verbs_on(type(row)))
    chosen = []
    for verb in verbs:
        if verb not in known:
            raise VerbNotKnown(f"“{verb}” cannot be granted on one {row._meta.verbose_name}.")
        if not (can(actor, verb, row) and may_hand_on_rows(actor, type(row), verb, {row.pk})):
            raise RowNotHeld(f"You cannot decide who may {verb} {row}, because you may not {verb} it yourself.")
        right = Permission.objects.get(
            content_type__app_label=row._meta.app_label, codename=f"{verb}_{row._meta.model_name}"
        )
        chosen.append((verb, right))
    return chosen


def _grants(row: Any, holder: Any) -> tuple[Any, dict[str, Any]]:
    """The table that grants on a row are in for this kind of holder, and the column that names the holder."""
    if isinstance(holder, Group):
        return row.group_grants_model, {"group_id": holder.pk}
    if not isinstance(holder, get_user_model()):
        raise TypeError(f"{holder!r} holds no rights: a person or a role does.")
    return row.user_grants_model, {"user_id": holder.pk}


def _note(actor: Any, whose: models.Model, said: str, reason: str, **detail: Any) -> None:
    label = whose._meta.label
    note_access(Access.RIGHTS, actor=actor, model=label, object_id=whose.pk, subject=said, reason=reason, detail=detail)


def _note_row(actor: Any, row: Any, holder: Any, done: str, verbs: list[str], reason: str) -> None:
    detail = {"row": f"{row._meta.label}:{row.pk}", "verbs": verbs}
    _note(actor, holder, f"Grant on one {row._meta.verbose_name} {done}: {', '.join(verbs)}", reason, **detail)


def _named(keys: set[int]) -> list[str]:
    return sorted(named(right) for right in Permission.objects.filter(pk__in=keys).select_related("content_type"))

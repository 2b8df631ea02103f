"""What can be done to people and roles. Nobody grants what they do not hold, to themselves, or makes a superuser."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.auth.password_validation import validate_password

from admin_ext.access.rights import access_of
from admin_ext.access.scopes import scope_model
from admin_ext.audit.access_log import note_access
from admin_ext.audit.models import Access
from admin_ext.services import Refused, service
from apps.accounts.models import Membership, Role, RolePermission, User


class PersonIsYourself(Refused):
    """Nobody changes their own rights."""


class PersonAboveYou(Refused):
    """Nobody becomes somebody who may do more."""


class RightNotHeld(Refused):
    """Nobody can give a right that they do not hold."""


@service("accounts.deactivate", right="delete", possible=lambda user: user.is_active, reason_required=True)
def deactivate_user(*, actor: User, user: User, reason: str) -> User:
    """Close a person's account; nothing of what they did changes. Raises PersonIsYourself."""
    if user.pk == actor.pk:
        raise PersonIsYourself("You cannot deactivate yourself; ask another administrator.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    _note_rights(actor, user, "Account closed", reason)
    return user


@service("accounts.reactivate", right="delete", possible=lambda user: not user.is_active)
def reactivate_user(*, actor: User, user: User, reason: str = "") -> User:
    """Open a closed account again."""
    user.is_active = True
    user.save(update_fields=["is_active"])
    _note_rights(actor, user, "Account opened", reason)
    return user


@service("accounts.invite", right="invite", model="accounts.User")
def invite_user(*, actor: User, username: str, email: str = "", first_name: str = "", last_name: str = "") -> User:
    """Make an account with a password that nobody knows yet."""
    user = User(username=username, email=email, first_name=first_name, last_name=last_name, is_staff=True)
    user.set_password(secrets.token_urlsafe(32))
    user.full_clean(exclude=["password"])
    user.save()
    return user


@service("accounts.give_role", right="grant", reason_required=True)
def give_role(*, actor: User, user: User, role: Role, reason: str) -> Membership:
    """Let a person hold a role. Raises PersonIsYourself, RightNotHeld."""
    if user.pk == actor.pk:
        raise PersonIsYourself("You cannot give a role to yourself; ask another administrator.")
    _check_holds(actor, role.permissions.all())
    membership, made = Membership.objects.get_or_create(user=user, group_id=role.pk)
    if made:
        _note_rights(actor, user, f"Role {role} given", reason, role=role.pk)
    return membership


@service("accounts.take_role", right="grant", reason_required=True)
def take_role(*, actor: User, user: User, role: Role, reason: str) -> None:
    """Take a role from a person. Raises PersonIsYourself."""
    if user.pk == actor.pk:
        raise PersonIsYourself("You cannot take a role from yourself; ask another administrator.")
    taken, _ = Membership.objects.filter(user=user, group_id=role.pk).delete()
    if taken:
        _note_rights(actor, user, f"Role {role} taken", reason, role=role.pk)


@service("accounts.give_place", right="grant", reason_required=True)
def give_place(*, actor: User, user: User, place: str, reason: str) -> None:
    """Let a person work in a place of a scope, and in all below it. Raises PersonIsYourself, RightNotHeld.

    `place` is a dimension and a natural key, `region:NORDICS`.
    """
    row = _place_to_hand_on(actor, user, place)
    grants = row.user_grants_model.objects
    _, made = grants.get_or_create(user=user, content_object=row, permission=_entry_to(row))
    if made:
        _note_rights(actor, user, f"Let into a {row._meta.verbose_name}", reason, place=place)


@service("accounts.take_place", right="grant", reason_required=True)
def take_place(*, actor: User, user: User, place: str, reason: str) -> None:
    """Let a person work in a place no longer. Raises PersonIsYourself, RightNotHeld."""
    row = _place_to_hand_on(actor, user, place)
    grants = row.user_grants_model.objects.filter(user=user, content_object=row, permission=_entry_to(row))
    taken, _ = grants.delete()
    if taken:
        _note_rights(actor, user, f"Taken from a {row._meta.verbose_name}", reason, place=place)


@service("accounts.set_password", right="change")
def set_password(*, actor: User, user: User, password: str, reason: str = "") -> User:
    """Give a person a new password, to be told to them by another way. Raises PersonAboveYou."""
    if user.is_superuser and not actor.is_superuser:
        raise PersonAboveYou("Only a superuser sets a superuser's password.")
    _check_holds(actor, Permission.objects.filter(group__user=user))
    validate_password(password, user)
    user.set_password(password)
    user.save()
    return user


@service("accounts.set_rights", right="grant", reason_required=True)
def set_role_rights(*, actor: User, role: Role, permissions: list[Permission], reason: str) -> Role:
    """Let a role give exactly these rights. Raises RightNotHeld for what the actor would add without holding it."""
    held = set(role.permissions.values_list("pk", flat=True))
    wanted = {permission.pk for permission in permissions}
    _check_holds(actor, [permission for permission in permissions if permission.pk not in held])
    RolePermission.objects.filter(group_id=role.pk, permission_id__in=held - wanted).delete()
    RolePermission.objects.bulk_create(
        RolePermission(group_id=role.pk, permission_id=key) for key in sorted(wanted - held)
    )
    if wanted != held:
        moved = {"given": _named(wanted - held), "taken": _named(held - wanted)}
        _note_rights(actor, role, f"Rights of role {role} set", reason, **moved)
    return role


def _note_rights(actor: User, whose: User | Role, said: str, reason: str, **detail: Any) -> None:
    """In the ledger of reads too: who reads it asks who could see what, and since when."""
    label = whose._meta.label
    note_access(Access.RIGHTS, actor=actor, model=label, object_id=whose.pk, subject=said, reason=reason, detail=detail)


def _named(permissions: set[int]) -> list[str]:
    found = Permission.objects.filter(pk__in=permissions).values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in found)


def _place_to_hand_on(actor: User, user: User, place: str) -> Any:
    if user.pk == actor.pk:
        raise PersonIsYourself("You cannot change where you work yourself; ask another administrator.")
    dimension, _, key = place.partition(":")
    model: Any = scope_model(dimension)
    row = model.objects.get_by_natural_key(key)
    places = access_of(actor).places(dimension)
    if places is not None and row.pk not in places:
        raise RightNotHeld(f"You cannot let anybody into {row}, because you do not work there yourself.")
    return row


def _entry_to(row: Any) -> Permission:
    return Permission.objects.get(content_type__app_label=row._meta.app_label, codename=f"access_{row.dimension}")


def _check_holds(actor: User, permissions: object) -> None:
    """Raise RightNotHeld unless the actor may hand on every one of `permissions`.

    An administrator of roles (`accounts.grant_role`) hands on all rights but those over people and roles, which they
    must hold themselves: who may ship need not be an administrator, but nobody makes administrators above themselves.
    """
    for permission in permissions:
        name = f"{permission.content_type.app_label}.{permission.codename}"
        business = permission.content_type.app_label != "accounts"
        if not actor.has_perm(name) and not (business and actor.has_perm("accounts.grant_role")):
            raise RightNotHeld(f"You cannot give “{permission.name}”, because you do not hold it yourself.")

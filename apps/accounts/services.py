"""What can be done to people and roles. What may be handed on to whom is decided by `admin_ext.granting`."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import Permission
from django.contrib.auth.password_validation import validate_password

from admin_ext.audit.access_log import note_access
from admin_ext.audit.models import Access
from admin_ext.granting import giving
from admin_ext.granting.holding import PersonIsYourself, check_below
from admin_ext.services import service
from apps.accounts.models import Membership, Role, User


@service("accounts.deactivate", right="delete", possible=lambda user: user.is_active, reason_required=True)
def deactivate_user(*, actor: User, user: User, reason: str) -> User:
    """Close a person's account; nothing of what they did changes. Raises PersonIsYourself, PersonAboveYou."""
    if user.pk == actor.pk:
        raise PersonIsYourself("You cannot deactivate yourself; ask another administrator.")
    check_below(actor, user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    _note_rights(actor, user, "Account closed", reason)
    return user


@service("accounts.reactivate", right="delete", possible=lambda user: not user.is_active)
def reactivate_user(*, actor: User, user: User, reason: str = "") -> User:
    """Open a closed account again. Raises PersonAboveYou."""
    check_below(actor, user)
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
    """Let a person hold a role. Raises PersonIsYourself, PersonAboveYou, RightNotHeld."""
    return giving.give_role(actor=actor, user=user, role=role, reason=reason)


@service("accounts.take_role", right="grant", reason_required=True)
def take_role(*, actor: User, user: User, role: Role, reason: str) -> None:
    """Take a role from a person. Raises PersonIsYourself, PersonAboveYou."""
    giving.take_role(actor=actor, user=user, role=role, reason=reason)


@service("accounts.give_place", right="grant", reason_required=True)
def give_place(*, actor: User, user: User, place: str, reason: str) -> None:
    """Let a person work in a place of a scope, and in all below it. Raises PersonIsYourself, PlaceNotHeld.

    `place` is a dimension and a natural key, `region:NORDICS`.
    """
    giving.give_place(actor=actor, holder=user, place=place, reason=reason)


@service("accounts.take_place", right="grant", reason_required=True)
def take_place(*, actor: User, user: User, place: str, reason: str) -> None:
    """Let a person work in a place no longer. Raises PersonIsYourself, PlaceNotHeld."""
    giving.take_place(actor=actor, holder=user, place=place, reason=reason)


@service("accounts.set_password", right="change")
def set_password(*, actor: User, user: User, password: str, reason: str = "") -> User:
    """Give a person a new password, to be told to them by another way. Raises PersonAboveYou."""
    check_below(actor, user)
    validate_password(password, user)
    user.set_password(password)
    user.save()
    return user


@service("accounts.set_rights", right="grant", reason_required=True)
def set_role_rights(*, actor: User, role: Role, permissions: list[Permission], reason: str) -> Role:
    """Let a role give exactly these rights. Raises RightNotHeld, PersonIsYourself, PersonAboveYou."""
    return giving.set_role_rights(actor=actor, role=role, rights=permissions, reason=reason)


@service("accounts.delete_role", right="delete", model="accounts.Role", reason_required=True)
def delete_role(*, actor: User, role: Role, reason: str) -> None:
    """Take a role from all who hold it, for good. Raises RightNotHeld, PersonIsYourself, PersonAboveYou."""
    giving.delete_role(actor=actor, role=role, reason=reason)


def _note_rights(actor: User, whose: User, said: str, reason: str) -> None:
    """In the ledger of reads too: who reads it asks who could see what, and since when."""
    note_access(
        Access.RIGHTS, actor=actor, model=whose._meta.label, object_id=whose.pk, subject=said, reason=reason, detail={}
    )

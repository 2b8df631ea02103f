"""The roles that count for a person: those they hold, and the one of an emergency while they have an elevated session."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

_ELEVATED = "_opsadmin_elevated_role"


def roles_held(user: Any) -> models.QuerySet:
    """Keys of the roles whose rights and grants `user` has, as rows to compare with: `group__in=roles_held(user)`."""
    elevated = elevated_role(user)
    if elevated is None:
        return user.groups.values("pk")
    return Group.objects.filter(Q(user=user.pk) | Q(pk=elevated)).values("pk")


def elevate(user: Any, role: int) -> None:
    """Let this user object hold one more role, for as long as the object lives: one request."""
    setattr(user, _ELEVATED, role)
    for known in ("_opsadmin_access", "_perm_cache", "_group_perm_cache"):
        user.__dict__.pop(known, None)


def elevated_role(user: Any) -> int | None:
    """Key of the role that an elevated session adds; None outside of one."""
    return getattr(user, _ELEVATED, None)

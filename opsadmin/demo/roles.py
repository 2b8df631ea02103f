"""Roles as data: `fixtures/roles.json` says in short what each role may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission

from apps.accounts.models import Role, RolePermission

ROLES = Path(settings.BASE_DIR) / "fixtures" / "roles.json"


class RightNotKnown(Exception):
    """A role names a right that does not exist."""


def load_roles() -> dict[str, Role]:
    """Make every role hold exactly the rights that the file gives it; call inside a change set."""
    known = {f"{p.content_type.app_label}.{p.codename}": p for p in Permission.objects.select_related("content_type")}
    apps_there = {name.partition(".")[0] for name in known}
    roles: dict[str, Any] = {}  # the stubs take the proxy's rows for groups
    for name, lines in json.loads(ROLES.read_text(encoding="utf-8")).items():
        wanted = {right for line in lines for right in expand(line, known) if line.partition(".")[0] in apps_there}
        role, _ = Role.objects.get_or_create(name=name)
        held = set(RolePermission.objects.filter(group_id=role.pk).values_list("permission_id", flat=True))
        keys = {known[right].pk for right in wanted}
        RolePermission.objects.filter(group_id=role.pk, permission_id__in=held - keys).delete()
        RolePermission.objects.bulk_create(
            RolePermission(group_id=role.pk, permission_id=key) for key in sorted(keys - held)
        )
        roles[name] = role
    return roles


def expand(line: str, known: dict[str, Permission]) -> list[str]:
    """The rights that a line means: "orders.view_order", or "orders.*_order -delete" for all but some.

    Raises RightNotKnown.
    """
    pattern, *without = line.split()
    app, _, codename = pattern.partition(".")
    if not codename.startswith("*_"):
        if pattern not in known and any(right.startswith(f"{app}.") for right in known):
            raise RightNotKnown(f"There is no right {pattern}.")
        return [pattern] if pattern in known else []
    model = codename[2:]
    refused = tuple(each.removeprefix("-") for each in without)
    return [
        right
        for right in known
        if right.startswith(f"{app}.")
        and known[right].content_type.model == model
        and not known[right].codename.startswith(refused or ("\0",))
    ]

"""Field policies as they are asked: read with the person's roles in one query, once for each request."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.db.models import CharField, Exists, F, Value

from admin_ext.access.roles import roles_held


@dataclasses.dataclass(frozen=True)
class Policies:
    """The policies of all roles, and which of a person's roles give which right."""

    fields: dict[str, dict[str, dict[int, str]]]
    """By model ("app.Model") and field: the kind for each role that has a policy."""
    roles: dict[str, set[int]]
    """By right ("app.view_customer"): the person's roles that give it."""


def read_policies(user: Any) -> Policies:
    """One query; where there are no policies at all, no rights are read."""
    policies = apps.get_model("access", "FieldPolicy").objects.order_by()
    text = CharField()
    rights = Permission.objects.order_by().filter(Exists(policies), group__in=roles_held(user))
    rows = policies.values_list("role_id", "model", "field", "kind").union(
        rights.values_list(F("group"), "content_type__app_label", "codename", Value("", output_field=text)),
        all=True,
    )
    fields: dict[str, dict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    roles: dict[str, set[int]] = defaultdict(set)
    for role, first, second, kind in rows:
        if kind:
            fields[first][second][role] = kind
        else:
            roles[f"{first}.{second}"].add(role)
    return Policies(fields, roles)

"""The models that rights are kept in: people, roles, who holds which, and the pairs of grant tables.

The platform knows people as `AUTH_USER_MODEL` and roles as groups; where an app puts roles on the record by a proxy of
`Group`, rights over roles are rights over that.
"""

from __future__ import annotations

import functools
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models

from admin_ext.access.rights import permission


@functools.cache
def role_model() -> Any:
    """The proxy of Group that has a `grant` right; Group itself where there is none."""
    for model in apps.get_models():
        if model._meta.proxy and issubclass(model, Group) and "grant" in model._meta.default_permissions:
            return model
    return Group


def memberships() -> Any:
    """Rows of who holds which role, by `user_id` and `group_id`."""
    return get_user_model()._meta.get_field("groups").remote_field.through._default_manager


def role_rights() -> Any:
    """Rows of which role gives which right, by `group_id` and `permission_id`."""
    return Group._meta.get_field("permissions").remote_field.through._default_manager  # type: ignore[union-attr]


def as_role(group: Group) -> Any:
    """A group as the role that it is."""
    return group if isinstance(group, role_model()) else role_model()._default_manager.get(pk=group.pk)


@functools.cache
def grantable_models() -> tuple[Any, ...]:
    """Every model of which single rows can be granted, by label."""
    found = [model for model in apps.get_models() if hasattr(model, "user_grants_model")]
    return tuple(sorted(found, key=lambda model: model._meta.label))


@functools.cache
def rights_over_rights() -> frozenset[str]:
    """The apps whose rights let somebody decide over people and what they may: handed on only by who holds them."""
    deciding = {get_user_model()._meta.app_label, role_model()._meta.app_label, Group._meta.app_label}
    return frozenset(deciding | {"granting", "access"})


def action_of(codename: str, model: Any) -> str:
    """The action that a permission on rows of a model gives: `ship` of `ship_order`; the entry to a place as it is."""
    if codename == f"access_{getattr(model, 'dimension', '')}":
        return codename
    return codename.removesuffix(f"_{model._meta.model_name}")


def named(right: Permission) -> str:
    """`orders.ship_order`, as roles and files write it."""
    return f"{right.content_type.app_label}.{right.codename}"


def entry_to(place: Any) -> Permission:
    """The permission that lets somebody into a place."""
    return Permission.objects.select_related("content_type").get(
        content_type__app_label=place._meta.app_label, codename=f"access_{place.dimension}"
    )


def is_entrusted(actor: Any) -> bool:
    """May the actor hand on rights over the business that they do not use themselves?"""
    return actor.has_perm(permission(role_model(), "entrust"))


def entry_to_any(model: Any, holder: Any) -> models.QuerySet:
    """The grants that let a person, or the holders of a role, into places of a dimension; those below left out."""
    entry = f"access_{model.dimension}"
    if isinstance(holder, Group):
        return model.group_grants_model._base_manager.filter(group_id=holder.pk, permission__codename=entry)
    return model.user_grants_model._base_manager.filter(user_id=holder.pk, permission__codename=entry)

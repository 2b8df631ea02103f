"""Scope dimensions: the models that divide the world.

A scope model says which dimension it is (`dimension = "region"`) and inherits two permissions' names from it:
`access_region`, granted on single rows (a grant covers everything below the row in its tree), and
`access_all_region`, held through a role. Other models say how they hang from it: `scopes = {"region": "customer__region"}`.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection, models

from admin_ext.access.roles import roles_held


class UnknownDimension(LookupError):
    """A model names a scope dimension that no scope model declares."""


def scope_model(dimension: str) -> type[models.Model]:
    """The model whose rows are the places of a dimension."""
    for model in apps.get_models():
        if getattr(model, "dimension", "") == dimension:
            return model
    raise UnknownDimension(dimension)


def scope_models() -> list[type[models.Model]]:
    """The model of every dimension, by its name."""
    found = [model for model in apps.get_models() if getattr(model, "dimension", "")]
    return sorted(found, key=lambda model: model.dimension)


def scope_permissions(dimension: str) -> list[tuple[str, Any]]:
    """The permissions for a scope model's `Meta.permissions`."""
    return [
        (f"access_{dimension}", f"Can work in this {dimension}"),
        (f"access_all_{dimension}", f"Can work in every {dimension}"),
    ]


def granted_places(user: models.Model, dimension: str) -> list[int]:
    """Keys of the places of `dimension` granted to the user or one of their groups, and of all places below them."""
    model = scope_model(dimension)
    users, groups = model.user_grants_model._meta.db_table, model.group_grants_model._meta.db_table
    table, app, name = model._meta.db_table, model._meta.app_label, model._meta.model_name
    below = (
        # Rights are those of now, also where the past is read: the table, not a view of its name.
        f"UNION SELECT t.id FROM public.{table} t JOIN covered c ON t.parent_id = c.id"
        if any(field.name == "parent" for field in model._meta.fields)
        else ""
    )
    groups_sql, group_params = roles_held(user).query.sql_with_params()
    sql = f"""
        WITH RECURSIVE permission AS (
            SELECT p.id FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id
            WHERE c.app_label = %s AND c.model = %s AND p.codename = %s
        ), granted(id) AS (
            SELECT g.content_object_id FROM {users} g JOIN permission ON g.permission_id = permission.id
            WHERE g.user_id = %s
            UNION
            SELECT g.content_object_id FROM {groups} g JOIN permission ON g.permission_id = permission.id
            WHERE g.group_id IN ({groups_sql})
        ), covered(id) AS (SELECT id FROM granted {below})
        SELECT id FROM covered
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [app, name, f"access_{dimension}", user.pk, *group_params])
        return [row[0] for row in cursor.fetchall()]

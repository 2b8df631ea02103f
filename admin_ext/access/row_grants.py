"""Which rows a person was let into one by one: found without asking twice, and in a form that the planner reads well.

No single form is fast for few grants and for many. A list of keys is best for few; for many the database joins the
grants, and must then know whose they are and of which verb: through joins on names it takes fifty thousand rows for two
hundred, and reads each of them to show a page of fifty.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from django.apps import apps
from django.db import connection, models

# Up to here the keys of granted rows are written into the query.
INLINE_KEYS = 200

GrantTable = type[models.Model]
GrantedRows: TypeAlias = list[int] | models.QuerySet


def tables_with_grants(user: Any, roles: list[int]) -> set[GrantTable]:
    """The grant tables that hold anything at all for the person or one of their roles; one query for all of them."""
    tables: list[tuple[GrantTable, str, Any]] = []
    for model in apps.get_models():
        if hasattr(model, "user_grants_model"):
            tables += [(model.user_grants_model, "user_id", [user.pk]), (model.group_grants_model, "group_id", roles)]
    # Rights are those of now, also where the past is read: the tables, not views of their names.
    asked = ", ".join(
        f'EXISTS (SELECT FROM public."{table._meta.db_table}" WHERE {holder} = ANY(%s))' for table, holder, _ in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {asked}", [holders for _, _, holders in tables])
        return {table for (table, _, _), holds in zip(tables, cursor.fetchone(), strict=True) if holds}


def rows_granted(grants: Any, holder: str, holders: list[int], codename: str) -> list[GrantedRows]:
    """The keys of the rows that `grants` lets the `holders` (of column `holder`) do `codename` to, or the subquery that
    finds them; nothing where there are none."""
    given = grants.objects.filter(**{f"{holder}__any_of": holders}, permission__codename=codename)
    found = list(given.values_list("content_object_id", "permission_id")[: INLINE_KEYS + 1])
    if len(found) <= INLINE_KEYS:
        return [[key for key, _ in found]] if found else []
    rows = grants.objects.filter(**{f"{holder}__in": holders}, permission_id=found[0][1])
    return [rows.values("content_object_id")]

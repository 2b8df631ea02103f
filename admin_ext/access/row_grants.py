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


def rights_granted(user: Any, roles: list[int]) -> dict[GrantTable, dict[str, int]]:
    """The grant tables that hold anything for the person or one of their roles, each with the rights that it gives them
    on some row: their numbers, by code name. One query where there are none, else two."""
    tables: list[tuple[GrantTable, str, list[int]]] = []
    for model in apps.get_models():
        if hasattr(model, "user_grants_model"):
            tables += [(model.user_grants_model, "user_id", [user.pk]), (model.group_grants_model, "group_id", roles)]
    # Rights are those of now, also where the past is read: the tables, not views of their names.
    asked = ", ".join(
        f'EXISTS (SELECT FROM public."{table._meta.db_table}" WHERE {holder} = ANY(%s))' for table, holder, _ in tables
    )
    found: dict[GrantTable, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {asked}", [holders for _, _, holders in tables])
        held = [each for each, holds in zip(tables, cursor.fetchone(), strict=True) if holds]
        if not held:
            return found
        branches = [
            (STEP_BY_STEP.format(table=table._meta.db_table, holder=holder), [n, key, key])
            for n, (table, holder, holders) in enumerate(held)
            for key in holders
        ]
        cursor.execute(" UNION ".join(sql for sql, _ in branches), [each for _, keys in branches for each in keys])
        for n, codename, key in cursor.fetchall():
            found.setdefault(held[n][0], {})[codename] = key
    return found


# From one right to the next one in the index: of fifty thousand grants of one right, one is read.
STEP_BY_STEP = """
    (WITH RECURSIVE step (of, key) AS (
        SELECT %s, (SELECT min(permission_id) FROM public."{table}" WHERE {holder} = %s)
        UNION ALL
        SELECT of, (SELECT min(permission_id) FROM public."{table}" WHERE {holder} = %s AND permission_id > step.key)
        FROM step WHERE step.key IS NOT NULL
    ) SELECT step.of, p.codename, p.id FROM step JOIN public.auth_permission p ON p.id = step.key)
"""


def rows_granted(grants: Any, holder: str, holders: list[int], right: int) -> GrantedRows:
    """The keys of the rows on which `grants` gives the `holders` (of column `holder`) a right, or the subquery that finds
    them."""
    given = grants.objects.filter(**{f"{holder}__any_of": holders}, permission_id=right)
    found = list(given.values_list("content_object_id", flat=True)[: INLINE_KEYS + 1])
    if len(found) <= INLINE_KEYS:
        return found
    rows = grants.objects.filter(**{f"{holder}__in": holders}, permission_id=right)
    return rows.values("content_object_id")

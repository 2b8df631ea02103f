"""Of a big table, the few rows that a search finds, named by key.

The planner takes every beginning of a word to be in a row of fifty, and rows with a reference to be spread evenly. For a page
of a list it would then walk ten million rows in search of a word that is in none, or of orders that are all old. So the
indexes alone are asked beforehand. Of many rows the first ones are met soon by walking the list; that they are many is
remembered for a while.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db import connection, models, transaction

from admin_ext.audit.past import instant_looked_at

BIG = 50_000
"""A table of fewer rows is read as fast as anything."""
FEW = 20_000
"""Up to how many rows are named by key."""
WORTH_ASKING = 1_000
"""From so many keys on it is asked first which of them are in the list."""
REMEMBERED = 3600
"""Seconds."""
# By the index, and with room to remember each row that it names: rows that are only remembered by their page are read again.
_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "work_mem": "64MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}


def few_matches(rows: models.QuerySet, *, told: str) -> str | None:
    """The keys of `rows`, which `told` tells from others, as PostgreSQL writes an array: they go back as they come. None where
    they are many, or where asking costs more."""
    if instant_looked_at() is not None:
        return None  # the past has no index
    about = repr((rows.model._meta.label, told))
    remembered = f"opsadmin.many.{hashlib.sha256(about.encode()).hexdigest()}"
    if cache.get(remembered) or not _is_big(rows.model):
        return None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join('current_setting(%s)' for _ in _BY_INDEX)}", list(_BY_INDEX))
        usual = cursor.fetchone()
        _set(cursor, _BY_INDEX.values())
        found, keys = _found(cursor, rows.order_by()[: FEW + 1])
        _set(cursor, usual)
    if found <= FEW:
        return keys
    cache.set(remembered, True, REMEMBERED)
    return None


def those_of(queryset: models.QuerySet, keys: str) -> str:
    """Of many keys those that name rows of `queryset`, which is asked for them again and again: for a page, and to count."""
    if keys.count(",") < WORTH_ASKING:
        return keys
    with connection.cursor() as cursor:
        return _found(cursor, queryset.filter(pk__among_few=keys).order_by())[1]


def _found(cursor: Any, rows: models.QuerySet) -> tuple[int, str]:
    """How many rows there are, and their keys."""
    try:
        sql, parameters = rows.values_list("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0, "{}"
    cursor.execute(f"SELECT count(*), coalesce(array_agg(key), '{{}}')::text FROM ({sql}) found (key)", parameters)
    return cursor.fetchone()


def _is_big(model: type[models.Model]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        return bool(cursor.fetchone()[0] >= BIG)


def _set(cursor: Any, values: Any) -> None:
    told = [each for pair in zip(_BY_INDEX, values, strict=True) for each in pair]
    cursor.execute(f"SELECT {', '.join('set_config(%s, %s, true)' for _ in _BY_INDEX)}", told)

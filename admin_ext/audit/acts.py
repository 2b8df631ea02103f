"""Which tables one act wrote to."""

from __future__ import annotations

from typing import Any

from django.db import connection

from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet


def rows_by_model(change_set: ChangeSet, among: list[Any] | None = None) -> dict[Any, dict[str, int]]:
    """How many rows of the record the act wrote, by model and then by kind ("+", "~", "-"); in one query."""
    wanted = among or tracked_models()
    sql = " UNION ALL ".join(
        f'(SELECT {number}, history_type, count(*) FROM "{model.history.model._meta.db_table}" '
        "WHERE change_set_id = %s GROUP BY 2)"
        for number, model in enumerate(wanted)
    )
    counts: dict[Any, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [change_set.pk] * len(wanted))
        for number, kind, rows in cursor.fetchall():
            counts.setdefault(wanted[number], {})[kind] = rows
    return counts

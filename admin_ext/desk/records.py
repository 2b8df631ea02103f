"""Rows of the record, read from any number of history tables in one query.

Each comes with the row as it became and, for an update, as it was. Values stay as the database wrote them (JSON), so
that one query can serve all models; `telling.py` puts them into words.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import connection, models


@dataclasses.dataclass(slots=True)
class Recorded:
    """One history row. `kind` is "+", "~" or "-"; `changed` the columns that an update changed."""

    model: type[models.Model]
    history_id: int
    key: int
    change_set_id: int | None
    kind: str
    at: datetime
    actor_id: int | None
    db_user: str
    changed: list[str] | None
    after: dict[str, Any]
    before: dict[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Branch:
    """Where rows of one model come from: SQL after SELECT that calls the history row `h`, and its parameters."""

    model: type[models.Model]
    source: str
    params: Sequence[Any] = ()


def history_table(model: type[models.Model]) -> str:
    return f'"{model.history.model._meta.db_table}"'


def read(branches: Sequence[Branch]) -> list[Recorded]:
    """The rows of all branches, in one query."""
    if not branches:
        return []
    selects = [
        f"SELECT {number}, h.history_id, h.id, h.change_set_id, h.history_type, h.history_date, h.history_user_id, "
        f"h.db_user, h.changed, to_jsonb(h)::text, CASE WHEN h.history_type = '~' THEN (SELECT to_jsonb(p)::text "
        f"FROM {history_table(branch.model)} p WHERE p.id = h.id AND p.history_id < h.history_id "
        f"ORDER BY p.history_id DESC LIMIT 1) END {branch.source}"
        for number, branch in enumerate(branches)
    ]
    # Parentheses: a branch may have an ORDER BY and a LIMIT of its own.
    sql = " UNION ALL ".join(f"({select})" for select in selects)
    with connection.cursor() as cursor:
        cursor.execute(sql, [param for branch in branches for param in branch.params])
        rows = cursor.fetchall()
    return [
        Recorded(branches[number].model, *rest, after=_parsed(after), before=_parsed(before) if before else None)
        for number, *rest, after, before in rows
    ]


@cache
def history_columns(model: type[models.Model]) -> frozenset[str]:
    return frozenset(field.column for field in model.history.model._meta.concrete_fields)


def _parsed(text: str) -> dict[str, Any]:
    return json.loads(text, parse_float=Decimal)

"""The rows that one act touched, each with what it was before the act, what the act left, and what it is now.

Read from the history tables page by page and told once per row, however often the act wrote it. The comparisons are
made by the database; what comes out is a few numbers per row.

Note [one row at a time]
    A page of history is read by its index; everything else is asked of the history of single rows, in subqueries that
    PostgreSQL can only run row by row through the index on the key (hence `LIMIT`, and `+ 0`, which keeps it from
    reading all of an act to find one row of it). A join would be planned anew as the act grows, over the whole table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection

from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.plans.models import Action
from admin_ext.plans.past import kept_by_the_database

PAGE = 2000


@dataclasses.dataclass(frozen=True, slots=True)
class Touched:
    """One row. `before` and `left` are keys of its history: the row before the act, and what the act made of it."""

    key: int
    first: int
    was_made: bool
    was_deleted: bool
    before: int | None
    left: int
    version: int | None
    """That of the row as it is now; None when it is gone."""
    is_as_left: bool
    is_as_before: bool
    other: int | None
    """The last history row since then that another act wrote, or one in between; with who wrote it, when and how."""
    other_act: int | None
    other_person: int | None
    other_login: str | None
    other_at: datetime | None
    between: bool

    @property
    def way_back(self) -> str:
        """What would make the row what it was."""
        return Action.DELETE if self.was_made else Action.CREATE if self.was_deleted else Action.UPDATE

    @property
    def is_there(self) -> bool:
        return self.version is not None


def touched_rows(model: Any, act: int, way_back: str) -> Iterator[list[Touched]]:
    """The rows of `model` that are taken back in one way, in batches; what was written last comes first."""
    made = way_back == Action.DELETE
    reached = None
    while page := _page(model, act, made=made, before=reached):
        reached = page[-1][1]
        if batch := [row for row in _told(model, act, page) if row.way_back == way_back]:
            yield batch


def compared_fields(model: Any) -> list[Any]:
    """The columns by which a row is the same: not those that follow from the row itself or from others."""
    history = model.history.model
    follows = FOLLOWING_COLUMNS | kept_by_the_database(model)
    return [
        field
        for field in model._meta.concrete_fields
        if not field.primary_key
        and not getattr(field, "generated", False)
        and field.name not in follows
        and hasattr(history, field.attname)
    ]


def _page(model: Any, act: int, *, made: bool, before: int | None) -> list[tuple[int, int]]:
    """Key and history key of a page of rows that an act made, or of those it changed or deleted; the last ones first."""
    start = "" if before is None else "AND history_id < %s"
    sql = (
        f'SELECT id, history_id FROM "{model.history.model._meta.db_table}" WHERE change_set_id = %s '
        f"AND history_type {'=' if made else '<>'} '+' {start} ORDER BY history_id DESC LIMIT {PAGE}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [act] if before is None else [act, before])
        return cursor.fetchall()


def _told(model: Any, act: int, page: list[tuple[int, int]]) -> list[Touched]:
    """See Note [one row at a time]."""
    table, history = f'"{model._meta.db_table}"', f'"{model.history.model._meta.db_table}"'
    columns = [field.column for field in compared_fields(model)]
    row = {name: "ROW(" + ", ".join(f'{name}."{column}"' for column in columns) + ")" for name in ("t", "l", "b")}
    sql = f"""
        SELECT page.id, page.history_id, f.history_type = '+', l.history_type = '-', b.history_id, l.history_id, t.version,
            t.id IS NOT NULL AND {row["t"]} IS NOT DISTINCT FROM {row["l"]},
            t.id IS NOT NULL AND b.history_id IS NOT NULL AND {row["t"]} IS NOT DISTINCT FROM {row["b"]},
            o.history_id, o.change_set_id, o.history_user_id, o.db_user, o.history_date,
            EXISTS (SELECT FROM {history} m WHERE m.id = page.id AND m.history_id > page.history_id
                AND m.history_id < l.history_id AND m.change_set_id IS DISTINCT FROM %(act)s)
        FROM unnest(%(keys)s::bigint[], %(firsts)s::bigint[]) WITH ORDINALITY page (id, history_id, place)
        CROSS JOIN LATERAL (SELECT * FROM {history} h WHERE h.history_id = page.history_id LIMIT 1) f
        CROSS JOIN LATERAL (SELECT * FROM {history} h WHERE h.id = page.id AND h.change_set_id + 0 = %(act)s
            ORDER BY h.id, h.history_id DESC LIMIT 1) l
        LEFT JOIN LATERAL (SELECT * FROM {history} h WHERE h.id = page.id AND h.history_id < page.history_id
            ORDER BY h.id, h.history_id DESC LIMIT 1) b ON true
        LEFT JOIN LATERAL (SELECT * FROM {history} h WHERE h.id = page.id AND h.history_id > page.history_id
            AND h.change_set_id IS DISTINCT FROM %(act)s ORDER BY h.id, h.history_id DESC LIMIT 1) o ON true
        LEFT JOIN LATERAL (SELECT * FROM {table} t WHERE t.id = page.id LIMIT 1) t ON true
        WHERE NOT EXISTS (SELECT FROM {history} e WHERE e.id = page.id AND e.history_id < page.history_id
            AND e.change_set_id + 0 = %(act)s OFFSET 0)
        ORDER BY page.place
    """
    keys, firsts = zip(*page, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"act": act, "keys": list(keys), "firsts": list(firsts)})
        return [Touched(*found) for found in cursor.fetchall()]

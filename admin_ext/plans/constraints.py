"""The database's own check constraints, asked about rows that are not there yet."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from django.db import connection, models

from admin_ext.plans.documents import PLAIN
from admin_ext.plans.models import Action
from admin_ext.plans.rows import as_json

if TYPE_CHECKING:
    from admin_ext.plans.rows import DraftRow


@dataclasses.dataclass(frozen=True)
class _Checks:
    """The constraints of a table: names and conditions, and the columns that they speak of with their types."""

    conditions: list[tuple[str, str]]
    columns: dict[str, str]
    is_plain: bool

    @property
    def broken(self) -> str:
        cases = ", ".join(f"CASE WHEN NOT {condition} THEN '{name}' END" for name, condition in self.conditions)
        return f"array_remove(ARRAY[{cases}], NULL)"


class CheckConstraints:
    """Says which constraints a batch of planned rows would break, in a statement or two."""

    def __init__(self, model: type[models.Model]) -> None:
        self.table = model._meta.db_table
        self.checks: _Checks | None = None

    def broken_by(self, drafts: list[DraftRow]) -> list[tuple[DraftRow, list[str]]]:
        """The drafts that would break a constraint, each with the names of those it breaks."""
        if self.checks is None:
            self.checks = self._read()
        if not drafts or not self.checks.conditions:
            return []
        whole = [draft for draft in drafts if self.checks.is_plain and draft.action == Action.CREATE]
        partly = [draft for draft in drafts if not self.checks.is_plain or draft.action != Action.CREATE]
        return (self._broken_by_new(whole, self.checks) if whole else []) + (
            self._broken_by_changed(partly, self.checks) if partly else []
        )

    def _broken_by_new(self, drafts: list[DraftRow], checks: _Checks) -> list[tuple[DraftRow, list[str]]]:
        """A new row is asked about by the few columns that matter, each as one array: a third of the time."""
        arrays = ", ".join("json_array_elements_text(%s::json)" for _ in checks.columns)
        named = ", ".join(f'"{column}"' for column in checks.columns)
        typed = ", ".join(f'"{column}"::{kind} AS "{column}"' for column, kind in checks.columns.items())
        sql = f"""
            SELECT * FROM (
                SELECT i, {checks.broken} AS broken
                FROM (SELECT i, {typed} FROM ROWS FROM ({arrays}) WITH ORDINALITY AS given({named}, i)) planned
            ) asked WHERE cardinality(broken) > 0
        """
        documents: list[dict[str, Any]] = [draft.after or {} for draft in drafts]
        columns = [as_json([document.get(column) for document in documents]) for column in checks.columns]
        with connection.cursor() as cursor:
            cursor.execute(sql, columns)
            return [(drafts[i - 1], names) for i, names in cursor.fetchall()]

    def _broken_by_changed(self, drafts: list[DraftRow], checks: _Checks) -> list[tuple[DraftRow, list[str]]]:
        documents = [{"i": i, "id": draft.target_id, "after": draft.after} for i, draft in enumerate(drafts)]
        # The expressions name bare columns: only `planned` may have columns of their names, hence `present.whole`.
        sql = f"""
            SELECT (doc->>'i')::int, {checks.broken}
            FROM jsonb_array_elements(%s::jsonb) doc
            LEFT JOIN LATERAL (
                SELECT t AS whole FROM "{self.table}" t WHERE t.id = (doc->>'id')::bigint
            ) present ON true
            CROSS JOIN LATERAL jsonb_populate_record(
                coalesce(present.whole, NULL::"{self.table}"), doc->'after'
            ) planned
        """
        with connection.cursor() as cursor:
            cursor.execute(sql, [as_json(documents)])
            return [(drafts[i], names) for i, names in cursor.fetchall() if names]

    def _read(self) -> _Checks:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint "
                "WHERE conrelid = %s::regclass AND contype = 'c' ORDER BY conname",
                [f'"{self.table}"'],
            )
            conditions = [(name, f"({expression})".replace("%", "%%")) for name, expression in cursor.fetchall()]
            cursor.execute(
                "SELECT DISTINCT a.attname, format_type(a.atttypid, a.atttypmod), t.typname "
                "FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) AS k(number) "
                # A constraint on the whole row names no column (0).
                "LEFT JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number AND k.number > 0 "
                "LEFT JOIN pg_type t ON t.oid = a.atttypid "
                "WHERE c.conrelid = %s::regclass AND c.contype = 'c'",
                [f'"{self.table}"'],
            )
            found = cursor.fetchall()
        columns = {column: kind for column, kind, _ in found if column}
        return _Checks(conditions, columns, is_plain=bool(columns) and all(name in PLAIN for _, _, name in found))

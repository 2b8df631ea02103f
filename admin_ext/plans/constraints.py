"""The database's own check constraints, asked about rows that are not there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, models

from admin_ext.plans.rows import as_json

if TYPE_CHECKING:
    from admin_ext.plans.rows import DraftRow


class CheckConstraints:
    """Says which constraints a batch of planned rows would break, in one statement."""

    def __init__(self, model: type[models.Model]) -> None:
        self.table = model._meta.db_table
        self.checks: list[tuple[str, str]] | None = None

    def broken_by(self, drafts: list[DraftRow]) -> list[tuple[DraftRow, list[str]]]:
        """The drafts that would break a constraint, each with the names of those it breaks."""
        if self.checks is None:
            self.checks = self._read()
        if not drafts or not self.checks:
            return []
        documents = [{"i": i, "id": draft.target_id, "after": draft.after} for i, draft in enumerate(drafts)]
        cases = ", ".join(f"CASE WHEN NOT {expression} THEN '{name}' END" for name, expression in self.checks)
        # The expressions name bare columns: only `planned` may have columns of their names, hence `present.whole`.
        sql = f"""
            SELECT (doc->>'i')::int, array_remove(ARRAY[{cases}], NULL)
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

    def _read(self) -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint "
                "WHERE conrelid = %s::regclass AND contype = 'c' ORDER BY conname",
                [f'"{self.table}"'],
            )
            return [(name, f"({expression})".replace("%", "%%")) for name, expression in cursor.fetchall()]

"""Planned documents (`PlanRow.after`) as typed columns of a table, inside the database."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

# Types whose text in a document is what `jsonb_populate_record` would read too, at a third of its cost.
PLAIN = {
    "bool",
    "date",
    "inet",
    "int2",
    "int4",
    "int8",
    "numeric",
    "text",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
}


class TypedColumns:
    """Columns of a table read from a document: expressions, and the join that some of them need."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.columns = columns
        types = column_types(table)
        self.expressions = [
            # Without its length: a text that is too long is refused by the column, where a cast would cut it.
            f"(p.after->>'{column}')::{types[column]}" if types[column] in PLAIN else f'typed."{column}"'
            for column in columns
        ]
        is_plain = all(types[column] in PLAIN for column in columns)
        self.join = "" if is_plain else f'CROSS JOIN LATERAL jsonb_populate_record(NULL::"{table}", p.after) typed'


def column_types(table: str) -> dict[str, str]:
    """The type of each column, without its length."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
            "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
            [f'"{table}"'],
        )
        return dict(cursor.fetchall())

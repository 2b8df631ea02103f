"""Does the past lead to the present? The last history row of every record must be the record as it is."""

from __future__ import annotations

from typing import Any

from django.db import models

from admin_ext.audit.history import tracked_models
from admin_ext.audit.seals.findings import LISTED, Report, Tampering

WITHOUT_HISTORY = "is there, and history does not know it"
STILL_EXPECTED = "is gone, and history does not know of a deletion"
DELETED_BEFORE = "is there, and was deleted as history knows it"


def find_missing_change_sets(cursor: Any, report: Report) -> None:
    """Every history row names an act, and the act is there."""
    for model in tracked_models():
        table = model.history.model._meta.db_table
        cursor.execute(
            f'SELECT h.history_id FROM public."{table}" h WHERE NOT EXISTS '
            f"(SELECT FROM public.audit_changeset c WHERE c.id = h.change_set_id) LIMIT {LISTED}"
        )
        for (row,) in cursor.fetchall():
            report.add(Tampering.NO_CHANGE_SET, table, row, detail="the change set that it names is not there")


def compare_with_live_rows(cursor: Any, report: Report) -> None:
    for model in tracked_models():
        cursor.execute(_comparison(cursor, model))
        for key, live, history_type, columns in cursor.fetchall():
            if history_type is None:
                said = WITHOUT_HISTORY
            elif not live:
                said = STILL_EXPECTED
            elif history_type == "-":
                said = DELETED_BEFORE
            else:
                said = f"differs from its last history row in {', '.join(columns)}"
            report.add(Tampering.LIVE_DIFFERS, model._meta.db_table, key, detail=said)


def _comparison(cursor: Any, model: type[models.Model]) -> str:
    """SQL: the records that are not what their last history row says."""
    history = model.history.model._meta
    table, key = model._meta.db_table, model._meta.pk.column
    recorded = {field.column for field in history.concrete_fields}
    columns = [field.column for field in model._meta.concrete_fields if field.column in recorded]
    differs = {column: f'h."{column}" IS DISTINCT FROM l."{column}"' for column in columns}
    differs.update(_later_columns(cursor, history.db_table))
    named = ", ".join(f"CASE WHEN {differs[column]} THEN '{column}' END" for column in columns)
    return f"""
        WITH last AS (SELECT "{key}" AS key, max(history_id) AS history_id FROM public."{history.db_table}" GROUP BY 1)
        SELECT coalesce(h."{key}", l."{key}"), l."{key}" IS NOT NULL, h.history_type,
            array_remove(ARRAY[{named}]::text[], NULL)
        FROM (public."{history.db_table}" h JOIN last USING (history_id))
        FULL JOIN public."{table}" l ON l."{key}" = h."{key}"
        WHERE CASE
            WHEN h.history_id IS NULL THEN true
            WHEN l."{key}" IS NULL THEN h.history_type <> '-'
            ELSE h.history_type = '-' OR {" OR ".join(f"({differs[column]})" for column in columns)}
        END
        LIMIT {LISTED}
    """


def _later_columns(cursor: Any, history_table: str) -> dict[str, str]:
    """Conditions for columns that history gained later (`columns.py`): older history rows need not carry them."""
    cursor.execute(
        'SELECT "column", after, value::text, uniform FROM public.audit_recordedcolumn WHERE table_name = %s',
        [history_table],
    )
    conditions = {}
    for column, after, value, uniform in cursor.fetchall():
        quoted = "'" + (value or "null").replace("'", "''") + "'"
        told = f"coalesce(to_jsonb(l.\"{column}\"), 'null') = {quoted}::jsonb" if uniform else "true"
        conditions[column] = (
            f'h."{column}" IS DISTINCT FROM l."{column}" '
            f'AND NOT (h.history_id <= {after} AND h."{column}" IS NULL AND {told})'
        )
    return conditions

"""Columns that history gains with time, and those that it must not lose.

A migration that adds a column gives every row a value without a trigger, so history rows from before do not carry it. What
they got is noted here, in the record, so that the fold of history can still be compared with the live rows. Columns of
history are never dropped, renamed or given another type: sealed rows could no longer be verified (`find_lost_columns`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connections, models, transaction
from django.db.migrations import operations
from django.db.migrations.state import ProjectState

from admin_ext.audit.history import tracked_models


def note_new_columns(*, plan: Iterable[tuple[Any, bool]] = (), using: str = "default", **kwargs: Any) -> None:
    """Receiver of post_migrate, as the owner: the columns that the migrations just run have added to history."""
    histories = {model.history.model._meta.label_lower: model for model in tracked_models()}
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for label, name in _added_fields(plan):
            model = histories.get(label)
            there = connection.introspection.table_names(cursor)
            if model is not None and "audit_recordedcolumn" in there and _has_field(model.history.model, name):
                _note(cursor, model, model.history.model._meta.get_field(name).column)


def _added_fields(plan: Iterable[tuple[Any, bool]]) -> Iterator[tuple[str, str]]:
    for migration, backwards in plan:
        for operation in () if backwards else migration.operations:
            if isinstance(operation, operations.AddField):
                yield f"{migration.app_label}.{operation.model_name_lower}", operation.name


def _has_field(model: type[models.Model], name: str) -> bool:
    return any(field.name == name for field in model._meta.concrete_fields)


def _note(cursor: Any, model: type[models.Model], column: str) -> None:
    history, live, key = model.history.model._meta.db_table, model._meta.db_table, model._meta.pk.column
    cursor.execute(f'SELECT max(history_id) FROM "{history}"')
    (after,) = cursor.fetchone()
    if after is None:
        return
    cursor.execute(
        f'WITH last AS (SELECT "{key}" AS key, max(history_id) AS history_id FROM "{history}" GROUP BY 1) '
        f'SELECT to_jsonb(l."{column}")::text FROM "{history}" h JOIN last USING (history_id) '
        f'JOIN "{live}" l ON l."{key}" = h."{key}" WHERE h."{column}" IS NULL GROUP BY 1 LIMIT 2'
    )
    values = [value for (value,) in cursor.fetchall()]
    cursor.execute(
        'INSERT INTO audit_recordedcolumn (table_name, "column", after, value, uniform, xid) '
        "VALUES (%s, %s, %s, %s::jsonb, %s, pg_current_xact_id()::text::bigint) ON CONFLICT DO NOTHING",
        [history, column, after, values[0] if values else None, len(values) <= 1],
    )


def find_lost_columns(state: ProjectState, migration: Any) -> list[str]:
    """What a migration would do to history that it must not; `state` is the project's before it."""
    found = []
    for operation in migration.operations:
        label = (migration.app_label, getattr(operation, "model_name_lower", getattr(operation, "name_lower", "")))
        if isinstance(operation, operations.RenameModel):
            label = (migration.app_label, operation.old_name_lower)
        known = state.models.get(label)
        if known and _is_history(known) and (said := _loss(state, label, operation)):
            found.append(f"{migration.app_label}.{migration.name}: {said}")
        operation.state_forwards(migration.app_label, state)
    return found


def _is_history(model: Any) -> bool:
    return model.name_lower.startswith("historical") and "history_id" in model.fields


def _loss(state: ProjectState, label: tuple[str, str], operation: Any) -> str | None:
    name = state.models[label].name
    match operation:
        case operations.RemoveField() | operations.RenameField():
            field = operation.name if isinstance(operation, operations.RemoveField) else operation.old_name
            return f"{name}.{field} would be lost; keep it with History(retired={{'{field}': …}})"
        case operations.AlterField():
            before, after = state.models[label].fields[operation.name], operation.field
            if _stored_as(before) != _stored_as(after):
                return f"{name}.{operation.name} would be stored otherwise; add a column of the new type instead"
        case operations.DeleteModel() | operations.RenameModel() | operations.AlterModelTable():
            return f"the table of {name} would be lost"
    return None


def _stored_as(field: models.Field) -> tuple[Any, ...]:
    """What decides the text of a stored value: a longer text or a wider number does not."""
    kind = type(field).__name__
    families = {
        "CharField": "text", "TextField": "text", "EmailField": "text", "URLField": "text", "SlugField": "text",
        "PositiveIntegerField": "int", "IntegerField": "int", "SmallIntegerField": "int", "BigIntegerField": "int",
        "PositiveSmallIntegerField": "int", "PositiveBigIntegerField": "int", "AutoField": "int", "BigAutoField": "int",
        "ForeignKey": "key", "OneToOneField": "key", "FileField": "text", "ImageField": "text",
    }  # fmt: skip
    return families.get(kind, kind), getattr(field, "decimal_places", None), field.db_column or ""

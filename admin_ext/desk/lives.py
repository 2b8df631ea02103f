"""The life of one record: every row that tells something about it, newest first.

Its own rows, those of its parts (`part_of`), and of whatever says what it is about (`about`): notes, files, grants,
roles. Pages go by the keys of the history tables: the page after ten thousand changes costs what the first one costs.
"""

from __future__ import annotations

import dataclasses
from itertools import groupby
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models

from admin_ext.audit.history import subjects_of, tracked_models
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.records import Branch, Recorded, history_table, read
from admin_ext.desk.telling import RowChange, Teller
from admin_ext.desk.visibility import recorded_as

PAGE = 50


@dataclasses.dataclass
class Entry:
    """What one act did, as far as this page tells it."""

    change_set_id: int | None
    change_set: ChangeSet | None
    at: Any
    who: str
    rows: list[RowChange]


@dataclasses.dataclass
class Source:
    """One history table that tells about the record: by which column."""

    model: type[models.Model]
    condition: str
    params: list[Any]


def life_of(
    model: type[models.Model], key: int, *, user: Any, before: str = "", field: str = ""
) -> tuple[list[Entry], str]:
    """A page of the life of a record that `user` may see, and the mark to go on from ('' at the end).

    With `field`, only changes of that column of the record itself.
    """
    sources = [Source(recorded_as(model), "h.id = %s", [key])] if field else sources_of(model, key)
    marks = _marks(before, len(sources))
    branches = []
    for source, mark in zip(sources, marks, strict=True):
        condition, params = source.condition, list(source.params)
        if mark is not None:
            condition, params = f"{condition} AND h.history_id < %s", [*params, mark]
        if field:
            condition, params = f"{condition} AND (h.changed @> ARRAY[%s] OR h.history_type <> '~')", [*params, field]
        branches.append(
            Branch(
                source.model,
                f"FROM {history_table(source.model)} h WHERE {condition} ORDER BY h.history_id DESC LIMIT {PAGE + 1}",
                params,
            )
        )
    found = sorted(read(branches), key=lambda row: (row.at, row.history_id), reverse=True)
    page = found[:PAGE]
    order = {source.model: number for number, source in enumerate(sources)}
    for row in page:
        marks[order[row.model]] = row.history_id
    more = "" if len(found) <= PAGE else ".".join("" if mark is None else str(mark) for mark in marks)
    left_out = _own_columns(model)
    if field:
        left_out = frozenset(str(each.column) for each in model._meta.concrete_fields) - {field}
    return entries_of(page, user=user, leave_out=left_out), more


def sources_of(model: type[models.Model], key: int) -> list[Source]:
    """Every history table that tells about a record of `model`."""
    model = recorded_as(model)
    sources = [Source(model, "h.id = %s", [key])]
    for each in tracked_models():
        conditions, params = [], []
        for names in subjects_of(each):
            if names == ("content_type", "object_id"):
                conditions.append("h.content_type_id = %s AND h.object_id = %s")
                params += [ContentType.objects.get_for_model(model).pk, key]
                continue
            field = each._meta.get_field(names[0])
            if recorded_as(field.related_model) is model:
                # The columns of history tables are our own models', never a person's words.
                conditions.append(f'h."{field.column}" = %s')
                params.append(key)
        if conditions:
            sources.append(Source(each, f"({' OR '.join(conditions)})", params))
    return sources


def entries_of(rows: list[Recorded], *, user: Any, leave_out: frozenset[str] = frozenset()) -> list[Entry]:
    """Rows in words, those of one act together."""
    told = Teller(user).tell(rows, leave_out=leave_out)
    acts = ChangeSet.objects.select_related("actor", "acting_as").in_bulk({r.change_set_id for r in rows} - {None})
    entries = []
    for change_set_id, group in groupby(told, key=lambda change: change.recorded.change_set_id):
        changes = list(group)
        act = acts.get(change_set_id)
        first = changes[0].recorded
        entries.append(Entry(change_set_id, act, first.at, who_did(act, first.db_user), changes))
    return entries


def who_did(act: ChangeSet | None, db_user: str) -> str:
    """Who acted, in words: a person, or the login of the database where nobody is known."""
    if act is not None and act.actor is not None:
        return f"{act.actor} as {act.acting_as}" if act.acting_as else str(act.actor)
    door = f"{act.get_door_display()}, " if act else ""
    return f"{door}database login {db_user}"


def _own_columns(model: type[models.Model]) -> frozenset[str]:
    """The columns by which parts point at the record: the page is about it already."""
    return frozenset(
        str(relation.field.column)
        for relation in model._meta.related_objects
        if getattr(relation.related_model, "part_of", "") == relation.field.name
    ) | {"content_type_id", "object_id"}


def _marks(before: str, count: int) -> list[int | None]:
    parts = before.split(".") if before else []
    if len(parts) != count or not all(part.isdigit() or part == "" for part in parts):
        return [None] * count
    return [int(part) if part else None for part in parts]

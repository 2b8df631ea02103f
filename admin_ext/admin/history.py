"""The life of one record: every change set that touched it or its parts, field by field.

Everything is shown under the rights of now: the name of a related row that the person may not see is not told, neither
as it is nor as it was.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import models
from django.db.models import OuterRef, Subquery

from admin_ext.access.fields import fields
from admin_ext.access.rights import restrict
from admin_ext.admin.forms import NOT_VISIBLE
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.models import Attachment, Note

PAGE = 50
KINDS = {"+": "created", "~": "changed", "-": "deleted"}


@dataclasses.dataclass
class FieldChange:
    label: str
    before: str
    after: str


@dataclasses.dataclass
class RowChange:
    """One history row in words."""

    kind: str
    what: str
    version: int | None
    fields: list[FieldChange]


@dataclasses.dataclass
class Entry:
    """What one change set did to the record."""

    at: datetime
    who: str
    change_set: Any
    db_user: str
    rows: list[RowChange]


def history_of(record: models.Model, *, user: Any, before: int | None = None) -> tuple[list[Entry], int | None]:
    """Newest first, a page at a time; returns the entries and the mark to continue from, or None at the end."""
    found: list[tuple[Any, type[models.Model]]] = []
    more = None
    for model, condition in _sources(record):
        rows = model.history.filter(**condition).order_by("-history_date", "-history_id")
        rows = rows.select_related("change_set__actor", "change_set__acting_as").annotate(previous=_previous(model))
        page = list(rows[before or 0 : (before or 0) + PAGE + 1])
        if len(page) > PAGE:
            more = (before or 0) + PAGE
        found += [(row, model) for row in page[:PAGE]]
    found.sort(key=lambda pair: (pair[0].history_date, pair[0].history_id), reverse=True)
    names = _Names(user)
    previous = _previous_rows(found)
    for row, model in found:
        names.need(row, model)
        if row.previous:
            names.need(previous[model][row.previous], model)
    names.load()
    entries = []
    for _, group in groupby(found, key=lambda pair: (pair[0].change_set_id, pair[0].xid)):
        pairs = list(group)
        first = pairs[0][0]
        entries.append(
            Entry(
                at=first.history_date,
                who=_who(first),
                change_set=first.change_set,
                db_user=first.db_user,
                rows=[_told(row, model, previous[model].get(row.previous), names, record) for row, model in pairs],
            )
        )
    return entries, more


def _sources(record: models.Model) -> list[tuple[type[models.Model], dict[str, Any]]]:
    """The record's own history, that of its parts, and that of the notes and files on it."""
    from django.contrib.contenttypes.models import ContentType

    sources: list[tuple[type[models.Model], dict[str, Any]]] = [(type(record), {"id": record.pk})]
    for relation in record._meta.related_objects:
        part = relation.related_model
        if getattr(part, "part_of", "") == relation.field.name:
            sources.append((part, {f"{relation.field.name}_id": record.pk}))
    about = {"content_type_id": ContentType.objects.get_for_model(record).pk, "object_id": record.pk}
    return [*sources, (Note, about), (Attachment, about)]


def _previous(model: Any) -> Subquery:
    earlier = model.history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id"))
    return Subquery(earlier.order_by("-history_id").values("history_id")[:1])


def _previous_rows(found: list[tuple[Any, Any]]) -> dict[Any, dict[int, Any]]:
    wanted: dict[Any, set[int]] = {}
    for row, model in found:
        wanted.setdefault(model, set())
        if row.previous:
            wanted[model].add(row.previous)
    return {model: model.history.in_bulk(keys) if keys else {} for model, keys in wanted.items()}


def _who(row: Any) -> str:
    if row.change_set and row.change_set.actor:
        return str(row.change_set.actor)
    door = f"{row.change_set.get_door_display()}, " if row.change_set else ""
    return f"{door}database login {row.db_user}"


class _Names:
    """The names of related rows, read once per model and only as far as the person may see them."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.keys: dict[type[models.Model], set[int]] = {}
        self.names: dict[tuple[type[models.Model], int], str] = {}

    def need(self, row: Any, model: type[models.Model]) -> None:
        for field in model._meta.fields:
            if isinstance(field, models.ForeignKey) and (key := getattr(row, field.attname, None)):
                self.keys.setdefault(field.related_model, set()).add(key)

    def load(self) -> None:
        for model, keys in self.keys.items():
            rows = model._default_manager.filter(pk__in=keys)
            # A person's name is told with every change they made; other rows are told within rights.
            if hasattr(model, "scopes") or hasattr(model, "natural_key_fields"):
                rows = restrict(rows, self.user, "view")
            self.names.update({(model, row.pk): str(row) for row in rows})

    def of(self, model: type[models.Model], key: int) -> str:
        return self.names.get((model, key), NOT_VISIBLE)


def _told(row: Any, model: type[models.Model], previous: Any, names: _Names, record: models.Model) -> RowChange:
    visible = fields(names.user, "view", model).visible
    changes = []
    for field in model._meta.fields:
        if field.primary_key or field.name in FOLLOWING_COLUMNS or field.name not in visible:
            continue
        if field.name == getattr(model, "part_of", None) or not hasattr(row, field.attname):
            continue
        if row.history_type == "~" and field.column not in (row.changed or ()):
            continue
        after = "" if row.history_type == "-" else _value(row, field, names)
        before = _value(previous or row, field, names) if row.history_type != "+" and (previous or after == "") else ""
        if before or after:
            changes.append(FieldChange(label=str(field.verbose_name).capitalize(), before=before, after=after))
    own = isinstance(record, model)
    what = str(model._meta.verbose_name) + ("" if own else f" {_label(row, model)}")
    return RowChange(kind=KINDS[row.history_type], what=what, version=getattr(row, "version", None), fields=changes)


def _label(row: Any, model: type[models.Model]) -> str:
    for name in ("name", "label", "number", "text"):
        if value := getattr(row, name, None):
            return str(value)[:60]
    return f"#{row.id}"


def _value(row: Any, field: models.Field, names: _Names) -> str:
    value = getattr(row, field.attname, None)
    if value is None or value == "":
        return ""
    if isinstance(field, models.ForeignKey):
        return names.of(field.related_model, value)
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        from django.utils import timezone

        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M")
    return str(value)

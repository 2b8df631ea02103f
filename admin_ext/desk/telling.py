"""Rows of the record in words: what, which fields, from what to what; no name and no field that is not the reader's."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from admin_ext.access.fields import fields
from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.access.rights import restrict
from admin_ext.access.veils import DOTS
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.desk.records import Recorded
from admin_ext.desk.visibility import recorded_as
from admin_ext.filtering.telling import names, with_related

KINDS = {"+": "created", "~": "changed", "-": "deleted"}


@dataclasses.dataclass
class FieldChange:
    """One field of a row: `name` is the model's, the rest is for people."""

    name: str
    label: str
    before: str
    after: str
    way: str = ""
    """Where this field can be reverted; filled in by the page that offers it."""


@dataclasses.dataclass
class RowChange:
    """One history row in words."""

    recorded: Recorded
    kind: str
    what: str
    label: str
    version: int | None
    fields: list[FieldChange]
    ways: list[dict[str, str]] = dataclasses.field(default_factory=list)
    """What can be done about it: label and url; filled in by the page that offers it."""

    @property
    def is_long(self) -> bool:
        return len(self.fields) > 8


class Teller:
    """Tells rows of the record to one person. Names of all related rows are read together, once per model."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self._names: dict[tuple[type[models.Model], int], str] = {}

    def tell(self, rows: Iterable[Recorded], *, leave_out: frozenset[str] = frozenset()) -> list[RowChange]:
        """Each row in words. `leave_out` names columns that the page says already."""
        rows = list(rows)
        self._load_names(rows)
        return [self._told(row, leave_out) for row in rows]

    def _told(self, row: Recorded, leave_out: frozenset[str]) -> RowChange:
        changes, rights = [], fields(self.user, "view", row.model)
        for field in row.model._meta.fields:
            if field.primary_key or field.name in FOLLOWING_COLUMNS or field.column not in row.after:
                continue
            if field.name not in rights.visible or field.column in leave_out:
                continue
            if row.kind == "~" and field.column not in (row.changed or ()):
                continue
            before = self._value(row.before if row.kind == "~" else row.after, field) if row.kind != "+" else ""
            after = self._value(row.after, field) if row.kind != "-" else ""
            if field.name in rights.masked:
                before, after = DOTS * (row.kind != "+"), DOTS * (row.kind != "-")
            if before or after:
                label = str(field.verbose_name)
                changes.append(FieldChange(field.name, label[:1].upper() + label[1:], before, after))
        return RowChange(
            recorded=row,
            kind=KINDS[row.kind],
            what=str(row.model._meta.verbose_name),
            label=self.label(row),
            version=row.after.get("version"),
            fields=changes,
        )

    def label(self, row: Recorded) -> str:
        """By what name people know the row: as it is now, else by what the record kept of its name."""
        known = self._names.get((row.model, row.key))
        if known and known != NOT_VISIBLE:
            return known
        unread = fields(self.user, "view", row.model).unread
        for name in (*getattr(row.model, "natural_key_fields", ()), "name", "label", "number", "text", "code"):
            value = row.after.get(name) if name not in unread else None
            if value and isinstance(value, str | int | Decimal):
                return str(value)[:60]
        part_of = getattr(row.model, "part_of", "") or next(iter(getattr(row.model, "about", ())), "")
        if part_of and part_of != "record":
            field: Any = row.model._meta.get_field(part_of)
            return f"of {self._value(row.after, field)}"
        return f"#{row.key}"

    def name_of(self, model: type[models.Model], key: int) -> str:
        """The name of a row, if the person may see it."""
        return self._names.get((model, key), NOT_VISIBLE)

    def _load_names(self, rows: list[Recorded]) -> None:
        wanted: dict[type[models.Model], set[int]] = defaultdict(set)
        for row in rows:
            wanted[row.model].add(row.key)
            for field in row.model._meta.fields:
                if isinstance(field, models.ForeignKey) and field.related_model is not ContentType:
                    related = recorded_as(field.related_model)
                    wanted[related].update(
                        key for values in (row.before, row.after) if values and (key := values.get(field.column))
                    )
        people = get_user_model()
        for model, keys in wanted.items():
            missing = [key for key in keys if (model, key) not in self._names]
            if not missing:
                continue
            found = model._default_manager.filter(pk__in=missing)
            # A person's name is told with every change they made; other rows are told within rights.
            if model is not people and (hasattr(model, "scopes") or hasattr(model, "natural_key_fields")):
                found = restrict(found, self.user, "view")
            told = names(with_related(found), reader=self.user)
            self._names.update({(model, key): name for key, name in told.items()})

    def _value(self, values: dict[str, Any] | None, field: Any) -> str:
        value = (values or {}).get(field.column)
        if value is None or value == "":
            return ""
        if isinstance(field, models.ForeignKey):
            if field.related_model is ContentType:
                return str(ContentType.objects.get_for_id(value).name)
            return self.name_of(recorded_as(field.related_model), value)
        if field.choices:
            return str(dict(field.flatchoices).get(value, value))
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(field, models.DateTimeField):
            return as_local(parse_datetime(value)) if isinstance(value, str) else str(value)
        return str(value)


def as_local(instant: datetime | None) -> str:
    """An instant in the reader's zone."""
    return timezone.localtime(instant).strftime("%Y-%m-%d %H:%M") if instant else ""

"""Rows told field by field, and what differs between two moments of them, within what their reader may see."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone

from admin_ext.access.fields import fields, has_policies, told, veil
from admin_ext.access.hidden import NotVisible
from admin_ext.access.rights import access_of, restrict
from admin_ext.access.veils import Veiled
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.models import Record


@dataclasses.dataclass(frozen=True)
class Told:
    """A row as it stood: its name, and its fields' values; related rows and choices by their names.

    `stored` are the values as they are kept, by which two moments are compared: two names may be hidden alike.
    """

    name: str
    values: dict[str, Any]
    stored: dict[str, Any]


NOTHING = Told(name="", values={}, stored={})


@dataclasses.dataclass(frozen=True)
class Difference:
    """One field at two moments; None where there was no row or no value."""

    field: str
    label: str
    before: Any
    after: Any
    differs: bool


def tell(
    model: type[models.Model], rows: Iterable[models.Model], *, reader: Any, action: str = "view"
) -> dict[int, Told]:
    """Each row by its key, in the time that is being read. One query for each foreign key, however many rows."""
    rows = list(rows)
    _bring_related(model, rows, reader)
    shown, rights = told_fields(model, reader, action), fields(reader, action, model)
    # Asked for once: a field may make its list of choices anew each time.
    labels = {field.name: dict(field.flatchoices) for field in shown if field.choices}
    return {
        row.pk: Told(
            name=str(row),
            values={field.name: told(_value(row, field, labels), field.name, rights) for field in shown},
            stored={field.name: getattr(row, field.attname) for field in shown},
        )
        for row in rows
    }


def names(rows: Iterable[models.Model], *, reader: Any) -> dict[int, str]:
    """Each row's name by its key; where it tells of related rows, only as far as the reader may see them.

    Costs at most one query per foreign key where the rows came with what they refer to (`with_related`).
    """
    rows = [copy.copy(row) for row in rows]
    if rows and not isinstance(rows[0], Record):
        _hide_records(rows, reader)
    hide_related(rows, reader, loaded=False)
    return {row.pk: str(row) for row in rows}


def _hide_records(rows: list[models.Model], reader: Any) -> None:
    """A grant or the like is called by the record that it is on: that one's name is told within rights, too."""
    for field in rows[0]._meta.fields:
        if not isinstance(field, models.ForeignKey) or field.related_model is get_user_model():
            continue
        if not issubclass(field.related_model, Record) or not all(field.is_cached(row) for row in rows):
            continue
        related = {row.pk: copy.copy(row) for row in map(field.get_cached_value, rows) if row is not None}
        visible = _visible(field.related_model, set(related), reader)
        hide_related(related.values(), reader, loaded=False)
        for row in rows:
            key = getattr(row, field.attname)
            told: Any = related[key] if key in visible else NotVisible()
            if key is not None:
                field.set_cached_value(row, told)


def with_related(rows: models.QuerySet) -> models.QuerySet:
    """The rows with what they refer to, in one query."""
    fields = [field.name for field in rows.model._meta.fields if isinstance(field, models.ForeignKey)]
    return rows.select_related(*fields) if fields else rows


def has_rights(model: type[models.Model]) -> bool:
    """Whether rows of `model` are told within rights; a content type or a person's name is told to everybody."""
    return hasattr(model, "scopes") or hasattr(model, "natural_key_fields")


def hide_related(rows: Iterable[models.Model], user: Any, *, loaded: bool = True, depth: int = 3) -> None:
    """Put a stand-in for every related row that `user` may not see: of those that are loaded, or of all; and for every
    value that they may not read; and so on for the related rows of those that are loaded. From then on the rows are for
    showing, not for saving. Costs at most one query for each foreign key. Rows of the platform name people alone, and
    who did something is told to everybody.
    """
    rows = list({id(row): row for row in rows}.values())
    if not rows or not isinstance(rows[0], Record):
        return
    for field in rows[0]._meta.fields:
        if not isinstance(field, models.ForeignKey) or not has_rights(field.related_model):
            continue
        referring = [row for row in rows if _refers(row, field) and (not loaded or field.is_cached(row))]
        visible = _visible(field.related_model, {getattr(row, field.attname) for row in referring}, user)
        for row in referring:
            if getattr(row, field.attname) not in visible:
                stand_in: Any = NotVisible()
                field.set_cached_value(row, stand_in)
        if not loaded and depth and has_policies(user):
            # Read later, by a template, they would come with all their values.
            models.prefetch_related_objects([row for row in referring if not field.is_cached(row)], field.name)
        known = [field.get_cached_value(row) for row in referring if field.is_cached(row)]
        if depth:
            rest = [each for each in known if isinstance(each, models.Model)]
            hide_related(rest, user, loaded=loaded, depth=depth - 1)
    veil(rows, user)


def _refers(row: Any, field: models.ForeignKey) -> bool:
    key = getattr(row, field.attname)
    return bool(key) and not isinstance(key, Veiled)


def _visible(model: type[models.Model], keys: set[int], user: Any) -> set[int]:
    if not keys or user.is_superuser or not access_of(user).where(model, "view"):
        return keys
    rows = restrict(model._default_manager.filter(pk__any_of=keys), user, "view").order_by()
    return set(rows.values_list("pk", flat=True))


def told_fields(model: type[models.Model], reader: Any, action: str = "view") -> list[models.Field]:
    """The fields that are told of a model: those that the reader may see, without what follows from others. What is
    masked goes into no file.
    """
    rights = fields(reader, action, model)
    visible = rights.readable if action == "export" else rights.visible
    return [
        field
        for field in model._meta.fields
        if field.name in visible
        and not field.primary_key
        and field.name not in FOLLOWING_COLUMNS
        and field.name != getattr(model, "part_of", "")
    ]


def differences(
    model: type[models.Model], before: Told | None, after: Told | None, *, every: bool = False
) -> list[Difference]:
    """The fields that differ between two moments of a row; with `every`, also those that do not."""
    old, new = before or NOTHING, after or NOTHING
    found = [
        Difference(
            field=name,
            label=str(model._meta.get_field(name).verbose_name).capitalize(),
            before=old.values.get(name),
            after=new.values.get(name),
            differs=old.stored.get(name, "") != new.stored.get(name, ""),
        )
        for name in (new.values or old.values)
    ]
    # Beside no row at all, a value that says nothing is no difference.
    return [each for each in found if every or (each.differs and (each.before is not None or each.after is not None))]


def in_short(value: Any) -> str:
    """A value as a page shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    return str(value)


def _bring_related(model: type[models.Model], rows: list[models.Model], reader: Any) -> None:
    """Load what the rows refer to, a stand-in where the reader may not see it."""
    for field in model._meta.fields:
        if not isinstance(field, models.ForeignKey):
            continue
        keys = {key for row in rows if (key := getattr(row, field.attname)) is not None}
        found = _named(field.related_model, keys, reader)
        for row in rows:
            key = getattr(row, field.attname)
            stand_in: Any = None if key is None else found.get(key) or NotVisible()
            field.set_cached_value(row, stand_in)


def _named(model: type[models.Model], keys: set[int], reader: Any) -> dict[int, models.Model]:
    if not keys:
        return {}
    rows = model._base_manager.filter(pk__any_of=list(keys))
    # A person's name is told with every change they made; other rows are told within rights.
    if model is not get_user_model() and (hasattr(model, "scopes") or hasattr(model, "natural_key_fields")):
        rows = restrict(rows, reader, "view")
    return {row.pk: row for row in rows}


def _value(row: models.Model, field: models.Field, labels: dict[str, dict[Any, Any]]) -> Any:
    value = getattr(row, field.attname)
    if value is None or value == "":
        return None
    if isinstance(field, models.ForeignKey):
        return str(getattr(row, field.name))
    if field.name in labels:
        return str(labels[field.name].get(value, value))
    return value

"""A row as history has it: its fields, its values ready to be proposed again, and what may not go back."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef

from admin_ext.access.fields import fields as field_rights
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.models import Record
from admin_ext.plans.values import RowKey


@dataclasses.dataclass(frozen=True)
class Past:
    """One row of history."""

    row: Any

    @property
    def model(self) -> Any:
        return self.row.instance_type

    def fields(self) -> list[Any]:
        """The columns of today that history has, without those that follow from others."""
        return [
            field
            for field in self.model._meta.concrete_fields
            if not field.primary_key
            and not getattr(field, "generated", False)
            and field.name not in FOLLOWING_COLUMNS
            and hasattr(self.row, field.attname)
        ]

    def value(self, name: str) -> Any:
        """What a plan proposes to make the field what it was."""
        field = self.model._meta.get_field(name)
        value = getattr(self.row, field.attname)
        return RowKey(value) if isinstance(field, models.ForeignKey) and value is not None else value

    def moved_until(self, now: models.Model) -> list[Any]:
        """The fields that the live row has otherwise."""
        return [field for field in self.fields() if getattr(now, field.attname) != getattr(self.row, field.attname)]

    def kept(self, now: Any, user: Any) -> dict[str, str]:
        """Fields that stay as they are now, each with the sentence that says why; empty when not to be told of."""
        rights = field_rights(user, "change", self.model)
        seen = field_rights(user, "view", self.model)
        settled = now.settled_fields() if isinstance(now, Record) else ()
        kept = {}
        for field in self.fields():
            label = str(field.verbose_name).capitalize()
            if field.name not in seen.visible:
                kept[field.name] = ""
            elif field.name in seen.masked:
                kept[field.name] = f"{label} is not yours to read and stays as it is."
            elif field.name in rights.controlled:
                kept[field.name] = f"{label} is changed by its verbs and stays {shown(now, field)}."
            elif not field.editable:
                kept[field.name] = f"{label} follows from other rows and stays {shown(now, field)}."
            elif field.name not in rights.writable:
                kept[field.name] = f"{label} is not yours to change and stays as it is."
            elif field.name in settled:
                kept[field.name] = f"{label} stays as it is while the {self.model._meta.verbose_name} is in this state."
        return kept


def shown(row: Any, field: Any) -> str:
    """A value of the row's own in words; nothing is said of a related row."""
    if isinstance(field, models.ForeignKey):
        return "as it is"
    display = getattr(row, f"get_{field.name}_display", None)
    value = display() if display else getattr(row, field.attname)
    return f"“{value}”" if value not in (None, "") else "empty"


def kept_by_its_whole(row: Any) -> str:
    """Why a part, as it is or as history has it, neither goes nor comes back: its whole keeps its parts; or empty."""
    model: Any = getattr(row, "instance_type", type(row))
    if not model.part_of:
        return ""
    field = model._meta.get_field(model.part_of)
    whole = field.related_model._default_manager.filter(pk=getattr(row, field.attname)).first()
    if whole is None or field.remote_field.get_accessor_name() not in whole.settled_fields():
        return ""
    return f"The {whole._meta.verbose_name} keeps its {model._meta.verbose_name_plural} in the state it is in."


def kept_by_the_database(model: type[models.Model]) -> frozenset[str]:
    """Columns that nobody writes and that begin as the database says: totals, stock on hand, version and instants."""
    return frozenset(f.name for f in model._meta.concrete_fields if not f.editable and f.has_db_default())


def deletions(model: Any) -> models.QuerySet:
    """The history rows of rows that are gone: of each key the last, when that is a deletion. Newest first."""
    later = model.history.filter(id=OuterRef("id"), history_id__gt=OuterRef("history_id"))
    return model.history.filter(~Exists(later), history_type="-").order_by("-history_id")


def deletion_of(model: Any, key: int) -> Any:
    """The history row of the deletion of a row that is gone; None when it is there or never was."""
    last = model.history.filter(id=key).order_by("-history_id").first()
    return last if last is not None and last.history_type == "-" else None


def parts_deleted_with(deletion: Any) -> list[tuple[Any, list[Any]]]:
    """The deletions of its parts, and of theirs, in the same act: by model, a whole before its parts."""
    found: list[tuple[Any, list[Any]]] = []
    for relation in deletion.instance_type._meta.related_objects:
        part: Any = relation.related_model
        if getattr(part, "part_of", "") != relation.field.name:
            continue
        act = (
            {"change_set_id": deletion.change_set_id}
            if deletion.change_set_id is not None
            else {"change_set_id": None, "xid": deletion.xid}
        )
        rows = list(deletions(part).filter(**{relation.field.attname: deletion.id}, **act).order_by("id"))
        if rows:
            found.append((part, rows))
            found += [each for row in rows for each in parts_deleted_with(row)]
    return found

"""The columns that a person chooses for a list: the list's own, the record's other fields, and declared related ones."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from django.contrib.admin.utils import label_for_field
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.http import HttpRequest

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.fields import treatment_of
from admin_ext.access.hidden import NotVisible
from admin_ext.access.naming import named_by
from admin_ext.access.veils import Veiled
from admin_ext.admin.columns import MaskedColumn
from admin_ext.filtering.list_state import ListState
from admin_ext.models import Record

NO_COLUMNS = (models.JSONField, models.BinaryField, models.FileField)


@dataclasses.dataclass(frozen=True)
class Column:
    """A column that a list offers. `entry` is what Django's `list_display` takes; `path` what it is sorted by, if it is."""

    name: str
    label: str
    entry: Any
    path: str = ""
    related: tuple[str, ...] = ()
    """Foreign keys to load with the rows, so that the list costs no query for each."""


@dataclasses.dataclass(frozen=True)
class RelatedColumn:
    """The value at the end of a path through foreign keys, as far as the person sees the rows on the way."""

    path: str
    short_description: str

    @property
    def __name__(self) -> str:
        return self.path

    @property
    def admin_order_field(self) -> str:
        return self.path

    def __call__(self, row: Any) -> Any:
        value = row
        for step in self.path.split("__"):
            if value is None or isinstance(value, NotVisible | Veiled):
                break
            told = getattr(value, f"get_{step}_display", None)
            value = told() if told else getattr(value, step)
        return str(value) if isinstance(value, NotVisible | models.Model) else value


class ChosenColumnsMixin:
    """For ModelAdmins: `?_columns=number,customer__region` shows these, in this order, beside the list's first."""

    model: type[models.Model]
    list_columns: ClassVar[tuple[str, ...]] = ()
    """Paths to columns of related rows that the list offers: `customer__region`."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The first column leads to the record, and stays."""
        declared = list(super().get_list_display(request))
        chosen = chosen_columns(request)
        if not chosen or not declared:
            return declared
        offered = self.offered_columns(request)
        entries = [offered[name].entry for name, _ in chosen if name in offered]
        return [declared[0], *(each for each in entries if each != declared[0])]

    def get_list_select_related(self, request: HttpRequest) -> Any:
        declared, chosen = super().get_list_select_related(request), chosen_columns(request)
        if declared is True or not chosen:
            return declared
        offered = self.offered_columns(request)
        needed = [path for name, _ in chosen if name in offered for path in offered[name].related]
        return tuple(dict.fromkeys([*(declared or ()), *needed])) or declared

    def offered_columns(self, request: HttpRequest) -> dict[str, Column]:
        """What may be chosen, by name: nothing that is hidden from the person or masked."""
        known = request.__dict__.setdefault("_opsadmin_columns", {})
        if self.model not in known:
            known[self.model] = self._offer(request)
        return known[self.model]

    def own_columns(self, request: HttpRequest) -> list[str]:
        """The names of the columns that the list shows by itself."""
        return [each if isinstance(each, str) else each.__name__ for each in super().get_list_display(request)]

    def sortable_paths(self, request: HttpRequest) -> set[str]:
        """What the person may sort the list by."""
        return {each.path for each in self.offered_columns(request).values() if each.path}

    def _offer(self, request: HttpRequest) -> dict[str, Column]:
        page: Any = self
        found: dict[str, Column] = {}
        for entry in super().get_list_display(request):
            if isinstance(entry, MaskedColumn):
                continue
            name = entry if isinstance(entry, str) else entry.__name__
            label = str(label_for_field(entry, self.model, page))
            found[name] = Column(name, label, entry, self._path(entry), self._needed(name))
        if not issubclass(self.model, Record):
            return found
        # What the list shows in its own way is not offered a second time, as it is kept.
        shown = {each.path.removeprefix("-") for each in found.values()} | {each.label for each in found.values()}
        rights = field_rights(request.user, "view", self.model)
        for field in self.model._meta.concrete_fields:
            told = {field.name, str(field.verbose_name)}
            if field.name in rights.readable and not told & shown and _is_column(field):
                found.setdefault(field.name, _own(field))
        for path in self.list_columns:
            if not treatment_of(request.user, self.model, path):
                found.setdefault(path, _related(self.model, path))
        return found

    def _needed(self, name: str) -> tuple[str, ...]:
        """A foreign key that the list shows by itself is loaded by what the list declares, or here."""
        field = next((each for each in self.model._meta.concrete_fields if each.name == name), None)
        return _with_names(field, name) if isinstance(field, models.ForeignKey) else ()


def chosen_columns(request: HttpRequest) -> tuple[tuple[str, int], ...]:
    """The columns that the address names, with their widths; none for the list's own."""
    return ListState.of_address(request.GET.lists(), not_filters=()).columns


def _is_column(field: models.Field) -> bool:
    related = getattr(field, "related_model", None)
    return not (field.primary_key or field.name == "version" or isinstance(field, NO_COLUMNS) or related is ContentType)


def _own(field: Any) -> Column:
    related = _with_names(field, field.name) if isinstance(field, models.ForeignKey) else ()
    return Column(field.name, str(field.verbose_name), field.name, field.name, related)


def _related(model: Any, path: str) -> Column:
    labels: list[str] = []
    needed: list[str] = []
    steps = path.split("__")
    for depth, step in enumerate(steps, start=1):
        field = model._meta.get_field(step)
        labels.append(str(field.verbose_name))
        if isinstance(field, models.ForeignKey):
            needed += (
                _with_names(field, "__".join(steps[:depth])) if depth == len(steps) else ["__".join(steps[:depth])]
            )
            model = field.related_model
    return Column(path, ": ".join(labels), RelatedColumn(path, ": ".join(labels)), path, tuple(needed))


def _with_names(field: models.ForeignKey, path: str) -> tuple[str, ...]:
    """The relation, and those that the related row's own name tells of."""
    related: Any = field.related_model
    if not issubclass(related, Record):
        return (path,)
    told = (related._meta.get_field(name) for name in sorted(named_by(related)))
    return (path, *(f"{path}__{each.name}" for each in told if isinstance(each, models.ForeignKey)))

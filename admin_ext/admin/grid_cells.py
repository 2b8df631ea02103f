"""The cells of a grid: what stands in them for whom, and what was typed into them."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import models
from django.utils import timezone

from admin_ext.access.fields import FieldRights, treatment_of
from admin_ext.access.fields import fields as field_rights
from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.access.rights import restrict
from admin_ext.access.veils import DOTS
from admin_ext.filtering.telling import names, with_related
from admin_ext.plans.values import Cleaner, Reference, Wrong

# As long a text is looked at at all.
LONGEST = 100_000
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,15})?|\.\d{1,15})")
_KINDS: tuple[tuple[Any, str], ...] = (
    (models.ForeignKey, "reference"),
    (models.BooleanField, "choice"),
    (models.DecimalField, "number"),
    (models.IntegerField, "number"),
    (models.DateTimeField, "instant"),
    (models.DateField, "day"),
    (models.TextField, "long"),
    (models.CharField, "text"),
)


class CellWrong(Exception):
    """What was typed is no value of its column; the message says what to write instead."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a grid as one person meets it."""

    field: Any
    kind: str
    """How its cells are edited: text, long, number, day, instant, choice, reference; "" for a column that is shown only."""
    is_masked: bool = False

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def label(self) -> str:
        label = str(self.field.verbose_name)
        return label[:1].upper() + label[1:]

    @functools.cached_property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """What is stored and how it is read. Asked for once: a field may make its list anew each time."""
        if isinstance(self.field, models.BooleanField):
            return (("yes", "yes"), ("no", "no"))
        return tuple((str(value), str(label)) for value, label in self.field.flatchoices)

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        return dict(self.choices)

    @functools.cached_property
    def cleaner(self) -> Cleaner:
        return Cleaner(self.field)

    def to_json(self) -> dict[str, Any]:
        """What the page's script needs to know."""
        return {
            "name": self.name,
            "label": self.label,
            "kind": self.kind,
            "choices": self.choices,
            "needed": not (self.field.blank or self.field.null),
        }


@dataclasses.dataclass(frozen=True)
class Cell:
    """What stands in one cell: the text that an edit begins with, what people read, and whether it may be edited."""

    value: str
    text: str
    title: str = ""
    is_editable: bool = False

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def columns_for(model: type[models.Model], declared: Iterable[str], user: Any) -> list[Column]:
    """The declared columns that `user` sees: without the hidden ones, the others as far as they may be edited."""
    rights = field_rights(user, "change", model)
    return [_column(model, name, rights, user) for name in declared if name in rights.visible]


def _column(model: type[models.Model], name: str, rights: FieldRights, user: Any) -> Column:
    field: Any = model._meta.get_field(name)
    if name in rights.masked:
        return Column(field, "", is_masked=True)
    if name not in rights.writable:
        return Column(field, "")
    kind = "choice" if field.choices else next((kind for each, kind in _KINDS if isinstance(field, each)), "")
    if isinstance(field, models.BooleanField):
        # A third answer has no word of its own.
        return Column(field, "" if field.null else "choice")
    if kind == "reference" and not reference_of(field, user):
        return Column(field, "")
    return Column(field, kind)


def reference_of(field: Any, user: Any) -> str:
    """The one column by which people name the row that a foreign key refers to; "" where this person has none."""
    names_of_row = getattr(field.related_model, "natural_key_fields", ())
    if len(names_of_row) != 1 or "__" in names_of_row[0] or treatment_of(user, field.related_model, names_of_row[0]):
        return ""
    return names_of_row[0]


class Cells:
    """The cells of some rows, for one person; one query or two for each foreign key, however many rows."""

    def __init__(self, columns: list[Column], rows: list[Any], user: Any, *, changeable: set[int]) -> None:
        self.columns, self.user, self.changeable = columns, user, changeable
        self.related = {
            column.name: self._related(column, rows)
            for column in columns
            if isinstance(column.field, models.ForeignKey) and not column.is_masked
        }

    def of(self, row: Any) -> dict[str, Cell]:
        settled = frozenset(row.settled_fields()) if hasattr(row, "settled_fields") else frozenset()
        return {column.name: self._cell(column, row, settled) for column in self.columns}

    def _cell(self, column: Column, row: Any, settled: frozenset[str]) -> Cell:
        if column.is_masked:
            return Cell("", DOTS)
        stored = getattr(row, column.field.attname)
        editable = bool(column.kind) and row.pk in self.changeable and column.name not in settled
        if column.name in self.related:
            if stored is not None and stored not in self.related[column.name]:
                return Cell("", NOT_VISIBLE)
            value, title = self.related[column.name].get(stored, ("", ""))
            return Cell(value, value or title, title if value else "", editable)
        value = written(column.field, stored)
        return Cell(value, column.labels.get(value, value), "", editable)

    def _related(self, column: Column, rows: list[Any]) -> dict[int, tuple[str, str]]:
        """Of the rows that a column refers to and the person may see: the reference, and the name."""
        keys = {getattr(row, column.field.attname) for row in rows} - {None}
        if not keys:
            return {}
        related, reference = column.field.related_model, reference_of(column.field, self.user)
        found = list(with_related(restrict(related._default_manager.filter(pk__in=keys), self.user, "view")))
        told = names(found, reader=self.user)
        return {row.pk: (str(getattr(row, reference)) if reference else "", told[row.pk]) for row in found}


def written(field: Any, value: Any) -> str:
    """A stored value as it is typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def read_cell(column: Column, text: str, user: Any) -> Any:
    """What was typed, as the value of the column (a key, for a reference). Raises CellWrong."""
    if len(text) > LONGEST:
        raise CellWrong(f"It is {len(text):,} characters long. Shorten it.")
    if "\x00" in text or (not text.isprintable() and not _is_text(text)):
        raise CellWrong("There is a character in it that cannot be kept. Type it again.")
    if column.kind == "number" and text.strip() and not _NUMBER.fullmatch(text.strip()):
        raise CellWrong("It is not a number that fits. Write digits with a point, e.g. 1234.50.")
    try:
        value = column.cleaner.column([text])[0][0]
    except (ArithmeticError, InvalidOperation, ValueError, OverflowError):
        raise CellWrong("It was not understood. Write it another way.") from None
    if isinstance(value, Wrong):
        raise CellWrong(" ".join(value.told))
    return _find(column, value, user) if isinstance(value, Reference) else value


def _is_text(text: str) -> bool:
    """Half of a character that needs two cannot be sent to a database."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find(column: Column, reference: str, user: Any) -> int:
    """Whether there is none or only none that they may see is not told apart."""
    related = column.field.related_model
    rows = restrict(related._default_manager.all(), user, "view")
    keys = list(rows.filter(**{reference_of(column.field, user): str(reference)}).values_list("pk", flat=True)[:2])
    if len(keys) != 1:
        raise CellWrong(
            f"There is no {related._meta.verbose_name} “{reference[:60]}” that you may use. Choose one of those offered."
        )
    return keys[0]

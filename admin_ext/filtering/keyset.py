"""Pages by key: what comes after a row, or before it, in any ordering, without reading what lies between.

A place in an ordering is the values of its columns in one row, the last of them unique. What comes after a place is
asked for in a few conditions, each of which an index can begin at; OFFSET reads and throws away every row before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import OrderBy
from django.utils.duration import duration_string

M = TypeVar("M", bound=models.Model)


class NoSuchPlace(Exception):
    """What was said to be a place in an ordering is none."""


class NoKeys(Exception):
    """Rows in this ordering have no place: it is random, or its values cannot be told."""


@dataclasses.dataclass(frozen=True)
class Key:
    """One column, or expression, that rows are ordered by."""

    expression: Any
    name: str
    """The ORM path; or "" for an expression, which then is an alias of the query."""
    descending: bool
    nullable: bool
    nulls_first: bool
    field: Any
    own: str = ""
    """The attribute of the row itself that holds the value, if there is one."""

    def reversed(self) -> Key:
        return dataclasses.replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    @property
    def order(self) -> OrderBy:
        # Where PostgreSQL puts empty values anyway nothing is said, so that an ordinary index is recognised.
        usual = self.nulls_first == self.descending or not self.nullable
        told = {} if usual else {"nulls_first": True} if self.nulls_first else {"nulls_last": True}
        return OrderBy(self.expression, descending=self.descending, **told)

    def written(self) -> str:
        """What tells this key from others."""
        return f"{self.name or self.expression!r} {self.descending} {self.nulls_first}"


class Ordering:
    """The keys by which a list is ordered, the last of them unique."""

    def __init__(self, model: type[models.Model], keys: Sequence[Key]) -> None:
        self.model = model
        self.keys = list(keys)

    @classmethod
    def of(cls, queryset: models.QuerySet, ordering: Iterable[Any]) -> Ordering:
        """Raises NoKeys."""
        keys: list[Key] = []
        for each in ordering:
            for key in _keys(queryset, each):
                keys.append(key)
                if key.own and getattr(key.field, "unique", False) and not key.nullable:
                    return cls(queryset.model, keys)
        keys += _keys(queryset, "-pk")
        return cls(queryset.model, keys)

    def written(self) -> str:
        return "|".join(key.written() for key in self.keys)

    def reversed(self) -> Ordering:
        return Ordering(self.model, [key.reversed() for key in self.keys])

    def marked(self, queryset: models.QuerySet[M]) -> models.QuerySet[M]:
        """The rows with what `place_of` needs, in order."""
        foreign = {f"_key{n}": key.expression for n, key in enumerate(self.keys) if not key.own}
        return queryset.annotate(**foreign).order_by(*(key.order for key in self.keys))

    def place_of(self, row: Any) -> list[Any]:
        """The values of the keys in a row of `marked`, as JSON knows them."""
        return [_plain(getattr(row, key.own or f"_key{n}")) for n, key in enumerate(self.keys)]

    def after(self, queryset: models.QuerySet[M], place: Sequence[Any], limit: int) -> list[M]:
        """The next rows of `marked` after a place, at most `limit`. Raises NoSuchPlace."""
        if len(place) != len(self.keys):
            raise NoSuchPlace
        values = [_understood(key, value) for key, value in zip(self.keys, place, strict=True)]
        marked = self.marked(queryset)
        rows: list[M] = []
        for condition in self._parts(0, values):
            rows += list(marked.filter(condition)[: limit - len(rows)])
            if len(rows) == limit:
                break
        return rows

    def _parts(self, first: int, values: list[Any]) -> list[Any]:
        """Conditions, one after another in order, for what comes after `values` in the keys from `first` on."""
        rest = self.keys[first:]
        if all(not key.nullable and key.descending == rest[0].descending for key in rest):
            return [Beyond([key.expression for key in rest], values[first:], rest)]
        key, value = rest[0], values[first]
        name = key.name or f"_key{first}"
        parts = []
        if len(rest) > 1:
            same = Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
            parts = [same & _as_q(each) for each in self._parts(first + 1, values)]
        if value is None:
            if key.nulls_first:
                parts.append(Q(**{f"{name}__isnull": False}))
        else:
            parts.append(Q(**{f"{name}__{'lt' if key.descending else 'gt'}": value}))
            if key.nullable and not key.nulls_first:
                parts.append(Q(**{f"{name}__isnull": True}))
        return parts


class Beyond(Func):
    """`(a, b) > (1, 2)`: one range of an index over both columns."""

    output_field = models.BooleanField()
    conditional = True

    def __init__(self, columns: Sequence[Any], values: Sequence[Any] = (), keys: Sequence[Key] = ()) -> None:
        told = [Value(value, output_field=key.field) for key, value in zip(keys, values, strict=True)]
        super().__init__(*columns, *told)
        self.operator = "<" if keys and keys[0].descending else ">"

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        half = len(compiled) // 2
        columns, values = (", ".join(sql for sql, _ in part) for part in (compiled[:half], compiled[half:]))
        return f"({columns}) {self.operator} ({values})", [one for _, params in compiled for one in params]


def _as_q(condition: Any) -> Q:
    return condition if isinstance(condition, Q) else Q(condition)


def _keys(queryset: models.QuerySet, entry: Any, prefix: str = "", flip: bool = False) -> list[Key]:
    """The keys of one entry of an ordering; a relation is ordered as its model is. Raises NoKeys."""
    if isinstance(entry, str):
        descending, path = entry.startswith("-"), entry.lstrip("-+")
        return _keys_of_path(queryset, f"{prefix}{path}", descending != flip, None)
    if not isinstance(entry, OrderBy):
        entry = OrderBy(entry if hasattr(entry, "resolve_expression") else F(str(entry)))
    descending = entry.descending != flip
    first = True if entry.nulls_first else False if entry.nulls_last else None
    nulls_first = first if first is None or not flip else not first
    if isinstance(entry.expression, F):
        return _keys_of_path(queryset, f"{prefix}{entry.expression.name}", descending, nulls_first)
    if prefix:
        raise NoKeys
    field = getattr(entry.expression, "_output_field_or_none", None)
    first = descending if nulls_first is None else nulls_first
    return [Key(entry.expression, "", descending, nullable=True, nulls_first=first, field=field)]


def _keys_of_path(queryset: models.QuerySet, path: str, descending: bool, nulls_first: bool | None) -> list[Key]:
    if path == "?":
        raise NoKeys
    model: Any = queryset.model
    first = descending if nulls_first is None else nulls_first
    field, nullable, own = None, False, ""
    pieces = path.split(LOOKUP_SEP)
    if path in queryset.query.annotations:
        found = queryset.query.annotations[path]
        return [Key(F(path), path, descending, True, first, getattr(found, "_output_field_or_none", None))]
    for place, piece in enumerate(pieces):
        if model is None:
            raise NoKeys
        try:
            field = model._meta.pk if piece == "pk" else model._meta.get_field(piece)
        except FieldDoesNotExist:
            raise NoKeys from None
        if not isinstance(field, models.Field) or field.many_to_many:
            raise NoKeys
        nullable = nullable or field.null
        own = field.attname if place == 0 else ""
        model = field.related_model
    assert field is not None
    if field.is_relation and pieces[-1] not in (field.attname, "pk") and model._meta.ordering:
        related = f"{path}{LOOKUP_SEP}"
        return [key for each in model._meta.ordering for key in _keys(queryset, each, related, descending)]
    target = field
    while target.is_relation:
        target = target.target_field
    return [Key(F(path), path, descending, nullable, first, target, own)]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_string(value)
    if isinstance(value, Decimal):
        return str(value)
    raise NoKeys


def _understood(key: Key, value: Any) -> Any:
    if value is None or key.field is None:
        return value
    try:
        return key.field.to_python(value)
    except (ValidationError, TypeError, ValueError):
        raise NoSuchPlace from None

"""The rows before and after a row in an ordered list: found by its place in the order, not by counting up to it."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, IntegerField, OrderBy, Q, Value


class OrderNotKnown(Exception):
    """The rows are put in order by something that cannot be compared."""


@dataclasses.dataclass(frozen=True)
class Key:
    """One of the paths that rows are sorted by. NULL comes last upwards and first downwards, as PostgreSQL sorts."""

    path: str
    descending: bool
    nullable: bool


def neighbours(rows: models.QuerySet, key: int) -> tuple[int | None, int | None]:
    """The keys of the rows before and after the row of this key; None at an end, and where it is not in the list.

    Asks two queries. Raises OrderNotKnown.
    """
    order = keys_of(rows)
    values = rows.filter(pk=key).order_by().values_list(*(each.path for each in order)).first()
    if values is None:
        return None, None
    found = dict(
        _beside(rows, order, values, Value(1), turned=False)
        .union(_beside(rows, order, values, Value(0), turned=True), all=True)
        .values_list("_way", "_key")
    )
    return found.get(0), found.get(1)


def keys_of(rows: models.QuerySet) -> list[Key]:
    """What the rows are sorted by, to the last tie. Raises OrderNotKnown."""
    order: list[Key] = []
    for each in rows.query.order_by or rows.model._meta.ordering:
        order += _expanded(rows, *_path(each))
    if not any(each.path in ("pk", "id") for each in order):
        order.append(Key("pk", False, False))
    return order


def _path(order: Any) -> tuple[str, bool]:
    if isinstance(order, OrderBy) and isinstance(order.expression, F) and not (order.nulls_first or order.nulls_last):
        return order.expression.name, order.descending
    if isinstance(order, F):
        return order.name, False
    if not isinstance(order, str) or order == "?":
        raise OrderNotKnown(f"{order!r} cannot be compared.")
    return order.removeprefix("-"), order.startswith("-")


def _expanded(rows: models.QuerySet, path: str, descending: bool) -> list[Key]:
    """A foreign key sorts by what its rows are sorted by."""
    model: Any = rows.model
    if path in rows.query.annotations:
        return [Key(path, descending, True)]
    nullable, field = False, None
    for step in path.split("__"):
        try:
            field = model._meta.pk if step == "pk" else model._meta.get_field(step)
        except FieldDoesNotExist:
            raise OrderNotKnown(f"{path} cannot be compared.") from None
        nullable = nullable or bool(getattr(field, "null", True))
        model = field.related_model
    assert field is not None
    if model is None or (path.endswith(field.attname) and field.attname != field.name):
        return [Key(path, descending, nullable)]
    inner = model._meta.ordering or ["pk"]
    expanded = []
    for each in inner:
        name, down = _path(each)
        expanded += _expanded(rows, f"{path}__{name}", down != descending)
    return [dataclasses.replace(each, nullable=each.nullable or nullable) for each in expanded]


def _beside(
    rows: models.QuerySet, order: list[Key], values: tuple[Any, ...], way: Value, *, turned: bool
) -> models.QuerySet:
    """The first row behind these values; of the order turned round, the last before them."""
    found = Q(pk__in=[])
    for key, value in reversed(list(zip(order, values, strict=True))):
        found = _behind(key, value, turned) | (_at(key, value) & found)
    first, value = order[0], values[0]
    if not first.nullable:  # said apart, so that an index on it begins there
        found = Q(**{f"{first.path}__{'lte' if first.descending != turned else 'gte'}": value}) & found
    paths = [f"{'-' if each.descending != turned else ''}{each.path}" for each in order]
    way.output_field = IntegerField()  # type: ignore[assignment]
    return rows.filter(found).select_related(None).order_by(*paths).values(_way=way, _key=F("pk"))[:1]


def _at(key: Key, value: Any) -> Q:
    return Q(**{f"{key.path}__isnull": True}) if value is None else Q(**{key.path: value})


def _behind(key: Key, value: Any, turned: bool) -> Q:
    downwards = key.descending != turned
    if value is None:
        return Q(**{f"{key.path}__isnull": False}) if downwards else Q(pk__in=[])
    if downwards:
        return Q(**{f"{key.path}__lt": value})
    later = Q(**{f"{key.path}__gt": value})
    return later | Q(**{f"{key.path}__isnull": True}) if key.nullable else later

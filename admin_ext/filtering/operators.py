"""What a filter may ask of its column beside what it asks by itself: is, is not, begins with, is empty, last month …

An operator travels beside its filter's own parameter: `?status=hold&status_op=not`, `?ordered_on_op=last_7_days`.
"""

from __future__ import annotations

import re
from typing import Any

import django_filters
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q

from admin_ext.filtering.days import WORDS, days_meant

SUFFIX = "op"
MOST_LISTED = 1_000
"""Values that a pasted list in an address may hold; a longer one is pasted on its own page."""

_EMPTY = {"empty": "is empty", "filled": "is not empty"}
_TEXT = {
    "is": "is",
    "not": "is not",
    "starts": "begins with",
    "lacks": "does not contain",
    "in": "is one of the list",
    "not_in": "is none of the list",
}
_OWN = {"text": "contains", "choice": "is any of", "range": "is between", "days": "is between"}
VALUELESS = {*_EMPTY, *WORDS}
"""Operators that ask for no value: they mean something by themselves."""


def kind_of(each: django_filters.Filter) -> str:
    """Which operators go with a filter: those of "text", "choice", "range" or "days"; "" for one that has none.

    What a filter with a `method` means is for its method to say.
    """
    if each.method or each.exclude:
        return ""
    if isinstance(each, django_filters.DateFromToRangeFilter):
        return "days"
    if isinstance(each, django_filters.RangeFilter):
        return "range"
    if isinstance(each, django_filters.MultipleChoiceFilter):
        return "choice"
    is_text = type(each) is django_filters.CharFilter and each.lookup_expr == "icontains"
    return "text" if is_text else ""


def operators_of(each: django_filters.Filter, model: type[models.Model] | None) -> dict[str, str]:
    """The operators of a filter, each with its words; the filter's own question first, under ""."""
    kind = kind_of(each)
    if not kind or model is None:
        return {}
    own = {"": _OWN[kind]}
    if kind == "text":
        return own | _TEXT | _EMPTY
    can_be_empty = _may_be_null(model, each.field_name)
    more = {"choice": {"not": "is none of"}, "range": {"not": "is not between"}, "days": WORDS}[kind]
    return own | more | (_EMPTY if can_be_empty else {})


def apply_operator(
    each: django_filters.Filter, operator: str, value: Any, queryset: models.QuerySet
) -> models.QuerySet:
    """The rows that pass a filter with one of its operators. Without the value that it asks for, all do."""
    name = each.field_name
    if operator in _EMPTY:
        is_empty = Q(**{f"{name}__isnull": True})
        if kind_of(each) == "text":
            is_empty |= Q(**{name: ""})
        return queryset.filter(is_empty if operator == "empty" else ~is_empty)
    if operator in WORDS:
        return each.filter(queryset, days_meant(operator))
    if value in (None, "", []) or (isinstance(value, models.QuerySet) and not value):
        return queryset
    if kind_of(each) != "text":
        return queryset.exclude(pk__in=each.filter(queryset.model._base_manager.all(), value).order_by().values("pk"))
    if operator in ("in", "not_in"):
        listed = Q(**{f"{name}__in": listed_in(value)})
        return queryset.filter(listed if operator == "in" else ~listed)
    lookup = {"is": "exact", "not": "exact", "starts": "startswith", "lacks": "icontains"}[operator]
    passes = Q(**{f"{name}__{lookup}": value})
    return queryset.filter(~passes if operator in ("not", "lacks") else passes)


def listed_in(text: str) -> list[str]:
    """The values of a pasted list: one on each line, or between tabs, semicolons or commas.

    A field of one line makes blanks of the ends of lines: where nothing else parts them and every word has a digit, as
    references have, each word is a value.
    """
    mark = next((mark for mark in (r"[\r\n\t;]+", ",") if re.search(mark, text)), None)
    words = text.split()
    parts = re.split(mark, text) if mark else words if all(re.search(r"\d", word) for word in words) else [text]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))[:MOST_LISTED]


def told_operator(operators: dict[str, str], operator: str, value: str) -> str:
    """An operator with its value, for people: «is not Draft», «last 7 days»."""
    return operators[operator] if operator in VALUELESS else f"{operators[operator]} {value}"


def _may_be_null(model: type[models.Model], path: str) -> bool:
    for step in path.split("__"):
        try:
            field: Any = model._meta.get_field(step)
        except FieldDoesNotExist:
            return False
        if getattr(field, "null", False) or field.many_to_many or field.one_to_many:
            return True
        model = field.related_model or model
    return False

"""How many rows each choice of a filter would leave, everything else that is asked being equal.

Exact where the rows are few, about where they are many, as the count of the list itself; never a scan.
"""

from __future__ import annotations

from collections.abc import Callable

import django_filters
from django.db import models
from django.db.models import Count as Counted

from admin_ext.filtering.counting import Count, count
from admin_ext.filtering.filterset import FilterSet

MOST_CHOICES = 12
"""A filter of more choices is searched in, not read."""
YES_NO = {"true": True, "false": False}

Narrow = Callable[[models.QuerySet], models.QuerySet]


def facets(filterset: FilterSet, rows: models.QuerySet, *, narrow: Narrow) -> dict[str, dict[str, Count]]:
    """By filter and choice, both as an address names them, the rows that the choice would leave of `rows`.

    What the filter itself asks now is lifted, what the others ask holds; `narrow` is what narrows the list besides
    (its search). Nothing is told of a question that is not understood.
    """
    if not filterset.is_valid():
        return {}
    found = {}
    for name, each in filterset.filters.items():
        choices = _choices(each)
        if 0 < len(choices) <= MOST_CHOICES:
            found[name] = _counts(each, choices, narrow(filterset.filter_queryset(rows, but=name)))
    return found


def _choices(each: django_filters.Filter) -> list[str]:
    if isinstance(each, django_filters.MultipleChoiceFilter) and not hasattr(each, "queryset"):
        return [str(value) for value, _ in each.extra.get("choices", ())]
    return list(YES_NO) if isinstance(each, django_filters.BooleanFilter) else []


def _counts(each: django_filters.Filter, choices: list[str], rows: models.QuerySet) -> dict[str, Count]:
    if isinstance(each, django_filters.MultipleChoiceFilter) and each.method is None and count(rows).exact:
        grouped = rows.order_by().values_list(each.field_name).annotate(_rows=Counted("pk", distinct=True))
        known = {str(value): number for value, number in grouped}
        return {choice: Count(known.get(choice, 0)) for choice in choices}
    asked = {choice: YES_NO.get(choice, [choice]) for choice in choices}
    return {choice: count(each.filter(rows, value)) for choice, value in asked.items()}

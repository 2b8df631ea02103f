"""The filters that lists need beside django-filter's own."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.db import models
from django.utils import timezone

from admin_ext.access.rights import restrict


class YesNoWidget(django_filters.widgets.BooleanWidget):
    """Says "Any" where nothing was chosen."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.choices = (("", "Any"), ("true", "Yes"), ("false", "No"))


class YesNoFilter(django_filters.BooleanFilter):
    """Yes, no, or both. With `method`, the FilterSet says what yes means."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"widget": YesNoWidget, **kwargs})


class RelatedFilter(django_filters.ModelMultipleChoiceFilter):
    """Any of several related rows, found along `field_name`; offered as far as the person may see them.

    Filters must not multiply rows: along a relation to many, give a `method` that asks by subquery.
    """

    def __init__(self, model: type[models.Model], **kwargs: Any) -> None:
        super().__init__(queryset=lambda request: restrict(model._default_manager.all(), request.user), **kwargs)


class DayRangeFilter(django_filters.DateFromToRangeFilter):
    """From one day to another, both whole, in the person's zone; half-open, so that no instant of the last is lost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        calendar = django_filters.widgets.DateRangeWidget(attrs={"type": "date"})
        super().__init__(*args, **{"widget": calendar, **kwargs})

    def filter(self, queryset: models.QuerySet, value: slice | None) -> models.QuerySet:
        if not value:
            return queryset
        start, stop = value.start, value.stop
        if start:
            queryset = queryset.filter(**{f"{self.field_name}__gte": self._edge(queryset, start)})
        if stop:
            queryset = queryset.filter(**{f"{self.field_name}__lt": self._edge(queryset, stop, days=1)})
        return queryset

    def _edge(self, queryset: models.QuerySet, value: Any, days: int = 0) -> date | datetime:
        day = (value.date() if isinstance(value, datetime) else value) + timedelta(days=days)
        return self.instant(day) if isinstance(self._column(queryset.model), models.DateTimeField) else day

    @staticmethod
    def instant(value: date | datetime, days: int = 0) -> datetime:
        """When a day begins in the person's zone, or the day some `days` after it."""
        day = (value.date() if isinstance(value, datetime) else value) + timedelta(days=days)
        return timezone.make_aware(datetime.combine(day, time.min))

    def _column(self, model: Any) -> models.Field:
        *hops, name = self.field_name.split("__")
        for hop in hops:
            model = model._meta.get_field(hop).related_model
        return model._meta.get_field(name)


class AppendedDaysFilter(DayRangeFilter):
    """Days in a table that is only ever appended to: its keys and instants grow together, so that days are a range of
    keys too, and a list in the order of keys begins there instead of walking back to it. Needs an index on the column.
    """

    # Two writers may take their keys and look at the clock in turns, never so far apart.
    SLACK = 1000

    def filter(self, queryset: models.QuerySet, value: slice | None) -> models.QuerySet:
        if not value:
            return queryset
        found, rows = super().filter(queryset, value), queryset.model._base_manager.all()
        for bound, order, key, slack in (
            (value.start and slice(value.start, None), "", "pk__gte", -self.SLACK),
            (value.stop and slice(None, value.stop), "-", "pk__lte", self.SLACK),
        ):
            if bound:
                edge = super().filter(rows, bound).order_by(f"{order}{self.field_name}").values("pk")[:1]
                found = found.filter(**{key: models.Subquery(edge) + slack})
        return found


class AmountRangeField(django_filters.fields.RangeField):
    """Two numbers of a length that a column can be compared with; the database fails on longer ones."""

    DIGITS = 40

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        ends = tuple(forms.DecimalField(max_digits=self.DIGITS) for _ in range(2))
        super().__init__(ends, *args, **kwargs)


class AmountRangeFilter(django_filters.RangeFilter):
    """From one number to another, both included; either may be left out."""

    field_class = AmountRangeField


class NumberRangeFilter(AmountRangeFilter):
    """Whole numbers from one to another."""


class OneOfFilter(django_filters.ChoiceFilter):
    """One of `choices`, or all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"empty_label": "Any", **kwargs})

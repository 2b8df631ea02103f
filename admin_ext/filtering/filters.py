"""The filters that lists need beside django-filter's own."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters
from django.db import models
from django.utils import timezone


class DayRangeFilter(django_filters.DateFromToRangeFilter):
    """From one day to another, both whole, in the person's zone; half-open, so that no instant of the last is lost."""

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
        if isinstance(self._column(queryset.model), models.DateTimeField):
            return timezone.make_aware(datetime.combine(day, time.min))
        return day

    def _column(self, model: type[models.Model]) -> models.Field:
        *hops, name = self.field_name.split("__")
        for hop in hops:
            model = model._meta.get_field(hop).related_model
        return model._meta.get_field(name)


class AmountRangeFilter(django_filters.RangeFilter):
    """From one number to another, both included; either may be left out."""


class NumberRangeFilter(AmountRangeFilter):
    """Whole numbers from one to another."""

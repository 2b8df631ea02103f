"""Rows by the record of their changes: when they were changed, and by whom.

Asked of the acts first, which an index finds by their instant or their actor; the rows follow from the acts.
"""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q

from admin_ext.access.rights import restrict
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.past import instant_looked_at
from admin_ext.filtering.days import WORDS, days_meant
from admin_ext.filtering.filters import DayRangeFilter
from admin_ext.filtering.operators import SUFFIX


class ChangedOnFilter(DayRangeFilter):
    """Rows that were made or changed on these days, by anybody. For models on the record."""

    def filter(self, queryset: models.QuerySet, value: slice | None) -> models.QuerySet:
        return queryset.filter(pk__in=_changed(queryset.model, value)) if value else queryset


class ChangedByFilter(django_filters.ModelMultipleChoiceFilter):
    """Rows that these people made or changed: on the days that the filter `changed_on` beside it says, if it does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=_people, **kwargs)

    @property
    def column(self) -> models.Field:
        """A column that names people, by which they are completed as somebody types."""
        return ChangeSet._meta.get_field("actor")

    def filter(self, queryset: models.QuerySet, value: Any) -> models.QuerySet:
        if not value:
            return queryset
        given = self.parent.form.cleaned_data
        word = given.get(f"changed_on_{SUFFIX}", "")
        days = days_meant(word) if word in WORDS else given.get("changed_on")
        return queryset.filter(pk__in=_changed(queryset.model, days, by=[person.pk for person in value]))


def _people(request: Any) -> models.QuerySet:
    return restrict(get_user_model()._default_manager.all(), request.user)


def _changed(model: Any, days: slice | None, by: list[int] | None = None) -> models.QuerySet:
    """The keys of rows changed on some days, by some people."""
    acts, rows = ChangeSet.objects.order_by(), model.history.order_by()
    if by is not None:
        acts = acts.filter(actor__in=by)
    if days and days.start:
        since = DayRangeFilter.instant(days.start)
        # A job's act may have begun long before.
        acts = acts.filter(
            Q(started_at__gte=since) | Q(lasting=True) & (Q(finished_at=None) | Q(finished_at__gte=since))
        )
        rows = rows.filter(history_date__gte=since)
    if days and days.stop:
        until = DayRangeFilter.instant(days.stop, days=1)
        acts, rows = acts.filter(started_at__lt=until), rows.filter(history_date__lt=until)
    if instant := instant_looked_at():
        rows = rows.filter(history_date__lte=instant)
    return rows.filter(change_set__in=acts.values("pk")).values(model._meta.pk.name)

"""The one FilterSet of a model: its list, its selections, its exports and its bulk actions all use it."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db import models
from django.http import QueryDict

from admin_ext.access.fields import treatment_of
from admin_ext.filtering.filters import AmountRangeFilter, DayRangeFilter, RelatedFilter, YesNoFilter


class FilterSet(django_filters.FilterSet):
    """django-filter's FilterSet with the lists' defaults: ranges for days and amounts, several choices at once, and
    related rows offered only as far as the person may see them.

    `request` may be anything with a `user`: a job has no request. What somebody may not read is no filter of theirs:
    its answers would tell it.
    """

    reads: ClassVar[dict[str, tuple[str, ...]]] = {}
    """The ORM paths that a filter with a `method` looks at, where its field name does not say it."""

    FILTER_DEFAULTS: ClassVar[dict[Any, Any]] = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        models.BooleanField: {"filter_class": YesNoFilter},
        models.DateTimeField: {"filter_class": DayRangeFilter},
        models.DateField: {"filter_class": DayRangeFilter},
        models.DecimalField: {"filter_class": AmountRangeFilter},
        models.IntegerField: {"filter_class": AmountRangeFilter},
        models.PositiveIntegerField: {"filter_class": AmountRangeFilter},
        models.PositiveSmallIntegerField: {"filter_class": AmountRangeFilter},
    }

    def __init__(self, data: Any = None, queryset: Any = None, *, request: Any = None, prefix: Any = None) -> None:
        super().__init__(data, queryset, request=request, prefix=prefix)
        for name in self.base_filters.keys() - self.names_for(getattr(request, "user", None)):
            del self.filters[name]

    @classmethod
    def filter_for_lookup(cls, field: Any, lookup_type: str) -> tuple[type, dict[str, Any]]:
        if isinstance(field, models.GeneratedField):
            field = field.output_field
        # No filter multiplies rows, so none sorts the whole table for DISTINCT.
        if field.choices and lookup_type == "exact":
            return django_filters.MultipleChoiceFilter, {"choices": field.choices, "distinct": False}
        if isinstance(field, models.ForeignKey) and lookup_type == "exact":
            return RelatedFilter, {"model": field.related_model, "distinct": False}
        # Of members, too, only those are offered and understood that the person may see. Only these multiply rows.
        if isinstance(field, models.ManyToManyField) and lookup_type == "exact":
            return RelatedFilter, {"model": field.related_model, "distinct": True}
        if isinstance(field, models.CharField | models.TextField) and lookup_type == "exact":
            return django_filters.CharFilter, {"lookup_expr": "icontains"}
        return super().filter_for_lookup(field, lookup_type)

    @classmethod
    def names_for(cls, user: Any) -> set[str]:
        """The filters that `user` has: those that look at nothing that is hidden from them or masked."""
        model = cls._meta.model
        return {
            name
            for name, each in cls.base_filters.items()
            if model is None
            or not any(treatment_of(user, model, path) for path in cls.reads.get(name, (each.field_name,)))
        }

    @classmethod
    def parameters(cls, user: Any) -> set[str]:
        """The names under which the filters of `user` appear in an address: `credit_limit_min` as well as `status`."""
        names: set[str] = set()
        for name in cls.names_for(user):
            each = cls.base_filters[name]
            suffixes = getattr(each.field_class.widget, "suffixes", [])
            names.update({name}, {f"{name}_{suffix}" for suffix in suffixes if suffix})
        return names

    def narrowed(self, queryset: models.QuerySet) -> models.QuerySet:
        """The rows that pass; none at all when a value cannot be understood, so that nobody acts on too many."""
        return self.filter_queryset(queryset) if self.is_valid() else queryset.none()

    def described(self) -> list[tuple[str, str, str]]:
        """What is active, for people: (parameter, label, value)."""
        if not self.is_valid():
            return []
        active = []
        for name, value in self.form.cleaned_data.items():
            if value in (None, "", [], ()) or (hasattr(value, "exists") and not value):
                continue
            label = self.filters[name].label or name.replace("_", " ")
            active.append((name, str(label), _shown(value, self.form.fields[name])))
        return active


def _shown(value: Any, field: Any) -> str:
    if isinstance(value, slice):
        start = value.start.date() if hasattr(value.start, "date") else value.start
        stop = value.stop.date() if hasattr(value.stop, "date") else value.stop
        if start is not None and stop is not None:
            return f"{start} to {stop}"
        return f"from {start}" if start is not None else f"up to {stop}"
    if isinstance(value, list | models.QuerySet):
        labels = dict(getattr(field, "choices", ())) if isinstance(value, list) else {}
        return ", ".join(str(labels.get(each, each)) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def filterset_for(model: type[models.Model]) -> type[FilterSet] | None:
    """The FilterSet declared for `model`."""
    waiting = list(FilterSet.__subclasses__())
    while waiting:
        candidate = waiting.pop()
        if candidate._meta.model is model:
            return candidate
        waiting += candidate.__subclasses__()
    return None


def as_querydict(parameters: dict[str, list[str]]) -> QueryDict:
    """Filter parameters kept as data, in the form in which an address carries them."""
    query = QueryDict(mutable=True)
    for name, values in parameters.items():
        query.setlist(name, values)
    return query

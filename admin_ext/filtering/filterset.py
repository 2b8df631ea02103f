"""The one FilterSet of a model: its list, its selections, its exports and its bulk actions all use it."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import django_filters
from django import forms
from django.contrib.auth import get_user_model
from django.db import models
from django.http import QueryDict
from django.utils.functional import cached_property
from django_filters.utils import label_for_filter

from admin_ext.access.fields import treatment_of
from admin_ext.access.rights import can
from admin_ext.filtering.changed import ChangedByFilter, ChangedOnFilter
from admin_ext.filtering.filters import AmountRangeFilter, DayRangeFilter, RelatedFilter, YesNoFilter
from admin_ext.filtering.operators import SUFFIX, VALUELESS, apply_operator, operators_of, told_operator


class FilterSet(django_filters.FilterSet):
    """django-filter's FilterSet with the lists' defaults: ranges for days and amounts, several choices at once, and
    related rows offered only as far as the person may see them.

    `request` may be anything with a `user`: a job has no request. What somebody may not read is no filter of theirs:
    its answers would tell it.
    """

    changed_on = ChangedOnFilter(field_name="id", label="Changed")
    changed_by = ChangedByFilter(field_name="id", label="Changed by")

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
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        filters = super().get_filters()
        if not hasattr(cls._meta.model, "history"):
            filters = {name: each for name, each in filters.items() if name not in ("changed_on", "changed_by")}
        for each in filters.values():
            if cls._meta.model and each.lookup_expr == "icontains" and each._label is None:
                # How it is compared stands beside it.
                each.label = label_for_filter(cls._meta.model, each.field_name, "exact")
        return filters

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
        unseen = set() if user is None or can(user, "view", get_user_model()) else {"changed_by"}
        return {
            name
            for name, each in cls.base_filters.items()
            if name not in unseen
            if model is None
            or not any(treatment_of(user, model, path) for path in cls.reads.get(name, (each.field_name,)))
        }

    @classmethod
    @cache
    def operators(cls) -> dict[str, dict[str, str]]:
        """By each filter that has operators, their words."""
        declared = {name: operators_of(each, cls._meta.model) for name, each in cls.base_filters.items()}
        return {name: operators for name, operators in declared.items() if operators}

    def get_form_class(self) -> type[forms.Form]:
        """The form that understands what is asked; of the other filters nobody needs a field."""
        return self._form_of(self.asked)

    @cached_property
    def whole_form(self) -> forms.Form:
        """The form of all filters, to be drawn."""
        return self._form_of(self.filters)(self.data, prefix=self.form_prefix)

    def _form_of(self, filters: dict[str, django_filters.Filter]) -> type[forms.Form]:
        """A form of some filters, with a choice of operator beside each that has some."""
        fields: dict[str, forms.Field] = {name: each.field for name, each in filters.items()}
        for name, operators in self.operators().items():
            if name in fields:
                fields[f"{name}_{SUFFIX}"] = forms.ChoiceField(
                    choices=list(operators.items()), required=False, label=f"{self.filters[name].label}: how"
                )
        return type(f"{type(self).__name__}Form", (self._meta.form,), fields)

    def filter_queryset(self, queryset: models.QuerySet, *, but: str = "") -> models.QuerySet:
        """The rows that pass each filter, asked by its operator; all filters but one where `but` names it."""
        given = self.form.cleaned_data if self.asked else {}
        for name, each in self.asked.items():
            if name == but:
                continue
            operator = given.get(f"{name}_{SUFFIX}", "")
            if operator:
                queryset = apply_operator(each, operator, given[name], queryset)
            else:
                queryset = each.filter(queryset, given[name])
        return queryset

    @classmethod
    def parameters(cls, user: Any) -> set[str]:
        """The names under which the filters of `user` appear in an address: `credit_limit_min` as well as `status`."""
        return {parameter for name in cls.names_for(user) for parameter in cls.parameters_of(name)}

    @classmethod
    @cache
    def parameters_of(cls, name: str) -> set[str]:
        """The names under which one filter appears in an address, its operator among them."""
        suffixes = getattr(cls.base_filters[name].field_class.widget, "suffixes", [])
        names = {name, *(f"{name}_{suffix}" for suffix in suffixes if suffix)}
        return names | {f"{name}_{SUFFIX}"} if name in cls.operators() else names

    @cached_property
    def asked(self) -> dict[str, django_filters.Filter]:
        """The filters of which the address says anything. Without any, every row passes, and there is nothing to understand."""
        return {
            name: each
            for name, each in self.filters.items()
            if any(parameter in self.data for parameter in self.parameters_of(name))
        }

    def is_valid(self) -> bool:
        return not self.asked or super().is_valid()

    def narrowed(self, queryset: models.QuerySet) -> models.QuerySet:
        """The rows that pass; none at all when a value cannot be understood, so that nobody acts on too many."""
        return self.filter_queryset(queryset) if self.is_valid() else queryset.none()

    def described(self) -> list[tuple[str, str, str]]:
        """What is active, for people: (parameter, label, value)."""
        if not self.asked or not self.is_valid():
            return []
        active, given, operators = [], self.form.cleaned_data, self.operators()
        for name, each in self.asked.items():
            value, operator = given[name], given.get(f"{name}_{SUFFIX}", "")
            is_empty = value.query.is_empty() if isinstance(value, models.QuerySet) else value in (None, "", [], ())
            if is_empty and operator not in VALUELESS:
                continue
            shown = "" if is_empty else _shown(value, self.form.fields[name])
            told = told_operator(operators[name], operator, shown) if operator else shown
            active.append((name, str(each.label or name.replace("_", " ")), told))
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

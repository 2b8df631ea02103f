"""The filters of a list, where Django shows its list filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db import models
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from admin_ext.admin.choices import shown_again
from admin_ext.admin.looks import style
from admin_ext.admin.select_html import operator_html
from admin_ext.filtering.filterset import FilterSet
from admin_ext.filtering.operators import SUFFIX

# The ends of a range, aloud.
ENDS = {"min": "from", "max": "to", "after": "from", "before": "to"}
# Filters of which nothing is asked, as HTML: by their FilterSet, their name, and the site that completes related rows. And, by
# the names of all of them, the scripts and styles that they need.
_drawn: dict[tuple[type[FilterSet], str | tuple[str, ...], Any], SafeString] = {}


class FilterSetSpec:
    """Shows a whole FilterSet where Django shows one list filter."""

    title = "filters"
    template = "admin_ext/filterset.html"

    def __init__(self, filterset: FilterSet, request: HttpRequest) -> None:
        self.filterset = filterset
        self.request = request
        self.used_parameters = {
            name: request.GET.getlist(name) for name in filterset.parameters(request.user) if name in request.GET
        }

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> list[dict[str, Any]]:
        """What is drawn of the filters: one that is not asked looks alike to everybody who has it, and is drawn once."""
        fields = [self._field(changelist, name) for name in self.filterset.filters]
        media = self._kept(changelist, tuple(self.filterset.filters), lambda: self._media(changelist))
        return [{"media": media, "fields": fields, "facets": f"facets/{changelist.get_query_string()}"}]

    def _field(self, changelist: ChangeList, name: str) -> SafeString:
        each, draw = self.filterset.filters[name], lambda: self._draw(changelist, name)
        # Rows stand in it, or what a function finds.
        differs = callable(each.extra.get("choices")) or (
            hasattr(each, "queryset") and not self._is_completed(changelist, name)
        )
        return draw() if differs or name in self.filterset.asked else self._kept(changelist, name, draw)

    def _kept(self, changelist: ChangeList, what: Any, draw: Callable[[], SafeString]) -> SafeString:
        kind = (type(self.filterset), what, changelist.model_admin.admin_site)
        if kind not in _drawn:
            _drawn[kind] = draw()
        return _drawn[kind]

    def _draw(self, changelist: ChangeList, name: str) -> SafeString:
        form = self.filterset.form if name in self.filterset.asked else self.filterset.whole_form
        self._prepare(changelist, form, name)
        context = {"field": form[name], "operator": self._operator(form, name)}
        return render_to_string("admin_ext/filterset_field.html", context)

    def _media(self, changelist: ChangeList) -> SafeString:
        for name in self.filterset.filters:
            self._prepare(changelist, self.filterset.whole_form, name)
        return self.filterset.whole_form.media.render()

    def _prepare(self, changelist: ChangeList, form: forms.Form, name: str) -> None:
        field = form.fields[name]
        if isinstance(field, forms.ModelMultipleChoiceField):
            self._complete(changelist, name, field)
        for part, suffix in zip(
            getattr(field.widget, "widgets", ()), getattr(field.widget, "suffixes", ()), strict=False
        ):
            part.attrs["aria-label"] = f"{field.label}: {ENDS.get(suffix, suffix)}".removesuffix(": ")
        style(field)

    @staticmethod
    def _operator(form: forms.Form, name: str) -> str:
        """How a filter compares; "" where it can in one way only."""
        if f"{name}_{SUFFIX}" not in form.fields:
            return ""
        field: Any = form[f"{name}_{SUFFIX}"]
        return operator_html(field.html_name, str(form[name].label), tuple(field.field.choices), str(field.data or ""))

    def _complete(self, changelist: ChangeList, name: str, field: forms.ModelMultipleChoiceField) -> None:
        """Offer related rows as the person types, never all of them in a page."""
        if self._is_completed(changelist, name):
            field.bound_data = shown_again  # type: ignore[method-assign]
            field.widget = AutocompleteSelectMultiple(
                self._column(changelist, name),
                changelist.model_admin.admin_site,
                choices=field.choices,
                attrs={"data-theme": "admin-autocomplete"},
            )

    def _column(self, changelist: ChangeList, name: str) -> Any:
        each = self.filterset.filters[name]
        return getattr(each, "column", None) or get_fields_from_path(changelist.model, each.field_name)[-1]

    def _is_completed(self, changelist: ChangeList, name: str) -> bool:
        """Whether the rows that a filter asks for have a list, which completes them."""
        related = getattr(self._column(changelist, name), "remote_field", None)
        return bool(related and changelist.model_admin.admin_site._registry.get(related.model))

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        return self.filterset.narrowed(queryset)

    def expected_parameters(self) -> list[str]:
        return sorted(self.filterset.parameters(self.request.user))

    def get_facet_queryset(self, changelist: ChangeList) -> None:
        return None

"""A changelist whose filters are one django-filter FilterSet."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.widgets import AutocompleteMixin, AutocompleteSelectMultiple
from django.db import models
from django.http import HttpRequest
from django.utils.http import urlencode
from unfold import widgets
from unfold.views import ChangeList

from admin_ext.access.fields import treatment_of
from admin_ext.admin.choices import shown_again
from admin_ext.admin.instants import PARAMETERS, in_this_time
from admin_ext.admin.related import hide_related
from admin_ext.filtering.filterset import FilterSet


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
        form = self.filterset.form
        for name, field in form.fields.items():
            if isinstance(field, forms.ModelMultipleChoiceField):
                self._complete(changelist, name, field)
        return [{"form": styled(form)}]

    def _complete(self, changelist: ChangeList, name: str, field: forms.ModelMultipleChoiceField) -> None:
        """Offer related rows as the person types, never all of them in a page."""
        site = changelist.model_admin.admin_site
        column = get_fields_from_path(changelist.model, self.filterset.filters[name].field_name)[-1]
        related = getattr(column, "remote_field", None)
        if related and site._registry.get(related.model):
            field.bound_data = shown_again  # type: ignore[method-assign]
            field.widget = AutocompleteSelectMultiple(
                column, site, choices=field.choices, attrs={"data-theme": "admin-autocomplete"}
            )

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        return self.filterset.narrowed(queryset)

    def expected_parameters(self) -> list[str]:
        return sorted(self.filterset.parameters(self.request.user))

    def get_facet_queryset(self, changelist: ChangeList) -> None:
        return None


class FilterSetChangeList(ChangeList):
    """Filters through the ModelAdmin's FilterSet; a value that cannot be understood shows no rows, never all."""

    filterset: FilterSet | None = None

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.user: Any = request.user
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        left = super().get_filters_params(params)
        known = self._known()
        return {name: value for name, value in left.items() if name not in known and name not in PARAMETERS}

    def get_filters(self, request: HttpRequest) -> tuple[Any, ...]:
        # Django would look for a column of that name, and tell by its answer whether there is one.
        unknown = self.get_filters_params()
        self.filter_params = {name: value for name, value in self.filter_params.items() if name not in unknown}
        specs, has_filters, lookups, may_duplicate, is_active = super().get_filters(request)
        if unknown:
            messages.error(request, f"There is no filter {', '.join(sorted(unknown))}, so no rows are shown.")
            self.root_queryset = self.root_queryset.none()
        filterset_class = self.model_admin.get_filterset_class()
        if filterset_class is None:
            return specs, has_filters, lookups, may_duplicate, is_active
        self.filterset = filterset_class(request.GET, queryset=self.root_queryset, request=request)
        if not self.filterset.is_valid():
            messages.error(request, "A filter was not understood, so no rows are shown: " + _told(self.filterset))
        return (
            [FilterSetSpec(self.filterset, request), *specs],
            True,
            lookups,
            may_duplicate,
            bool(self.filterset.described()),
        )

    def get_ordering(self, request: HttpRequest, queryset: models.QuerySet) -> list[Any]:
        """Without what the person may not read: the order of rows would tell it."""
        ordering = super().get_ordering(request, queryset)
        told = [each for each in ordering if not treatment_of(request.user, self.model, ordered_by(each))]
        return self._get_deterministic_ordering(told)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        hide_related(self.result_list, request.user)

    @property
    def chips(self) -> list[dict[str, str]]:
        """What is active, each with the address of the list without it."""
        if self.filterset is None:
            return []
        chips = []
        for name, label, value in self.filterset.described():
            left = {
                key: values
                for key, values in self.filterset.request.GET.lists()
                if key != name and not (key.startswith(f"{name}_") and key not in self.filterset.filters) and key != "p"
            }
            chips.append({"label": label, "value": value, "without": "?" + urlencode(left, doseq=True)})
        return chips

    @property
    def without_filters(self) -> str:
        """The address of the whole list, in the time that it shows."""
        return in_this_time("") or "?"

    def _known(self) -> set[str]:
        filterset_class = self.model_admin.get_filterset_class()
        return filterset_class.parameters(self.user) if filterset_class else set()


def ordered_by(order: Any) -> str:
    """The ORM path that an entry of an ordering looks at; "" for one that looks at more than one column."""
    expression = getattr(order, "expression", order)
    return str(getattr(expression, "name", "") if not isinstance(expression, str) else expression)


def _told(filterset: FilterSet) -> str:
    return "; ".join(f"{name}: {' '.join(errors)}" for name, errors in filterset.errors.items())


def styled(form: forms.Form) -> forms.Form:
    """Give a form unfold's look."""
    for field in form.fields.values():
        for widget in getattr(field.widget, "widgets", [field.widget]):
            if isinstance(widget, AutocompleteMixin):
                continue
            if isinstance(widget, forms.CheckboxInput):
                widget.attrs.setdefault("class", " ".join(widgets.CHECKBOX_CLASSES))
            elif isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
                continue
            elif isinstance(widget, forms.Select):
                classes = widgets.BASE_INPUT_CLASSES if widget.allow_multiple_selected else widgets.SELECT_CLASSES
                widget.attrs.setdefault("class", " ".join(classes))
                if not widget.allow_multiple_selected:
                    widget.template_name = "unfold/widgets/select.html"
            elif isinstance(widget, forms.Textarea):
                widget.attrs.setdefault("class", " ".join(widgets.TEXTAREA_CLASSES))
                widget.attrs["rows"] = 3
            elif isinstance(widget, forms.FileInput):
                # unfold's script wants every file input to look like its own.
                field.widget = widgets.UnfoldAdminFileFieldWidget(widget.attrs)
                field.widget.is_required = field.required
            else:
                widget.attrs.setdefault("class", " ".join(widgets.INPUT_CLASSES))
    return form

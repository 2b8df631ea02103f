"""The list of a model: what it is narrowed by, searched by and shows above its rows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from admin_ext.admin.changelist import ONLY_COUNTED, FilterSetChangeList
from admin_ext.admin.neighbours import NeighboursMixin
from admin_ext.admin.opened_views import OpenedViewsMixin
from admin_ext.admin.past import in_its_time
from admin_ext.filtering.counting import PATIENCE_MS, count_exactly
from admin_ext.filtering.filterset import FilterSet, filterset_for
from admin_ext.filtering.patience import TookTooLong
from admin_ext.filtering.search import search


class ListMixin(OpenedViewsMixin, NeighboursMixin):
    """For ModelAdmins: the changelist."""

    model: type[models.Model]
    filterset_class: type[FilterSet] | None = None
    search_fields: Any
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    list_fullwidth = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin_ext/change_list.html"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Set once, before any request: a ModelAdmin serves all of them.
        self.search_fields = self.search_fields or _searched(self.model)

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_count"
        wrap = self.admin_site.admin_view
        return [
            path("count/", wrap(self.count_view), name=name),
            path("facets/", wrap(self.facets_view), name=name.removesuffix("count") + "facets"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[FilterSetChangeList]:
        return FilterSetChangeList

    def get_filterset_class(self) -> type[FilterSet] | None:
        """The model's one FilterSet, unless the list declares another."""
        return self.filterset_class or filterset_for(self.model)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        return search(queryset, search_term, request.user), False

    @in_its_time
    def count_view(self, request: HttpRequest) -> HttpResponse:
        """How many rows a list has, counted one by one: for its page, or told above it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        setattr(request, ONLY_COUNTED, True)
        try:
            counted = count_exactly(self.get_changelist_instance(request).queryset)
        except IncorrectLookupParameters:
            said = "That cannot be counted: the address of the list was not understood."
        except TookTooLong:
            said = f"Counting takes longer than {PATIENCE_MS // 1000} seconds. A filter makes it fewer."
        else:
            said = f"Counted: {counted} {self.opts.verbose_name if counted == 1 else self.opts.verbose_name_plural}."
        if request.headers.get("HX-Request"):
            return HttpResponse(format_html('<span role="status">{}</span>', said))
        messages.info(request, said)
        address = reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return HttpResponseRedirect(f"{address}?{request.GET.urlencode()}")

    @in_its_time
    def facets_view(self, request: HttpRequest) -> HttpResponse:
        """How many rows each choice of a filter would leave: {"status": {"active": "about 8,214,000"}}."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        setattr(request, ONLY_COUNTED, True)
        try:
            changelist = self.get_changelist_instance(request)
            told = changelist.facets()
        except (IncorrectLookupParameters, TookTooLong):
            told = {}  # without them the filters work as well
        return JsonResponse(
            {name: {value: str(count) for value, count in counts.items()} for name, counts in told.items()}
        )

    @in_its_time
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if led := self.led_to_view(request):
            return led
        buttons = [
            *self.grid_button(request),
            *self.transfer_buttons(request),
            *self.changes_button(request),
            *self.deleted_buttons(request),
        ]
        response = super().changelist_view(request, {**(extra_context or {}), "transfer_buttons": buttons})
        return self.with_toolbar(request, response)


def _searched(model: type[models.Model]) -> tuple[str, ...]:
    """What Django needs to know to offer search and autocompletes; `search()` does the work."""
    return (*getattr(model, "natural_key_fields", ())[:1], *getattr(model, "search_words", ()))

"""On the page of a record: the way to the records before and after it, in the list that the person came from."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import IS_POPUP_VAR
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from admin_ext.admin.changelist import FilterSetChangeList
from admin_ext.admin.instants import KEPT_FILTERS
from admin_ext.filtering.list_state import NO_VIEW, VIEW
from admin_ext.filtering.neighbours import OrderNotKnown, neighbours
from admin_ext.filtering.patience import TookTooLong, within

PATIENCE_MS = 300


class NeighboursMixin:
    """For ModelAdmins: previous and next."""

    def get_preserved_filters(self, request: HttpRequest) -> str:
        """A list that is not narrowed is told from none."""
        preserved = super().get_preserved_filters(request)
        match = request.resolver_match
        at_list = match and match.url_name == f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return preserved or (urlencode({KEPT_FILTERS: f"{VIEW}={NO_VIEW}"}) if at_list and not request.GET else "")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context.get("original")
        if row is not None and IS_POPUP_VAR not in request.GET and request.GET.get(KEPT_FILTERS):
            context["neighbours"] = self._beside(request, row.pk)
        return super().render_change_form(request, context, *args, **kwargs)

    def _beside(self, request: HttpRequest, key: int) -> dict[str, str] | None:
        kept = request.GET[KEPT_FILTERS]
        asked = copy.copy(request)
        asked.GET, asked.method = QueryDict(kept), "GET"
        # What the list would complain of was said there.
        asked._messages = SimpleNamespace(add=lambda *args, **kwargs: None)  # type: ignore[attr-defined]
        try:
            self.fill_in(asked)
            changelist = self._list_alone(asked)
            if changelist is None:
                return None
            with within(PATIENCE_MS):
                before, after = neighbours(changelist.queryset, key)
        except (OrderNotKnown, TookTooLong, IncorrectLookupParameters, SuspiciousOperation, Http404):
            return None
        ways = {"previous": before, "next": after}
        query = urlencode({KEPT_FILTERS: kept})
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return {way: f"{reverse(name, args=[pk])}?{query}" if pk else "" for way, pk in ways.items()}

    def _list_alone(self, request: HttpRequest) -> FilterSetChangeList | None:
        """The list with its filters, rights and order, and without reading it."""
        declared = self.get_changelist(request)
        if not declared.takes_views:
            return None
        display = self.get_list_display(request)
        if self.get_actions(request):
            display = ["action_checkbox", *display]
        return type("ListAlone", (declared,), {"get_results": lambda self, request: None})(
            request,
            self.model,
            display,
            [],
            self.get_list_filter(request),
            self.date_hierarchy,
            self.get_search_fields(request),
            False,
            self.list_per_page,
            self.list_max_show_all,
            (),
            self,
            self.get_sortable_by(request),
            self.search_help_text,
        )

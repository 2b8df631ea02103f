"""The admin site of the product."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from admin_ext.admin.related import hide_related
from admin_ext.admin.screens.explain import explain_view
from admin_ext.admin.screens.refusals import ask_view
from admin_ext.admin.screens.standing_in import standing_in_urls
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.filtering.search import best_matches

# How many rows of each kind the palette offers.
FOUND = 8


class OpsAdminSite(UnfoldAdminSite):
    """unfold's site; its name stays `admin`, which Django's own links rely on."""

    site_title = "opsadmin"
    site_header = "opsadmin"
    index_title = "Dashboard"
    enable_nav_sidebar = True

    def get_urls(self) -> list[URLPattern]:
        # Django's shortcut names any row that has an absolute address; ours asks for the right first. Django's goes: an
        # address that ours does not take ("r/ 7/1/") would fall through to it.
        shortcut = path(
            "r/<int:content_type_id>/<path:object_id>/", self.admin_view(self.shortcut), name="view_on_site"
        )
        access = [
            path("access/explain/", self.admin_view(explain_view), name="access_explain"),
            path("access/ask/", self.admin_view(ask_view), name="access_ask"),
            *standing_in_urls(self),
        ]
        others = [each for each in super().get_urls() if getattr(each, "name", "") != shortcut.name]
        return [shortcut, *access, *others]

    def shortcut(self, request: HttpRequest, content_type_id: int, object_id: str) -> HttpResponse:
        """Goes to the page of a row, wherever it is; a row that the person may not see is not there."""
        kind = ContentType.objects.filter(pk=content_type_id).first()
        model = kind.model_class() if kind else None
        model_admin = self._registry.get(model) if model else None
        row = model_admin.get_object(request, object_id) if model_admin else None
        if row is None:
            raise Http404
        return HttpResponseRedirect(
            reverse(f"{self.name}:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        )

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        with change_set(actor=request.user, door=Door.FORM, verb="accounts.change_password"):
            return super().password_change(request, extra_context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Worked out once for a page: its sidebar, its menus and its context all ask."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        whose, apps = getattr(request, "_opsadmin_apps", (None, []))
        if whose is not request.user:
            apps = super().get_app_list(request)
            request._opsadmin_apps = request.user, apps  # type: ignore[attr-defined]
        return apps

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The command palette: pages, and rows by reference or words; asked anew each time, so a lost right is lost."""
        began = time.monotonic()
        term = request.GET.get("s", "").strip()
        if not term:
            return HttpResponse()
        results = self._search_apps(self.get_app_list(request), term.lower())
        extended = "extended" in request.GET
        if extended and len(term) >= 2:
            results += self._search_rows(request, term)
        return TemplateResponse(
            request,
            "unfold/helpers/command_results.html" if extended else "unfold/helpers/search_results.html",
            {
                "page_obj": Paginator(results, max(len(results), 1)),
                "results": results,
                "page_counter": 0,
                "execution_time": time.monotonic() - began,
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )

    def _search_rows(self, request: HttpRequest, term: str) -> list[SearchResult]:
        found = []
        for model, model_admin in self._registry.items():
            if (
                not model_admin.in_palette
                or not model_admin.get_search_fields(request)
                or not model_admin.has_view_permission(request)
            ):
                continue
            rows = best_matches(model_admin.get_queryset(request), term, request.user, FOUND)
            hide_related(rows, request.user, loaded=False)
            found += [
                SearchResult(
                    title=str(row),
                    description=str(model._meta.verbose_name).capitalize(),
                    link=reverse(f"{self.name}:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk]),
                    icon="data_object",
                )
                for row in rows
            ]
        return found

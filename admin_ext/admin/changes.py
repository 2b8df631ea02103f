"""What changed in a list between two instants: counts, and the rows with their fields, old and new."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.widgets import INPUT_CLASSES

from admin_ext.access.rights import NotPermitted
from admin_ext.admin.instants import (
    AS_OF,
    PARAMETERS,
    ROWS,
    SINCE,
    UNTIL,
    at_instant,
    for_input,
    told,
    written,
)
from admin_ext.audit.past import PastNotThere
from admin_ext.filtering.changes import changes_between
from admin_ext.filtering.instants import InstantNotUsable, parse_instant
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.filtering.telling import differences, in_short
from admin_ext.transfers.changes import FORMATS, submit_changes, tell_changes

PAGE = 50
LABELS = {"added": ("came in", "success"), "left": ("left", "danger"), "changed": ("changed", "info")}


@dataclasses.dataclass(frozen=True)
class Between:
    """The two instants that a page asks about."""

    since: datetime
    until: datetime


class ChangesViewMixin:
    """For ModelAdmins of models with a past: `changes/`."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_changes"
        return [path("changes/", self.admin_site.admin_view(self.changes_view), name=name), *super().get_urls()]

    def changes_button(self, request: HttpRequest) -> list[dict[str, str]]:
        """The way from the list, with its filters, to what changed in it."""
        if not self.has_past:
            return []
        query = request.GET.urlencode()
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changes")
        return [{"label": "What changed", "icon": "difference", "url": f"{address}?{query}" if query else address}]

    def changes_view(self, request: HttpRequest) -> HttpResponse:
        """Shows what changed, or hands in the job that writes it to a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not self.has_past:
            raise Http404
        context: dict[str, Any] = {}
        between = None
        try:
            between = _asked(request)
            if between and request.method == "POST":
                return self._export_changes(request, between)
            if between:
                context = self._changes(request, between)
        except (InstantNotUsable, PastNotThere, UnknownFilter) as refusal:
            messages.error(request, str(refusal))
        name = str(self.opts.verbose_name_plural)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"What changed in {name}",
            "between": between,
            "since": request.GET.get(SINCE) or for_input(_first_guess(request)),
            "until": request.GET.get(UNTIL, ""),
            "latest": for_input(timezone.now()),
            "zone": timezone.get_current_timezone_name(),
            "filters": self._active_filters(request),
            "kept": [(n, v) for n, values in request.GET.lists() for v in values if n not in PARAMETERS | {"p"}],
            "input_classes": " ".join(INPUT_CLASSES),
            "formats": FORMATS if between and self.has_export_permission(request) else (),
            "back": self._list_url(request),
            **context,
        }
        return TemplateResponse(request, "admin_ext/changes.html", context)

    def _changes(self, request: HttpRequest, between: Between) -> dict[str, Any]:
        selection = self._selection_now(request)
        changes = changes_between(selection, actor=request.user, since=between.since, until=between.until)
        counts = [
            {
                "name": kind,
                "number": len(keys),
                "label": LABELS[kind][0],
                "colour": LABELS[kind][1],
                "url": _same_page(request, between, **{ROWS: kind}),
            }
            for kind, keys in changes
        ]
        chosen = request.GET.get(ROWS, "")
        if chosen not in LABELS:
            chosen = next((kind for kind, keys in changes if keys), "changed")
        keys = dict(changes)[chosen]
        page = int(request.GET["p"]) if request.GET.get("p", "").isdecimal() else 0
        start = page * PAGE
        rows = tell_changes(
            self.model,
            list(keys[start : start + PAGE]),
            since=between.since,
            until=between.until,
            reader=request.user,
        )
        return {
            "since_told": told(between.since),
            "until_told": told(between.until),
            "counts": counts,
            "chosen": chosen,
            "rows": [self._row(key, before, after, between) for key, (before, after) in rows.items()],
            "export": _same_page(request, between),
            "previous": _same_page(request, between, p=page - 1) if page else "",
            "next": _same_page(request, between, p=page + 1) if start + PAGE < len(keys) else "",
        }

    def _row(self, key: int, before: Any, after: Any, between: Between) -> dict[str, Any]:
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[key])
        query = urlencode({"a": written(between.since), "b": written(between.until)})
        shown = after or before
        return {
            "name": shown.name if shown else f"#{key}",
            "url": at_instant(address, between.until if after else between.since),
            "compare": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_compare", args=[key]) + f"?{query}",
            "gone": after is None,
            "new": before is None,
            "fields": [
                {"label": each.label, "before": in_short(each.before), "after": in_short(each.after)}
                for each in differences(self.model, before, after)
            ],
        }

    def _export_changes(self, request: HttpRequest, between: Between) -> HttpResponse:
        chosen = request.POST.get("format", "")
        try:
            job = submit_changes(
                actor=request.user,
                selection=self._selection_now(request),
                since=between.since,
                until=between.until,
                format=chosen if chosen in FORMATS else FORMATS[0],
            )
        except NotPermitted as error:
            raise PermissionDenied(str(error)) from error
        messages.success(request, "The changes are being written. You will find the file here.")
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))

    def _selection_now(self, request: HttpRequest) -> Selection:
        """The list's filters and search, in no time and no order."""
        filters, search = self.filters_of(request)
        return Selection(model=self.opts.label, filters=filters, search=search)

    def _active_filters(self, request: HttpRequest) -> list[tuple[str, str]]:
        filterset_class = self.get_filterset_class()
        if filterset_class is None:
            return []
        filterset = filterset_class(request.GET, queryset=self.model._default_manager.none(), request=request)
        found = [(label, value) for _, label, value in filterset.described()]
        return [*found, ("Search", request.GET["q"])] if request.GET.get("q") else found

    def _list_url(self, request: HttpRequest) -> str:
        left = {name: values for name, values in request.GET.lists() if name not in PARAMETERS | {"p"}}
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return f"{address}?{urlencode(left, doseq=True)}" if left else address


def _asked(request: HttpRequest) -> Between | None:
    """The instants of the address; no second one means now. None before anything was asked."""
    since = request.GET.get(SINCE, "")
    if not since:
        return None
    until = request.GET.get(UNTIL, "")
    between = Between(parse_instant(since), parse_instant(until) if until else timezone.now())
    if between.since >= between.until:
        raise InstantNotUsable("The first instant must come before the second.")
    return between


def _first_guess(request: HttpRequest) -> datetime:
    """The instant that the list showed, or a week ago."""
    try:
        return parse_instant(request.GET.get(AS_OF, ""))
    except InstantNotUsable:
        return timezone.now() - timedelta(days=7)


def _same_page(request: HttpRequest, between: Between, **changed: Any) -> str:
    """The address of the page with other parameters; what was «now» stays the same instant."""
    changed[UNTIL] = written(between.until)
    left = {name: values for name, values in request.GET.lists() if name not in ("p", *changed)}
    return "?" + urlencode({**left, **changed}, doseq=True)

"""The ledger of reads: everybody sees their own events, an auditor everybody's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from unfold.decorators import display

from admin_ext.access.rights import restrict
from admin_ext.admin.endless import EndlessChangeList
from admin_ext.admin.forms import NOT_VISIBLE
from admin_ext.admin.looks import styled
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.admin.related import link
from admin_ext.admin.screens.explain import address_of, may_explain
from admin_ext.admin.screens.refusals import what_is_asked
from admin_ext.admin.screens.which_file import WhichFileForm, known_files
from admin_ext.audit.models import Access, AccessEvent, ChangeSet

COLOURS = {
    **dict.fromkeys(Access.values, "default"),
    "login_failed": "warning",
    "denied": "danger",
    "reveal": "warning",
    "export": "info",
    "download": "info",
    "evidence": "info",
    "rights": "warning",
    "impersonate": "warning",
    "elevation": "danger",
}


class AccessEventChangeList(EndlessChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tell_rows(self.result_list, request.user)


class AccessEventAdmin(ReadOnlyModelAdmin):
    list_display = ["id", "shown_at", "shown_kind", "shown_actor", "shown_row", "shown_subject", "address"]
    list_display_links = ["id", "shown_at"]
    list_select_related = ["actor", "acting_as"]
    sortable_by = ()
    in_palette = False
    actions = None
    search_help_text = "Words of a file, a name that was tried, a role"
    change_form_template = None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        which_file = require_http_methods(["GET", "HEAD", "POST"])(self.which_file_view)
        return [
            path("which-file/", wrap(which_file), name="audit_accessevent_which_file"),
            *super().get_urls(),
        ]

    def transfer_buttons(self, request: HttpRequest) -> list[dict[str, str]]:
        address = reverse("admin:audit_accessevent_which_file")
        ask = {"label": "Which export is this file?", "icon": "fingerprint", "url": address}
        return [*super().transfer_buttons(request), ask]

    def which_file_view(self, request: HttpRequest) -> HttpResponse:
        """Tells which export made a file, by its bytes."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = WhichFileForm(request.POST or None, request.FILES or None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Which export is this file?",
            "button": "Find it",
            "back": reverse("admin:audit_accessevent_changelist"),
        }
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data["sha256"]
            known = known_files(asked, reader=request.user)
            tell_rows([each.made for each in known], request.user)
            told = [
                {
                    "made": each.made,
                    "downloads": each.downloads,
                    "details": []
                    if each.made.is_hidden
                    else [(_label(name), _told(value)) for name, value in each.made.detail.items()],
                }
                for each in known
            ]
            context |= {"asked": asked, "known": told}
        context["form"] = styled(form)
        return TemplateResponse(request, "admin_ext/which_file.html", context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[EndlessChangeList]:
        return AccessEventChangeList

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        event = self.get_object(request, object_id) if object_id else None
        if event is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id or "")
        tell_rows([event], request.user)
        acts = ChangeSet.objects.filter(actor=event.actor_id, request_id=event.request_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": event,
            "event": event,
            "title": f"{event.get_kind_display()} #{event.pk}",
            "colour": COLOURS.get(event.kind, "default"),
            "details": []
            if event.is_hidden
            else [(_label(name), _told(value)) for name, value in event.detail.items()],
            "explained": _explained(event, request.user),
            "acts": restrict(acts, request.user, "view")[:5] if event.request_id and event.actor_id else [],
        }
        return TemplateResponse(request, "admin_ext/access_event.html", context)

    @display(description="when")
    def shown_at(self, event: AccessEvent) -> str:
        return timezone.localtime(event.at).strftime("%Y-%m-%d %H:%M:%S")

    @display(description="what happened", label=COLOURS)
    def shown_kind(self, event: AccessEvent) -> tuple[str, str]:
        return event.kind, event.get_kind_display()

    @display(description="who")
    def shown_actor(self, event: AccessEvent) -> str:
        return f"{event.actor}, looking as {event.acting_as}" if event.acting_as else str(event.actor or "")

    @display(description="record")
    def shown_row(self, event: AccessEvent) -> Any:
        return event.told_row

    @display(description="what")
    def shown_subject(self, event: AccessEvent) -> str:
        return event.told_subject


def tell_rows(events: Iterable[AccessEvent], user: Any) -> None:
    """Put onto each event the row that it is about, as far as `user` may see it; one query per model.

    What else an event says of a row that its reader may not see (the name of a file on it) is not told either; who
    did it themselves has seen it.
    """
    keys: dict[str, set[int]] = defaultdict(set)
    for event in events:
        if event.object_id is not None:
            keys[event.model].add(event.object_id)
    seen = {label: _seen(label, wanted, user) for label, wanted in keys.items()}
    for event in events:
        known = _model(event.model)
        kind = str(known._meta.verbose_name) if known else event.model
        row = seen.get(event.model, {}).get(event.object_id or 0)
        event.is_hidden = event.object_id is not None and row is None and event.actor_id != user.pk
        event.told_subject = NOT_VISIBLE if event.is_hidden and event.subject else event.subject
        event.told_row = (
            link(row)
            if row
            else f"{kind} {NOT_VISIBLE if event.is_hidden else f'#{event.object_id}'}"
            if event.object_id is not None
            else str(known._meta.verbose_name_plural)
            if known
            else ""
        )


def _explained(event: AccessEvent, user: Any) -> str:
    """Of a refusal: the page that says why, for those who give rights."""
    if event.kind != Access.DENIED or event.actor_id is None or not may_explain(user):
        return ""
    asked = what_is_asked(event.subject, event.detail.get("method", "GET"))
    return address_of(user=event.actor_id, **asked) if asked else ""


def _seen(label: str, keys: set[int], user: Any) -> dict[int, models.Model]:
    model = _model(label)
    if model is None:
        return {}
    rows: Any = model._default_manager.filter(pk__in=keys)
    return {row.pk: row for row in restrict(rows, user, "view")}


def _model(label: str) -> type[models.Model] | None:
    try:
        return apps.get_model(label) if label else None
    except LookupError:
        return None  # it was there when the event was noted


def _label(name: str) -> str:
    return "SHA-256" if name == "sha256" else name.replace("_", " ").capitalize()


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_told(each)}" for name, each in value.items() if each not in (None, "", [], {}))
    if isinstance(value, list):
        return ", ".join(_told(each) for each in value) or "none"
    return "" if value is None else str(value)

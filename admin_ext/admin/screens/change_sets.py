"""Change sets and the timeline: who did what, when, why, through which door, to which rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from admin_ext.access.rights import can, restrict
from admin_ext.admin.looks import styled
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.admin.screens.evidence import EvidenceViewsMixin, history_url, shown_act
from admin_ext.admin.screens.questions import TimelineForm
from admin_ext.admin.screens.reviews import ReviewForm
from admin_ext.admin.screens.undoing import UndoViewsMixin, undo_url, undone_by
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.acts import rows_of_act, touched_by
from admin_ext.desk.lives import who_did
from admin_ext.desk.models import Case, Review
from admin_ext.desk.reviewing import reviews_of
from admin_ext.desk.timeline import timeline


class ChangeSetAdmin(UndoViewsMixin, EvidenceViewsMixin, ReadOnlyModelAdmin):
    list_display = ["id", "started_at", "actor", "door", "verb", "reason", "rows"]
    list_display_links = ["id", "started_at"]
    list_select_related = ["actor"]
    search_fields = ["verb", "reason"]
    change_form_template = None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.timeline_view)
        return [path("timeline/", view, name="audit_changeset_timeline"), *super().get_urls()]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term:
            return queryset, False
        return queryset.filter(verb__startswith=search_term) | queryset.filter(reason__icontains=search_term), False

    def timeline_view(self, request: HttpRequest) -> HttpResponse:
        """Everything that was done, newest first."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        form = TimelineForm(request.GET, user=request.user)
        understood = form.is_valid() and not set(request.GET) - set(form.fields) - {"before"}
        before = request.GET.get("before", "")
        page = timeline(form.question(), user=request.user, before=before) if understood else None
        asked = [name for name in form.fields if request.GET.get(name)]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Timeline",
            "subtitle": None,
            "form": styled(form),
            "understood": understood,
            "asked": asked,
            "acts": [shown_act(act) for act in page.acts] if page else [],
            "looked_back_to": page.looked_back_to if page else None,
            "older": _with(request, before=page.more) if page and page.more else "",
            "newest": _with(request, before="") if before else "",
            "question": [(name, request.GET[name]) for name in asked],
            "may_take_evidence": request.user.has_perm("desk.take_evidence"),
        }
        return TemplateResponse(request, "admin_ext/timeline.html", context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        change_set = self.get_object(request, object_id) if object_id else None
        if change_set is None:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id or "")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": change_set,
            "change_set": change_set,
            "title": f"Change set {change_set}",
            "who": who_did(change_set, change_set.db_user),
            "took": _took(change_set),
            "jobs": restrict(change_set.jobs.all(), request.user, "view"),
            "tables": self._tables(request, change_set),
            "one": request.GET.get("model", ""),
            "may_take_evidence": request.user.has_perm("desk.take_evidence"),
            "undo_url": undo_url(request.user, change_set),
            "undone_by": undone_by(request.user, change_set),
            **self._review(request, change_set),
        }
        for job in context["jobs"]:
            job.plans = restrict(job.plans_applied.all(), request.user, "view")
        return TemplateResponse(request, "admin_ext/change_set.html", context)

    def _review(self, request: HttpRequest, change_set: ChangeSet) -> dict[str, Any]:
        """Who reviewed it, whether it asks for that, and the form to do it."""
        mine = request.user.pk in (change_set.actor_id, change_set.acting_as_id)
        may_sign = change_set.finished_at and not mine and request.user.has_perm("desk.add_review")
        form = ReviewForm(request=request, initial={"first_act": change_set.pk, "last_act": change_set.pk})
        return {
            "asks_review": Case.objects.filter(act=change_set.pk).exists(),
            "reviews": reviews_of(change_set) if can(request.user, "view", Review) else None,
            "form": styled(form) if may_sign else None,
        }

    def _tables(self, request: HttpRequest, change_set: ChangeSet) -> list[Any]:
        after = request.GET.get("after", "")
        if label := request.GET.get("model", ""):
            chosen = next((model for model in tracked_models() if model._meta.label == label), None)
            if chosen is None:
                raise Http404
            tables = [rows_of_act(change_set, chosen, user=request.user, after=int(after) if after.isdigit() else 0)]
        else:
            tables = touched_by(change_set, user=request.user)
        for table in tables:
            for row in table.rows:
                row.url = history_url(row.recorded.model, row.recorded.key)
        return tables


def _with(request: HttpRequest, **changes: str) -> str:
    asked = {name: value for name, value in request.GET.items() if value} | changes
    return "?" + urlencode({name: value for name, value in asked.items() if value})


def _took(change_set: ChangeSet) -> str:
    if change_set.finished_at is None:
        return "not finished yet"
    seconds = (change_set.finished_at - change_set.started_at).total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"

"""The review of a plan: counts first, then its rows, old and new, and what is wrong with those that cannot be."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display

from admin_ext.access.fields import FieldRights, told
from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.admin.reasons import posted_reason
from admin_ext.admin.values import Names, in_words, names_of
from admin_ext.audit.access_log import note_access
from admin_ext.audit.models import Access
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.plans.applying import apply_plan, discard_plan
from admin_ext.plans.models import Action, Mode, Plan, PlanRow
from admin_ext.plans.rows import told_errors
from admin_ext.services import ReasonMissing, Refused
from admin_ext.transfers.failures import suffix, write_failed_rows

PAGE = 50
COLOURS = {
    "create": "success",
    "update": "info",
    "delete": "warning",
    "unchanged": "default",
    "refused": "danger",
    "invalid": "danger",
    "drifted": "warning",
    "left": "warning",
}
STATE_COLOURS = {"ready": "warning", "applied": "success", "failed": "danger", "making": "info", "applying": "info"}


class PlanAdmin(ReadOnlyModelAdmin):
    list_display = ["id", "title", "shown_state", "total", "good", "bad", "created_by", "created_at"]
    list_display_links = ["id", "title"]
    list_select_related = ["created_by"]
    search_fields = ["title"]
    change_form_template = None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:key>/apply/", wrap(require_POST(self.apply_view)), name="plans_plan_apply"),
            path("<int:key>/discard/", wrap(require_POST(self.discard_view)), name="plans_plan_discard"),
            path("<int:key>/failed/", wrap(self.failed_view), name="plans_plan_failed"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.filter(title__icontains=search_term) if search_term else queryset), False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        plan = self.get_object(request, object_id) if object_id else None
        if plan is None:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id or "")
        template = "admin_ext/plan_rows.html" if request.headers.get("HX-Request") else "admin_ext/plan.html"
        return TemplateResponse(request, template, self._context(request, plan))

    def apply_view(self, request: HttpRequest, key: int) -> HttpResponse:
        mode = request.POST.get("mode", "")
        if mode not in Mode.values:
            raise Http404
        reason = posted_reason(request)
        try:
            return self._do(
                request, key, lambda plan: apply_plan(actor=request.user, plan=plan, mode=mode, reason=reason)
            )
        except ReasonMissing:
            return HttpResponseRedirect(f"{reverse('admin:plans_plan_change', args=[key])}?silent=1")

    def discard_view(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._do(request, key, lambda plan: discard_plan(actor=request.user, plan=plan))

    def failed_view(self, request: HttpRequest, key: int) -> FileResponse:
        """The rows that failed, as a file in the shape they came in."""
        plan = self.get_object(request, str(key))
        if plan is None or plan.created_by_id != request.user.pk:
            raise Http404
        name = Path(plan.parameters.get("file_name", "rows")).stem + f"-failed{suffix(plan)}"
        with tempfile.TemporaryDirectory(prefix="opsadmin-failed-") as folder, contextlib.ExitStack() as closing:
            target = Path(folder) / f"failed{suffix(plan)}"
            write_failed_rows(plan, target, reader=request.user)
            # The open handle keeps the bytes until they are sent.
            handle = closing.enter_context(target.open("rb"))
            detail = {"plan": plan.pk, "rows": plan.bad}
            note_access(Access.DOWNLOAD, actor=request.user, model=plan.model, subject=name, detail=detail)
            closing.pop_all()
        return FileResponse(handle, as_attachment=True, filename=name, content_type="application/octet-stream")

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def shown_state(self, plan: Plan) -> tuple[str, str]:
        return plan.state, plan.get_state_display()

    def _do(self, request: HttpRequest, key: int, service: Any) -> HttpResponse:
        plan = self.get_object(request, str(key))
        if plan is None:
            raise Http404
        try:
            service(plan)
        except ReasonMissing:
            raise
        except (Refused, NotPermitted) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:plans_plan_change", args=[key]))

    def _context(self, request: HttpRequest, plan: Plan) -> dict[str, Any]:
        chosen = request.GET.get("rows", "")
        after = request.GET.get("after", "")
        rows = plan.rows.all()
        told = models.Case(models.When(outcome="", then="action"), default="outcome")
        if chosen in Action.values:
            rows = rows.annotate(told=told).filter(told=chosen)
        if after.isdigit():
            rows = rows.filter(number__gt=int(after))
        page = list(rows.order_by("number")[: PAGE + 1])
        job = plan.applying or plan.making
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": plan,
            "plan": plan,
            "title": plan.title,
            "colour": STATE_COLOURS.get(plan.state, "default"),
            "counts": [
                {
                    "action": action,
                    "label": Action(action).label,
                    "number": plan.counts[action],
                    "colour": COLOURS[action],
                }
                for action in Action.values
                if plan.counts.get(action)
            ],
            "chosen": chosen,
            "rows": _shown(page[:PAGE], plan, request.user),
            "next": page[PAGE - 1].number if len(page) > PAGE else None,
            "notes": _notes(plan, request.user),
            "mine": plan.created_by_id == request.user.pk,
            "job": job,
            "busy": plan.state in (Plan.State.MAKING, Plan.State.APPLYING),
            "has_failed_file": bool(plan.bad),
            "reason_asked": plan.told_rule if plan.asks_reason else "",
            "reason_always": plan.asks_reason,
            "reason_errors": ["Nothing was applied yet: say why."] if "silent" in request.GET else [],
        }


def _shown(rows: list[PlanRow], plan: Plan, user: Any) -> list[dict[str, Any]]:
    """Rows in words: columns by their names, related rows by theirs as far as the person may see them."""
    columns: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.model not in columns:
            columns[row.model] = _visible_columns(plan.model_of(row), user, is_beside=bool(row.model))
    pairs = (
        (columns[row.model][column], value)
        for row in rows
        for values in (row.before, row.after)
        for column, value in (values or {}).items()
        if column in columns[row.model]
    )
    names = names_of(pairs, user)
    return [
        {
            "row": row,
            "kind": str(plan.model_of(row)._meta.verbose_name) if row.model else "",
            "action": row.outcome or row.action,
            "label": Action(row.outcome or row.action).label,
            "colour": COLOURS[row.outcome or row.action],
            "errors": told_errors(row.errors, plan.model_of(row), user),
            "changes": _changes(row, columns[row.model], names, field_rights(user, "view", plan.model_of(row))),
        }
        for row in rows
    ]


def _notes(plan: Plan, user: Any) -> list[str]:
    """What its maker was told; it may speak of values, so whoever may not read them all is not told."""
    unread = field_rights(user, "view", plan.get_model()).unread
    return [] if unread and plan.created_by_id != user.pk else plan.notes


def _visible_columns(model: type[models.Model], user: Any, *, is_beside: bool) -> dict[str, Any]:
    """In the order of the model. Beside the plan's own rows, the whole of a part goes without saying."""
    visible = field_rights(user, "view", model).visible - FOLLOWING_COLUMNS
    if is_beside:
        visible -= {getattr(model, "part_of", "")}
    return {field.column: field for field in model._meta.concrete_fields if field.name in visible}


def _changes(row: PlanRow, columns: dict[str, Any], names: Names, rights: FieldRights) -> list[dict[str, str]]:
    after = row.after or {}
    return [
        {
            "label": str(columns[column].verbose_name).capitalize(),
            "before": told(
                in_words(columns[column], (row.before or {}).get(column), names), columns[column].name, rights
            ),
            "after": told(in_words(columns[column], after[column], names), columns[column].name, rights),
        }
        for column in columns
        if column in after and (row.before is not None or after[column] not in (None, "", False))
    ]

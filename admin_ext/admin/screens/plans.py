"""The review of a plan: counts first, then its rows, old and new, and what is wrong with those that cannot be."""

from __future__ import annotations

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

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.admin.forms import NOT_VISIBLE
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.plans.applying import apply_plan, discard_plan
from admin_ext.plans.models import Action, Mode, Plan, PlanRow
from admin_ext.services import Refused
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
        if request.method != "GET":
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
        return self._do(request, key, lambda plan: apply_plan(actor=request.user, plan=plan, mode=mode))

    def discard_view(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._do(request, key, lambda plan: discard_plan(actor=request.user, plan=plan))

    def failed_view(self, request: HttpRequest, key: int) -> FileResponse:
        """The rows that failed, as a file in the shape they came in."""
        plan = self.get_object(request, str(key))
        if plan is None or plan.created_by_id != request.user.pk or not plan.header:
            raise Http404
        folder = tempfile.TemporaryDirectory(prefix="opsadmin-failed-")
        target = Path(folder.name) / f"failed{suffix(plan)}"
        write_failed_rows(plan, target)
        name = Path(plan.parameters.get("file_name", "rows")).stem + f"-failed{suffix(plan)}"
        handle = target.open("rb")
        folder.cleanup()  # the open handle keeps the bytes until they are sent
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
            "mine": plan.created_by_id == request.user.pk,
            "job": job,
            "busy": plan.state in (Plan.State.MAKING, Plan.State.APPLYING),
            "has_failed_file": plan.bad and plan.header,
        }


def _shown(rows: list[PlanRow], plan: Plan, user: Any) -> list[dict[str, Any]]:
    """Rows in words: columns by their names, related rows by theirs as far as the person may see them."""
    model = plan.get_model()
    visible = field_rights(user, "view", model).visible
    by_column: dict[str, Any] = {field.column: field for field in model._meta.concrete_fields if field.name in visible}
    names = _names(rows, by_column, user)
    return [
        {
            "row": row,
            "action": row.outcome or row.action,
            "label": Action(row.outcome or row.action).label,
            "colour": COLOURS[row.outcome or row.action],
            "errors": row.errors or [],
            "changes": [
                {
                    "label": str(by_column[column].verbose_name).capitalize(),
                    "before": _value(by_column[column], (row.before or {}).get(column), names),
                    "after": _value(by_column[column], value, names),
                }
                for column, value in (row.after or {}).items()
                if column in by_column and (row.before is not None or value not in (None, "", False))
            ],
        }
        for row in rows
    ]


def _names(rows: list[PlanRow], by_column: dict[str, Any], user: Any) -> dict[tuple[Any, int], str]:
    wanted: dict[type[models.Model], set[int]] = {}
    for column, field in by_column.items():
        if isinstance(field, models.ForeignKey):
            keys: set[Any] = {(each or {}).get(column) for row in rows for each in (row.before, row.after)} - {None}
            wanted.setdefault(field.related_model, set()).update(keys)
    return {
        (model, row.pk): str(row)
        for model, keys in wanted.items()
        if keys
        for row in restrict(model._default_manager.filter(pk__in=keys), user, "view")
    }


def _value(field: Any, value: Any, names: dict[tuple[Any, int], str]) -> str:
    if value in (None, ""):
        return ""
    if isinstance(field, models.ForeignKey):
        return names.get((field.related_model, value), NOT_VISIBLE)
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)

"""The review of a plan: counts first, then its rows, old and new, and what is wrong with those that cannot be."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import INPUT_CLASSES

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, can
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.admin.plan_entities import shown_entities
from admin_ext.admin.plan_rows import (
    COLOURS,
    Asked,
    WrongCells,
    cell_of,
    columns_with_errors,
    correction_log,
    page_of,
    posted_cells,
    shown_rows,
)
from admin_ext.admin.reasons import posted_reason
from admin_ext.admin.screens.undoing import buckets_of, undo_url
from admin_ext.audit.access_log import note_access
from admin_ext.audit.models import Access
from admin_ext.plans.applying import apply_plan, discard_plan
from admin_ext.plans.correcting import FAILED, correct_rows, drop_rows, droppable, submit_recheck, take_rows_back
from admin_ext.plans.making import sources
from admin_ext.plans.models import Action, Mode, Plan
from admin_ext.services import ReasonMissing, Refused
from admin_ext.transfers.failures import suffix, write_corrected_rows, write_failed_rows
from admin_ext.transfers.previewing import is_mappable, look_again_at

KEPT_ONLY = "It is kept. Check it when all is put in: until then the plan is not applied."
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
            path("<int:key>/corrected/", wrap(self.corrected_view), name="plans_plan_corrected"),
            path("<int:key>/rows/", wrap(require_POST(self.rows_view)), name="plans_plan_rows"),
            path("<int:key>/mapping/", wrap(require_POST(self.map_again_view)), name="plans_plan_mapping"),
            path("<int:key>/rows/<int:number>/", wrap(self.row_view), name="plans_plan_row"),
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
        plan = self.get_object(request, str(key))
        if plan and (asked := confirmation_of(plan)) and request.POST.get("confirm", "").strip() != asked:
            messages.error(request, f"Nothing was applied: type {asked} to confirm that so many rows are meant.")
            return HttpResponseRedirect(_address(plan))
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
        return self._file_of_rows(request, key, "failed", write_failed_rows)

    def corrected_view(self, request: HttpRequest, key: int) -> FileResponse:
        """The rows that were corrected or dropped, with their cells as they came and what was done."""
        return self._file_of_rows(request, key, "corrected", write_corrected_rows)

    def rows_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Corrects cells, drops rows, takes them back, or has all that failed checked again."""
        plan, person = self.get_object(request, str(key)), request.user
        if plan is None:
            raise Http404
        asked, done = request.POST.get("do", ""), ""
        ticked = [int(each) for each in request.POST.getlist("row") if each.isdecimal() and len(each) < 18]
        seen = _seen(request, plan)
        try:
            if asked == "drop":
                done = f"{drop_rows(actor=person, plan=plan, numbers=ticked, seen=seen):,} rows were dropped."
            elif asked.startswith("drop_all:") and (outcome := asked.partition(":")[2]) in Action.values:
                done = f"{drop_rows(actor=person, plan=plan, outcome=outcome, seen=seen):,} rows were dropped."
            elif asked == "take_back":
                done = f"{take_rows_back(actor=person, plan=plan, numbers=ticked, seen=seen):,} rows were taken back."
            elif asked == "recheck":
                submit_recheck(actor=person, plan=plan, seen=seen)
            else:
                done = self._correct(request, plan)
        except (Refused, NotPermitted) as error:
            messages.error(request, str(error))
        if done:
            messages.success(request, done)
        query = request.POST.get("query", "")
        return HttpResponseRedirect(_address(plan) + (query if query.startswith("?") else ""))

    def map_again_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Has the file of an import looked at again, with its mapping, to change that."""
        plan = self.get_object(request, str(key))
        if plan is None:
            raise Http404
        try:
            look = look_again_at(actor=request.user, plan=plan)
        except (Refused, NotPermitted) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(_address(plan))
        label = plan.get_model()._meta
        listed = getattr(plan.get_model(), "part_of", "")
        if listed:
            label = plan.get_model()._meta.get_field(listed).related_model._meta
        return HttpResponseRedirect(reverse(f"admin:{label.app_label}_{label.model_name}_import_map", args=[look.pk]))

    def row_view(self, request: HttpRequest, key: int, number: int) -> HttpResponse:
        """All cells of one row, as they came, to be corrected."""
        plan = self.get_object(request, str(key))
        if plan is None or plan.created_by_id != request.user.pk:
            raise Http404
        row = plan.rows.filter(number=number).first()
        if row is None or not self._may_correct(request, plan):
            raise Http404
        # A row that many lines are about is corrected in the line that its errors speak of.
        line = row if row.raw else WrongCells(plan, [row], request.user).line_of(row, {})
        if line is None or not line.raw:
            raise Http404
        width = max(len(plan.header), len(line.raw))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": plan,
            "title": f"Row {row.number} of {plan.title}",
            "plan": plan,
            "row": row,
            "each": shown_rows([row], plan, request.user, corrects=True)[0],
            "cells": [cell_of(line, plan, position, of=row) for position in range(width)],
            "line": line,
            "is_made_again": sources[plan.source].is_made_again(plan),
            "log": correction_log(line, plan, request.user),
            "is_open": row.action in FAILED,
            "back": _address(plan),
            "input_classes": " ".join(INPUT_CLASSES),
        }
        return TemplateResponse(request, "admin_ext/plan_row.html", context)

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

    def _correct(self, request: HttpRequest, plan: Plan) -> str:
        cells, alike = posted_cells(request, plan)
        checks, seen = request.POST.get("do") != "keep", _seen(request, plan)
        if not cells:
            if checks and plan.is_unchecked:
                submit_recheck(actor=request.user, plan=plan, seen=seen)
            return ""
        corrected = correct_rows(actor=request.user, plan=plan, cells=cells, alike=alike, seen=seen, checks=checks)
        if corrected.is_unchecked:
            return KEPT_ONLY if not checks else ""
        bad = plan.rows.filter(number__in=list(cells), action__in=FAILED).count()
        good = len(cells) - bad
        told = f"{good:,} {'row is' if good == 1 else 'rows are'} right now." if good else ""
        still = f"{bad:,} {'row has' if bad == 1 else 'rows have'} still something wrong." if bad else ""
        return f"{told} {still}".strip()

    def _may_correct(self, request: HttpRequest, plan: Plan) -> bool:
        """May this person correct cells here, as things stand?"""
        if plan.state != Plan.State.READY or plan.created_by_id != request.user.pk:
            return False
        source = sources[plan.source]
        if not source.keeps_cells(plan) or not plan.header or not can(request.user, "import", plan.get_model()):
            return False
        try:
            source.check_may_write(plan, request.user)
        except NotPermitted:
            return False
        return True

    def _file_of_rows(self, request: HttpRequest, key: int, which: str, write: Any) -> FileResponse:
        plan = self.get_object(request, str(key))
        if plan is None or plan.created_by_id != request.user.pk:
            raise Http404
        name = Path(plan.parameters.get("file_name", "rows")).stem + f"-{which}{suffix(plan)}"
        with tempfile.TemporaryDirectory(prefix="opsadmin-rows-") as folder, contextlib.ExitStack() as closing:
            target = Path(folder) / f"{which}{suffix(plan)}"
            rows = write(plan, target, reader=request.user)
            # The open handle keeps the bytes until they are sent.
            handle = closing.enter_context(target.open("rb"))
            detail = {"plan": plan.pk, "rows": rows}
            note_access(Access.DOWNLOAD, actor=request.user, model=plan.model, subject=name, detail=detail)
            closing.pop_all()
        return FileResponse(handle, as_attachment=True, filename=name, content_type="application/octet-stream")

    def _context(self, request: HttpRequest, plan: Plan) -> dict[str, Any]:
        asked = Asked.from_request(request, plan)
        columns = columns_with_errors(plan, request.user)
        page, later, earlier = page_of(asked, plan, columns)
        corrects = self._may_correct(request, plan)
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
                    "address": asked.address(outcome=action, of=""),
                }
                for action in Action.values
                if plan.counts.get(action)
            ],
            "buckets": buckets_of(plan),
            "undo_url": undo_url(request.user, job.change_set) if job and plan.state == Plan.State.APPLIED else "",
            "entities": shown_entities(plan, COLOURS),
            "lines": plan.parameters.get("lines"),
            "of": asked.of,
            "chosen": asked.outcome,
            "asked": asked,
            "here": asked.address(after=asked.after),
            "all_rows": asked.address(outcome="", of=""),
            "columns": [{"name": each, "address": asked.address(column=each)} for each in columns],
            "any_column": asked.address(column=""),
            "rows": shown_rows(page, plan, request.user, corrects=corrects),
            "corrects": corrects,
            "is_made_again": corrects and sources[plan.source].is_made_again(plan),
            "without_term": asked.address(term=""),
            "drop_all": _drop_all(plan, asked.outcome),
            "input_classes": " ".join(INPUT_CLASSES),
            "reviews": plan.state == Plan.State.READY and plan.created_by_id == request.user.pk,
            "next": asked.address(after=later) if later is not None else "",
            "previous": asked.address(after=earlier) if earlier is not None else "",
            "confirmation": confirmation_of(plan),
            "can_map_again": plan.created_by_id == request.user.pk and is_mappable(plan),
            "has_corrected_file": plan.rows.filter(corrections__isnull=False).exists(),
            "notes": _notes(plan, request.user),
            "mine": plan.created_by_id == request.user.pk,
            "job": job,
            "busy": plan.state in (Plan.State.MAKING, Plan.State.APPLYING),
            "has_failed_file": bool(plan.bad),
            "reason_asked": plan.told_rule if plan.asks_reason else "",
            "reason_always": plan.asks_reason,
            "reason_errors": ["Nothing was applied yet: say why."] if "silent" in request.GET else [],
        }


def confirmation_of(plan: Plan) -> str:
    """What has to be typed before a bulk change of very many rows: their number. Empty for others."""
    is_bulk = plan.source in ("edit", "verb") and plan.good > settings.BULK_CONFIRM_ROWS
    return str(plan.good) if is_bulk else ""


def _seen(request: HttpRequest, plan: Plan) -> int | None:
    """Which revision of a plan was looked at; the rows of a plan that is made again are other rows afterwards."""
    told = request.POST.get("seen", "")
    if told.isdecimal() and len(told) < 18:
        return int(told)
    return -1 if sources[plan.source].is_made_again(plan) else None


def _address(plan: Plan) -> str:
    return reverse("admin:plans_plan_change", args=[plan.pk])


def _drop_all(plan: Plan, outcome: str) -> dict[str, Any] | None:
    if not outcome or outcome == Action.LEFT or not plan.counts.get(outcome):
        return None
    number = plan.counts[outcome]
    if sources[plan.source].is_made_again(plan):
        number = droppable(plan, plan.rows.filter(action=outcome)).count()
    return {"value": f"drop_all:{outcome}", "number": number, "label": Action(outcome).label} if number else None


def _notes(plan: Plan, user: Any) -> list[str]:
    """What its maker was told; it may speak of values, so whoever may not read them all is not told."""
    unread = field_rights(user, "view", plan.get_model()).unread
    return [] if unread and plan.created_by_id != user.pk else plan.notes

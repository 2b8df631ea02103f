"""Reviews of access: the campaigns, their items to keep or revoke, and the evidence."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import IntegrityError, models
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.admin.looks import styled
from admin_ext.admin.options import ReadOnlyModelAdmin, explain
from admin_ext.admin.related import link
from admin_ext.admin.screens.explain import address_of, may_explain
from admin_ext.admin.verbs import DayField
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, Door
from admin_ext.granting.models import AccessReview, AccessReviewItem
from admin_ext.granting.people import role_model
from admin_ext.granting.reviewing import EVIDENCE, close_review, decide_item, evidence_rows, open_review
from admin_ext.services import Refused
from admin_ext.transfers.writing import CsvWriter

PAGE = 50
SHOWING = {"waiting": Q(decision=""), "kept": Q(decision="keep"), "revoked": Q(decision="revoke"), "all": Q()}


class OpenForm(forms.Form):
    """What is reviewed, and until when."""

    title = forms.CharField(max_length=200)
    due_on = DayField(label="Due on")
    role: Any = forms.ModelChoiceField(
        queryset=None,
        required=False,
        label="Only people with the role",
        help_text="Empty: everybody whose account is open.",
    )

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data)
        self.fields["role"].queryset = restrict(role_model()._default_manager.order_by("name"), user, "view")


class DecideForm(forms.Form):
    decision = forms.ChoiceField(choices=AccessReviewItem.Decision.choices)
    note = forms.CharField(required=False, max_length=500)


class AccessReviewAdmin(ReadOnlyModelAdmin):
    list_display = ["title", "shown_state", "shown_progress", "due_on", "opened_by", "closed_by", "closed_at"]
    list_select_related = ["opened_by", "closed_by"]
    search_fields = ["title"]
    change_form_template = None

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        decided = Count("items", filter=~Q(items__decision=""))
        return super().get_queryset(request).annotate(items_decided=decided, items_there=Count("items"))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("open/", wrap(self.open_view), name="granting_accessreview_open"),
            path("<int:key>/decide/<int:item>/", wrap(require_POST(self.decide_view)), name="granting_accessreview_decide"),
            path("<int:key>/close/", wrap(require_POST(self.close_view)), name="granting_accessreview_close"),
            path("<int:key>/evidence/", wrap(require_POST(self.evidence_view)), name="granting_accessreview_evidence"),
            *super().get_urls(),
        ]  # fmt: skip

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.filter(title__icontains=search_term) if search_term else queryset), False

    def transfer_buttons(self, request: HttpRequest) -> list[dict[str, str]]:
        if not request.user.has_perm("granting.add_accessreview"):
            return []
        return [{"label": "Open a review", "icon": "add_task", "url": reverse("admin:granting_accessreview_open")}]

    @display(description="state", label={"open": "info", "overdue": "danger", "closed": "success"})
    def shown_state(self, review: AccessReview) -> tuple[str, str]:
        state = "closed" if review.closed_at else "overdue" if review.is_overdue else "open"
        return state, state

    @display(description="decided")
    def shown_progress(self, review: Any) -> str:
        return f"{review.items_decided:,} of {review.items_there:,}"

    # -- a campaign ----------------------------------------------------------------------------------

    def open_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("granting.add_accessreview"):
            raise PermissionDenied
        form = styled(OpenForm(request.POST or None, user=request.user))
        if request.method == "POST" and form.is_valid():
            try:
                with change_set(actor=request.user, door=Door.FORM):
                    review = open_review(actor=request.user, **form.cleaned_data)
            except (Refused, NotPermitted) as error:
                form.add_error(None, explain(error))
            else:
                return HttpResponseRedirect(_page(review.pk))
        context = {
            **self._context(request),
            "title": "Open a review of access",
            "said": "Lists what people hold now, each with its last use as far as the record tells. You decide item by item.",
            "form": form,
            "button": "Open",
            "back": reverse("admin:granting_accessreview_changelist"),
        }
        return TemplateResponse(request, "admin_ext/asked.html", context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        review = self.get_object(request, object_id) if object_id else None
        if review is None:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id or "")
        showing = request.GET.get("show", "waiting" if review.closed_at is None else "all")
        items = review.items.select_related("person", "decided_by").filter(SHOWING.get(showing, Q()))
        page = Paginator(items, PAGE).get_page(request.GET.get("p"))
        _tell(page.object_list, request.user)
        may = review.closed_at is None and can(request.user, "change", review)
        context = {
            **self._context(request),
            "title": str(review),
            "original": review,
            "review": review,
            "page": page,
            "showing": showing,
            "choices": {name: review.items.filter(which).count() for name, which in SHOWING.items()},
            "may_decide": may,
            "may_close": may and not review.items.filter(decision="").exists(),
            "may_export": can(request.user, "export", review),
        }
        return TemplateResponse(request, "admin_ext/access_review.html", context)

    def decide_view(self, request: HttpRequest, key: int, item: int) -> HttpResponse:
        row = AccessReviewItem.objects.select_related("person", "review").filter(pk=item, review=key).first()
        form = DecideForm(request.POST)
        self._review(request, key, "change")
        if row is None or not form.is_valid():
            raise PermissionDenied
        try:
            with change_set(actor=request.user, door=Door.FORM, reason=form.cleaned_data["note"]):
                decide_item(actor=request.user, item=row, **form.cleaned_data)
        except (Refused, NotPermitted, IntegrityError) as error:
            messages.error(request, explain(error))
        return HttpResponseRedirect(f"{_page(key)}?show={request.POST.get('show', 'waiting')}#items")

    def close_view(self, request: HttpRequest, key: int) -> HttpResponse:
        review = self._review(request, key, "change")
        try:
            with change_set(actor=request.user, door=Door.FORM):
                close_review(actor=request.user, review=review)
            messages.success(request, f"“{review}” is closed.")
        except (Refused, NotPermitted) as error:
            messages.error(request, explain(error))
        return HttpResponseRedirect(_page(key))

    def evidence_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Every item and decision as CSV; who took it and its hash are noted first."""
        review = self._review(request, key, "export")
        items = review.items.select_related("person", "decided_by").order_by("pk")
        with tempfile.TemporaryDirectory(prefix="opsadmin-evidence-") as folder:
            file = Path(folder) / "evidence.csv"
            with CsvWriter(file, EVIDENCE) as writer:
                for row in evidence_rows(review, items):
                    writer.write(row)
            content = file.read_bytes()
        name = f"access-review-{review.pk}.csv"
        digest = hashlib.sha256(content).hexdigest()
        note_access(
            Access.EVIDENCE,
            actor=request.user,
            model=review._meta.label,
            object_id=review.pk,
            subject=name,
            detail={"sha256": digest, "rows": items.count(), "closed": review.closed_at},
        )
        response = HttpResponse(content, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["X-Content-SHA256"] = digest
        return response

    def _review(self, request: HttpRequest, key: int, action: str) -> AccessReview:
        """The review, for who sees it and may do `action`; refused alike whether there is none or not."""
        review = restrict(AccessReview.objects.filter(pk=key), request.user, "view").first()
        if review is None or not can(request.user, action, review):
            raise PermissionDenied
        return review

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}


def _page(key: int) -> str:
    return reverse("admin:granting_accessreview_change", args=[key])


def _tell(items: Any, user: Any) -> None:
    """Put onto each item what it is about, as far as the reader may see that; one query for each model."""
    from django.apps import apps

    keys: dict[str, set[int]] = {}
    for item in items:
        if item.object_id is not None:
            keys.setdefault(item.model, set()).add(item.object_id)
    seen: dict[str, dict[int, Any]] = {}
    for label, wanted in keys.items():
        model: Any = apps.get_model(label)
        seen[label] = restrict(model._default_manager.filter(pk__in=wanted), user, "view").in_bulk()
    for item in items:
        item.is_mine = item.person_id == user.pk
        if item.kind == AccessReviewItem.Kind.ROLE:
            item.about = item.role_name
            continue
        model = apps.get_model(item.model)
        row = seen[item.model].get(item.object_id)
        item.about = link(row) if row else f"{model._meta.verbose_name} #{item.object_id}"
        if item.kind == AccessReviewItem.Kind.ROW:
            item.right = item.codename.removesuffix(f"_{model._meta.model_name}").replace("_", " ")
            asked = {"user": item.person_id, "model": item.model, "row": item.object_id, "action": item.right}
            item.explained = address_of(**asked) if may_explain(user) else ""

"""Change sets: who did what, when, why, through which door, to which rows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from admin_ext.access.rights import restrict
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet

SHOWN = 50


class ChangeSetAdmin(ReadOnlyModelAdmin):
    list_display = ["id", "started_at", "actor", "door", "verb", "reason", "rows"]
    list_display_links = ["id", "started_at"]
    list_select_related = ["actor"]
    search_fields = ["verb", "reason"]
    change_form_template = None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term:
            return queryset, False
        return queryset.filter(verb__startswith=search_term) | queryset.filter(reason__icontains=search_term), False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method != "GET":
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
            "tables": _tables(change_set, request.user),
            "jobs": restrict(change_set.jobs.all(), request.user, "view"),
        }
        return TemplateResponse(request, "admin_ext/change_set.html", context)


def _tables(change_set: ChangeSet, user: Any) -> list[dict[str, Any]]:
    """Per model: how many rows were touched, and the first of them that the person may see, each with its history."""
    tables = []
    for model in tracked_models():
        rows = model.history.filter(change_set=change_set)
        total = rows.count()
        if not total:
            continue
        first = list(rows.order_by("history_id")[:SHOWN])
        keys = {row.id for row in first}
        visible = {row.pk: str(row) for row in restrict(model._default_manager.filter(pk__in=keys), user, "view")}
        tables.append(
            {
                "name": str(model._meta.verbose_name_plural).capitalize(),
                "total": total,
                "rows": [
                    {
                        "kind": row.get_history_type_display(),
                        "label": visible[row.id],
                        "changed": ", ".join(row.changed or ()),
                        "url": _history_url(model, row.id),
                    }
                    for row in first
                    if row.id in visible
                ],
                "hidden": total - sum(1 for row in first if row.id in visible),
            }
        )
    return tables


def _history_url(model: Any, key: int) -> str:
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_history", args=[key])
    except NoReverseMatch:
        return ""

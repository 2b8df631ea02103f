"""Edit in grid: a page of a list with its cells open, many of them saved at once."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from admin_ext.access.rights import can, restrict
from admin_ext.admin.grid_cells import Column, columns_for, reference_of
from admin_ext.admin.grid_saving import NotUnderstood, Outcome, cells_of_rows, read_edits, save_grid
from admin_ext.admin.instants import AS_OF
from admin_ext.admin.reasons import reason_context
from admin_ext.admin.screens.undoing import undo_url
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.past import instant_looked_at
from admin_ext.filtering.search import search
from admin_ext.filtering.telling import names, with_related

OFFERED = 20


class GridMixin:
    """For ModelAdmins: `grid/`, where the cells of `grid_fields` are edited in place."""

    model: type[models.Model]
    bulk_edit_fields: tuple[str, ...]
    grid_fields: tuple[str, ...] = ()
    """The columns of the grid, those that are only shown among them; without any, those of `bulk_edit_fields`."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("grid/", wrap(self.grid_view), name=f"{name}_grid"),
            path("grid/choices/", wrap(self.grid_choices_view), name=f"{name}_grid_choices"),
            *super().get_urls(),
        ]

    def grid_columns(self, request: HttpRequest) -> list[Column]:
        """The columns as this person meets them; none where nothing of them may be edited."""
        if not can(request.user, "change", self.model) or not self.has_change_permission(request):
            return []
        columns = columns_for(self.model, self.grid_fields or self.bulk_edit_fields, request.user)
        return columns if any(column.kind for column in columns) else []

    def grid_button(self, request: HttpRequest) -> list[dict[str, str]]:
        """The way from the list, as it is filtered and sorted, to its grid."""
        if instant_looked_at() is not None or not self.grid_columns(request):
            return []
        query = request.GET.urlencode()
        url = self._grid_address() + (f"?{query}" if query else "")
        return [{"label": "Edit in grid", "icon": "table_edit", "url": url}]

    def grid_view(self, request: HttpRequest) -> HttpResponse:
        """Shows the rows of the list's page with their cells open; a POST saves what was typed into them."""
        columns = self.grid_columns(request)
        if not columns:
            raise PermissionDenied
        if request.method == "POST":
            return JsonResponse(self._save_grid(request, columns))
        return self._grid_page(request, columns)

    def grid_choices_view(self, request: HttpRequest) -> JsonResponse:
        """The rows that a reference may name, found by what was typed so far: as far as the person may see them."""
        asked = request.GET.get("field", "")
        columns = self.grid_columns(request)
        if not columns:
            raise PermissionDenied
        column = next((each for each in columns if each.name == asked and each.kind == "reference"), None)
        if column is None:
            return JsonResponse({"found": []})
        related, reference = column.field.related_model, reference_of(column.field, request.user)
        rows = restrict(related._default_manager.all(), request.user, "view")
        term = request.GET.get("term", "").replace("\x00", "")[:200]
        found = list(with_related(search(rows, term, request.user).order_by(reference))[:OFFERED])
        told = names(found, reader=request.user)
        return JsonResponse(
            {"found": [{"value": str(getattr(each, reference)), "text": told[each.pk]} for each in found]}
        )

    def _grid_page(self, request: HttpRequest, columns: list[Column]) -> HttpResponse:
        # An instant in the address is left out: the past is not edited.
        request.GET = request.GET.copy()  # type: ignore[assignment]
        request.GET.pop(AS_OF, None)
        changelist = self.get_changelist_instance(request)
        keys = [row.pk for row in changelist.result_list]
        # Read anew: rows of a list are made for showing, and veiled.
        found = {row.pk: row for row in restrict(self.model._default_manager.filter(pk__in=keys), request.user, "view")}
        rows = [found[key] for key in keys if key in found]
        shown, told = cells_of_rows(self.model, columns, rows, request.user), names(rows, reader=request.user)
        query = request.GET.urlencode()
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        context = {
            **self.admin_site.each_context(request),
            **reason_context(request, self.model, making=False),
            "opts": self.opts,
            "title": f"Edit in grid: {self.opts.verbose_name_plural}",
            "changelist": changelist,
            "record": capfirst(self.opts.verbose_name),
            "columns": columns,
            "about_columns": [column.to_json() for column in columns],
            "rows": [
                {
                    "key": row.pk,
                    "version": row.version,
                    "name": told[row.pk],
                    "url": self._change_url(row),
                    "cells": [(name, cell) for name, cell in shown[row.pk]["cells"].items()],
                }
                for row in rows
            ],
            "back": back + (f"?{query}" if query else ""),
            "choices_url": self._grid_address("_choices"),
        }
        return TemplateResponse(request, "admin_ext/grid.html", context)

    def _save_grid(self, request: HttpRequest, columns: list[Column]) -> dict[str, Any]:
        try:
            edits, reason = read_edits(request.body)
        except NotUnderstood as error:
            return {"saved": 0, "error": str(error)}
        except RequestDataTooBig:
            return {"saved": 0, "error": "That is too much for one save. Nothing was saved; save fewer rows at once."}
        outcome = save_grid(self, request, columns, edits, reason=reason)
        return {
            "saved": outcome.saved,
            "told": self._grid_told(outcome),
            "undo": undo_url(request.user, ChangeSet.objects.filter(pk=outcome.change_set).first())
            if outcome.change_set
            else "",
            "error": outcome.error,
            "reason": outcome.reason,
            "errors": outcome.errors,
            "conflicts": outcome.conflicts,
            "rows": outcome.rows,
        }

    def _grid_told(self, outcome: Outcome) -> str:
        if outcome.is_refused:
            return ""
        if not outcome.saved:
            return "Nothing to save: every cell is as it is on the record."
        return f"{outcome.saved:,} row{'' if outcome.saved == 1 else 's'} changed."

    def _grid_address(self, end: str = "") -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_grid{end}")

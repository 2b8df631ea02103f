"""Revealing: one masked value of one row, shown once to somebody who says why, and noted."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import can
from admin_ext.admin.looks import styled
from admin_ext.admin.values import in_words, names_of
from admin_ext.admin.verbs import ReasonForm
from admin_ext.audit.access_log import NotNoted, note_access
from admin_ext.audit.models import Access


class RevealViewsMixin:
    """For ModelAdmins of records: `<object_id>/reveal/<part>/<key>/<field>/`, of the record itself or one of its parts."""

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<path:object_id>/reveal/<str:part>/<int:key>/<str:field>/",
                self.admin_site.admin_view(self.reveal_view),
                name=f"{self.opts.app_label}_{self.opts.model_name}_reveal",
            ),
            *super().get_urls(),
        ]

    def reveal_view(self, request: HttpRequest, object_id: str, part: str, key: int, field: str) -> HttpResponse:
        """Asks why; shows the value on the page that answers, and nowhere else."""
        record = self.get_object(request, object_id)
        row = self._row_to_reveal(request, record, part, key) if record is not None else None
        # What is hidden is as if it were not there; what is not masked needs no revealing.
        if row is None or field not in field_rights(request.user, "view", type(row)).masked:
            raise Http404
        if not can(request.user, "reveal", row):
            raise PermissionDenied
        column: Any = row._meta.get_field(field)
        form: Any = styled(ReasonForm(request.POST if request.method == "POST" else None))
        shown = None
        if request.method == "POST" and form.is_valid():
            try:
                note_access(
                    Access.REVEAL,
                    actor=request.user,
                    model=row._meta.label,
                    object_id=row.pk,
                    subject=str(column.verbose_name).capitalize(),
                    reason=form.cleaned_data["reason"],
                    detail={"field": field},
                )
            except NotNoted as error:
                form.add_error(None, str(error))
            else:
                value = getattr(row, column.attname)
                shown = in_words(column, value, names_of([(column, value)], request.user)) or "empty"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": record,
            "row": row,
            "label": str(column.verbose_name).capitalize(),
            "title": f"Reveal {column.verbose_name}: {row}",
            "form": form,
            "shown": shown,
            "back": self._change_url(record),
        }
        return TemplateResponse(request, "admin_ext/reveal.html", context)

    def _row_to_reveal(self, request: HttpRequest, record: Any, part: str, key: int) -> Any:
        if part == self.opts.model_name:
            return record if record.pk == key else None
        for inline in self.get_inline_instances(request, record):
            model: Any = inline.model
            if model._meta.model_name == part and getattr(model, "part_of", ""):
                return model._default_manager.filter(pk=key, **{model.part_of: record.pk}).first()
        return None

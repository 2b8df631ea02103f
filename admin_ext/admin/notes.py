"""Notes and files that people leave on a record: read by who may see it, written by who may change it."""

from __future__ import annotations

import contextlib
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from admin_ext.admin.looks import styled
from admin_ext.audit.access_log import note_access
from admin_ext.audit.models import Access
from admin_ext.models import Attachment, Note, Record
from admin_ext.services import add_note, attach_file


class NoteForm(forms.Form):
    text = forms.CharField(widget=forms.Textarea, label="Note")


class FileForm(forms.Form):
    file = forms.FileField(label="File")


class NotesMixin:
    """For ModelAdmins of records: what people left on it, under its form."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/note/", wrap(require_POST(self.note_view)), name=f"{name}_note"),
            path("<path:object_id>/attach/", wrap(require_POST(self.attach_view)), name=f"{name}_attach"),
            path("<path:object_id>/attachment/<int:key>/", wrap(self.attachment_view), name=f"{name}_attachment"),
            *super().get_urls(),
        ]

    def note_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row_to_change(request, object_id)
        form = NoteForm(request.POST)
        if form.is_valid():
            add_note(actor=request.user, record=row, text=form.cleaned_data["text"])
        else:
            messages.error(request, "Write something first.")
        return self._back_to(row)

    def attach_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row_to_change(request, object_id)
        upload = request.FILES.get("file")
        if not upload:
            messages.error(request, "Choose a file first.")
        elif upload.size > settings.UPLOAD_MAX_BYTES:  # type: ignore[operator]
            messages.error(request, f"{upload.name} is too large.")
        else:
            attach_file(actor=request.user, record=row, file=upload, name=upload.name)  # type: ignore[arg-type]
        return self._back_to(row)

    def attachment_view(self, request: HttpRequest, object_id: str, key: int) -> FileResponse:
        row = self.get_object(request, object_id)
        attachment = _on(Attachment, row).filter(pk=key).first() if row else None
        if attachment is None:
            raise Http404
        with contextlib.ExitStack() as closing:
            handle = closing.enter_context(attachment.file.open("rb"))
            note_access(
                Access.DOWNLOAD,
                actor=request.user,
                model=row._meta.label,
                object_id=row.pk,
                subject=attachment.name,
                detail={"attachment": attachment.pk, "sha256": attachment.sha256},
            )
            closing.pop_all()  # it is closed when it was sent
        response = FileResponse(
            handle,
            as_attachment=True,
            filename=attachment.name,
            content_type="application/octet-stream",
        )
        response["Content-Security-Policy"] = "sandbox"
        return response

    def notes_context(self, request: HttpRequest, row: models.Model | None) -> dict[str, Any]:
        """What the form's page shows below the form."""
        if row is None or not isinstance(row, Record):
            return {}
        return {
            "notes": _on(Note, row).select_related("author")[:50],
            "attachments": _on(Attachment, row).select_related("author")[:50],
            "note_form": styled(NoteForm()),
            "file_form": styled(FileForm()),
            "may_note": self.has_change_permission(request, row),
        }

    def _row_to_change(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, object_id)
        if row is None or not isinstance(row, Record):
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def _back_to(self, row: models.Model) -> HttpResponse:
        return HttpResponseRedirect(self._change_url(row) + "#notes")


def _on(kind: Any, row: models.Model) -> models.QuerySet:
    return kind.objects.filter(content_type=ContentType.objects.get_for_model(row), object_id=row.pk)

"""Roles and scopes as a file: fetched, compared with what there is, and applied after a look at every line of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.rights import NotPermitted, can
from admin_ext.admin.looks import styled
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, Door
from admin_ext.granting.comparing import Comparison
from admin_ext.granting.files import LARGEST, FileNotUnderstood, read_roles, write_roles
from admin_ext.services import Refused, told_why

NAME = "roles.yaml"


class RoleFileForm(forms.Form):
    """A file, or its text; and why, before it is applied."""

    file = forms.FileField(required=False, help_text="As it was fetched here, or written by hand.")
    text = forms.CharField(widget=forms.Textarea, required=False, strip=False, label="Or its text")
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="Kept on the record. Needed to apply it.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if file := cleaned.get("file"):
            if file.size > LARGEST:
                raise forms.ValidationError(f"A file of roles has at most {LARGEST:,} bytes.")
            try:
                cleaned["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "This is no text in UTF-8.")
        elif not cleaned.get("text"):
            self.add_error("file", "Choose a file, or write its text below.")
        return cleaned


class RoleFileViewsMixin:
    """For the ModelAdmin of roles: `file/` to compare and apply one, `file/fetch/` to take one away."""

    def get_urls(self) -> list[URLPattern]:
        name, wrap = f"{self.opts.app_label}_{self.opts.model_name}", self.admin_site.admin_view
        return [
            path("file/", wrap(self.file_view), name=f"{name}_file"),
            path("file/fetch/", wrap(self.file_fetch_view), name=f"{name}_file_fetch"),
            *super().get_urls(),
        ]

    def transfer_buttons(self, request: HttpRequest) -> list[dict[str, Any]]:
        buttons = super().transfer_buttons(request)
        if can(request.user, "grant", self.model):
            buttons.append({"label": "Roles as a file", "icon": "rule_settings", "url": self._file_url("file")})
        return buttons

    def file_fetch_view(self, request: HttpRequest) -> HttpResponse:
        """Every role and who holds it where, as far as the person may see it. It is in the ledger of reads."""
        if request.method != "GET" or not can(request.user, "grant", self.model):
            raise PermissionDenied
        note_access(Access.EXPORT, actor=request.user, model=self.model._meta.label, subject=NAME)
        response = HttpResponse(write_roles(seen_by=request.user), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="{NAME}"'
        return response

    def file_view(self, request: HttpRequest) -> HttpResponse:
        """What a file would change, line by line; then, with a reason, it is done."""
        if not can(request.user, "grant", self.model):
            raise PermissionDenied
        form: Any = RoleFileForm(request.POST or None, request.FILES or None)
        page: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            text, reason = form.cleaned_data["text"], form.cleaned_data["reason"]
            page["shown"] = True
            try:
                comparison = Comparison(read_roles(text), actor=request.user)
                page["steps"] = comparison.steps
                if "_apply" in request.POST:
                    self._apply(request, comparison, reason)
                    return HttpResponseRedirect(self._file_url("changelist"))
            except FileNotUnderstood as error:
                page["problems"] = error.problems
            except (Refused, NotPermitted) as error:
                form.add_error("reason" if not reason else None, str(error))
            # What was sent as a file goes on as text.
            form.data = {**request.POST.dict(), "text": text}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Roles as a file",
            "form": styled(form),
            "fetch": self._file_url("file_fetch"),
            "back": self._file_url("changelist"),
            **page,
        }
        return TemplateResponse(request, "admin_ext/role_file.html", context)

    def _apply(self, request: HttpRequest, comparison: Comparison, reason: str) -> None:
        verb = f"{self.opts.app_label}.import_roles"
        with told_why(), change_set(actor=request.user, door=Door.IMPORT, verb=verb, reason=reason):
            steps = comparison.apply(reason=reason)
        messages.success(request, f"Done: {len(steps):,} changes." if steps else "Nothing was to be changed.")

    def _file_url(self, name: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}")

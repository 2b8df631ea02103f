"""Paste a list: references from a mail or a sheet become a selection, and what they do not name is told."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.admin.changelist import PASTED
from admin_ext.admin.kept_selections import keep
from admin_ext.admin.looks import styled
from admin_ext.filtering.pasting import TooManyReferences, match_references, references_of
from admin_ext.filtering.selection import Selection

TOLD = 500


class PasteForm(forms.Form):
    """The list."""

    references = forms.CharField(
        widget=forms.Textarea,
        label="References",
        max_length=1_000_000,
        help_text="One on each line, or with commas, semicolons or tabs between them.",
    )


class PasteViewsMixin:
    """For ModelAdmins whose rows have a reference: `paste/`."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_paste"
        return [path("paste/", self.admin_site.admin_view(self.paste_view), name=name), *super().get_urls()]

    def has_references(self, request: HttpRequest) -> bool:
        """Can rows be named by what a person pastes?"""
        return self.get_filterset_class() is not None and bool(references_of(self.model, request.user))

    def paste_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for a list, and says what it came to; nothing is done to the rows here."""
        if not self.has_view_permission(request) or not self.has_references(request):
            raise PermissionDenied
        form = PasteForm(request.POST or None)
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        context: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            try:
                pasted = match_references(self.model, form.cleaned_data["references"], actor=request.user)
            except TooManyReferences as error:
                form.add_error("references", str(error))
            else:
                if pasted.keys:
                    token = keep(request, Selection.picked(self.model, pasted.keys))
                    context["list"] = f"{address}?{PASTED}={token}"
                context |= {"pasted": pasted, "told": TOLD}
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Paste a list of {self.opts.verbose_name_plural}",
            "form": styled(form),
            "names": [str(self.opts.get_field(name).verbose_name) for name in references_of(self.model, request.user)],
            "back": address,
        }
        return TemplateResponse(request, "admin_ext/paste.html", context)

"""Export from a list: what the list shows, in a format that the person chooses, handed in as a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.rights import NotPermitted
from admin_ext.admin.chosen_columns import chosen_columns
from admin_ext.admin.instants import address_of_now
from admin_ext.admin.looks import styled
from admin_ext.filtering.instants import InstantNotUsable
from admin_ext.transfers.definitions import DefinitionNotUsable, save_definition
from admin_ext.transfers.export_columns import UnknownColumn, label_of, offered_columns, related_columns
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.formats import FORMATS, PACKINGS, FormatNotKnown
from admin_ext.transfers.resources import has_resource, resource_for


class ExportForm(forms.Form):
    """Format and columns of a file."""

    format = forms.ChoiceField(
        choices=[(each.name, each.label) for each in FORMATS.values()], initial="csv", label="Format"
    )
    packing = forms.ChoiceField(choices=list(PACKINGS.items()), required=False, label="Packed as")
    columns = forms.MultipleChoiceField(label="Columns", widget=forms.CheckboxSelectMultiple)
    related = forms.MultipleChoiceField(
        label="Columns of related records",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Where a related record is not yours to see, the file says so in its place.",
    )

    headers = forms.CharField(
        required=False,
        label="Other names in the file",
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One on each line: the column, an equals sign, its name in the file. Example: customer = Buyer",
    )
    definition = forms.CharField(
        required=False,
        max_length=100,
        label="Keep it as an export definition",
        help_text="A name of small letters, digits and hyphens; to be used again, shared and scheduled.",
    )

    def __init__(
        self, *args: Any, model: type[models.Model], user: Any, shown: Sequence[str] = (), **kwargs: Any
    ) -> None:
        """`shown` are the columns that the list shows: they come first, and are ticked as far as a file has them."""
        super().__init__(*args, **kwargs)
        resource = resource_for(model._meta.label)
        own, related = offered_columns(resource, user), related_columns(resource, user)
        fields: dict[str, Any] = self.fields
        first = [name for name in shown if name in own]
        ordered = [*first, *(name for name in own if name not in first)]
        fields["columns"].choices = [(name, label_of(model, name)) for name in ordered]
        fields["columns"].initial = first or own
        fields["related"].choices = [(name, label_of(model, name)) for name in related]
        fields["related"].initial = [name for name in shown if name in related]
        if not related:
            del fields["related"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = FORMATS.get(cleaned.get("format", ""))
        if cleaned.get("packing") and chosen and chosen.is_workbook:
            self.add_error("packing", "A workbook is packed by itself.")
        return cleaned

    def clean_headers(self) -> dict[str, str]:
        fields: dict[str, Any] = self.fields
        offered = [*fields["columns"].choices, *getattr(fields.get("related"), "choices", ())]
        known = {str(called).casefold(): str(name) for name, label in offered for called in (name, label)}
        found = {}
        for line in self.cleaned_data["headers"].splitlines():
            column, equals, header = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not header or column.casefold() not in known:
                raise forms.ValidationError(f"“{line.strip()[:80]}”: write a column, an equals sign and its name.")
            found[known[column.casefold()]] = header
        return found

    @property
    def chosen(self) -> list[str]:
        """The columns that are ticked, of related records last."""
        return [*self.cleaned_data["columns"], *self.cleaned_data.get("related", ())]


class ExportViewsMixin:
    """For ModelAdmins whose model has a resource: `export/`."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Shows what would be exported of the list as it is filtered, and hands in the job."""
        if not has_resource(self.model) or not self.has_export_permission(request):
            raise PermissionDenied
        try:
            selection = self.selection_of(request)
        except InstantNotUsable as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(address_of_now(request))
        shown = [name for name, _ in chosen_columns(request)]
        form = ExportForm(request.POST or None, model=self.model, user=request.user, shown=shown)
        if request.method == "POST" and form.is_valid():
            asked = {
                "actor": request.user,
                "selection": selection,
                "format": form.cleaned_data["format"],
                "packing": form.cleaned_data["packing"],
                "columns": form.chosen,
                "headers": form.cleaned_data["headers"],
            }
            try:
                if name := form.cleaned_data["definition"]:
                    save_definition(name=name, **asked)
                job = submit_export(**asked)
            except DefinitionNotUsable as refusal:
                form.add_error("definition", str(refusal))
            except (NotPermitted, UnknownColumn, FormatNotKnown) as error:
                form.add_error(None, str(error))
            else:
                if name:
                    messages.success(request, f"The export definition “{name}” was kept.")
                messages.success(request, "The export is being written. You will find the file here.")
                return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Export {self.opts.verbose_name_plural}: {selection.describe()}",
            "form": styled(form),
            "button": "Export",
            "icon": "download",
            "back": self._url("changelist"),
        }
        return TemplateResponse(request, "admin_ext/export.html", context)

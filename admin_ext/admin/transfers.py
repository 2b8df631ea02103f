"""Import and export from a list: the web stores what was sent and hands in a job; a worker does the rest."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.admin.changelist import NO_FILTERS
from admin_ext.admin.exporting import ExportViewsMixin
from admin_ext.admin.instants import asked_instant
from admin_ext.admin.looks import styled
from admin_ext.admin.mapping import MappingViewsMixin
from admin_ext.admin.pasting import PasteViewsMixin
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.services import store_file
from admin_ext.transfers.again import applied_before
from admin_ext.transfers.importing import ColumnNotYours, import_kept_file
from admin_ext.transfers.mapping import MappingNotUsable
from admin_ext.transfers.models import Profile
from admin_ext.transfers.resources import has_resource


class ImportForm(forms.Form):
    """A file and how to read it."""

    file = forms.FileField(label="File", help_text="CSV, TSV, XLSX, XLS, XLSB or ODS. It is read by a worker.")
    profile = forms.ModelChoiceField(
        queryset=Profile.objects.none(),
        required=False,
        label="Import profile",
        empty_label="None: show me its columns first",
        to_field_name="name",
        help_text="How the columns of the file become fields.",
    )

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        if upload.size > settings.UPLOAD_MAX_BYTES:
            most = settings.UPLOAD_MAX_BYTES // 1024 // 1024
            raise ValidationError(f"The file has {upload.size // 1024 // 1024:,} MB; at most {most:,} MB are taken.")
        return upload


class TransferViewsMixin(ExportViewsMixin, MappingViewsMixin, PasteViewsMixin):
    """For ModelAdmins whose model has a resource: `import/`, and `export/`."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name=f"{name}_import"),
            *super().get_urls(),
        ]

    def transfer_buttons(self, request: HttpRequest) -> list[dict[str, str]]:
        """What the list offers."""
        buttons = []
        if self.has_references(request):
            buttons.append({"label": "Paste a list", "icon": "content_paste", "url": self._url("paste"), "seldom": "1"})
        if not has_resource(self.model):
            return buttons
        if self.has_import_permission(request):
            buttons.append({"label": "Import", "icon": "upload", "url": self._url("import")})
        if self.has_export_permission(request):
            query = request.GET.urlencode()
            url = self._url("export") + (f"?{query}" if query else "")
            buttons.append({"label": "Export", "icon": "download", "url": url})
        return buttons

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Takes a file and hands it to a worker, which makes a plan of it."""
        if not has_resource(self.model) or not self.has_import_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        profiles = restrict(Profile.objects.all(), request.user, "view")
        form.fields["profile"].queryset = profiles.filter(resource__in=self._labels())
        if request.method == "POST" and form.is_valid():
            upload, profile = form.cleaned_data["file"], form.cleaned_data["profile"]
            try:
                return self._take(request, upload, profile)
            except (NotPermitted, MappingNotUsable) as error:
                form.add_error(None, str(error))
        title = f"Import {self.opts.verbose_name_plural}"
        return self._form_page(request, form, title, "Read the file", "upload")

    def _take(self, request: HttpRequest, upload: Any, profile: Profile | None) -> HttpResponse:
        """Keep the file first. A profile leads to the plan, unless the very file was applied before: then it is asked."""
        actor: Any = request.user
        file = store_file(actor=actor, source=upload, name=upload.name, kind=JobFile.Kind.INPUT)
        if profile is None:
            return self.look_at_file(request, file, resource=self.opts.label)
        named = {"resource": profile.resource, "mapping": profile.mapping}
        if applied_before(actor=actor, sha256=file.sha256, model=profile.resource):
            return self.look_at_file(request, file, profile=profile.name, **named)
        try:
            plan = import_kept_file(actor=actor, file=file, profile=profile, **named)
        except (MappingNotUsable, ColumnNotYours) as error:
            messages.error(request, str(error))
            return self.look_at_file(request, file, **named)
        return HttpResponseRedirect(reverse("admin:plans_plan_change", args=[plan.pk]))

    def selection_of(self, request: HttpRequest) -> Selection:
        """The list as its address says: filters and search, in its order, in its time. Raises InstantNotUsable."""
        self.fill_in(request)
        instant = asked_instant(request)
        changelist = self.get_changelist_instance(request)
        filters, search = self.filters_of(request)
        ordering = changelist.get_ordering(request, changelist.root_queryset)
        return Selection(
            model=self.opts.label,
            keys=changelist.pasted,
            filters=filters,
            search=search,
            as_of=instant.isoformat() if instant else "",
            ordering=[each for each in ordering if isinstance(each, str) and each not in ("pk", "-pk")],
        )

    def filters_of(self, request: HttpRequest) -> tuple[dict[str, list[str]], str]:
        """The filters of the list's address, and what is searched for."""
        self.fill_in(request)
        filters = {name: values for name, values in request.GET.lists() if name not in NO_FILTERS}
        return filters, request.GET.get("q", "")

    def _labels(self) -> list[str]:
        """What a file may fill from here: the list's own model, and the parts of its records."""
        parts = [
            relation.related_model
            for relation in self.opts.related_objects
            if getattr(relation.related_model, "part_of", "") == relation.field.name
        ]
        return [model._meta.label for model in (self.model, *parts) if has_resource(model)]

    def _form_page(self, request: HttpRequest, form: forms.Form, title: str, button: str, icon: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": styled(form),
            "button": button,
            "icon": icon,
            "back": self._url("changelist"),
        }
        return TemplateResponse(request, "admin_ext/form_page.html", context)

    def _url(self, name: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}")

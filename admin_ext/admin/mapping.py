"""The mapping screen: what was found in a file, where each field comes from, and its first rows as they would come.

The file is kept and every look at it is a job, so that nothing is lost over a mistake, and going back is going back.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES, TEXTAREA_CLASSES

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.admin.mapping_form import (
    CASES,
    CONSTANT,
    DELIMITERS,
    ENCODINGS,
    NUMBERS,
    TRIMS,
    FormNotUnderstood,
    posted_mapping,
    posted_reading,
    shown_fields,
)
from admin_ext.admin.plan_rows import COLOURS
from admin_ext.jobs.models import Job, JobFile
from admin_ext.plans.models import Action
from admin_ext.plans.rows import told_errors
from admin_ext.services import Refused
from admin_ext.transfers.again import applied_before, told_again
from admin_ext.transfers.importing import import_kept_file
from admin_ext.transfers.mapping import MappingNotUsable
from admin_ext.transfers.models import Profile
from admin_ext.transfers.previewing import KIND, submit_preview
from admin_ext.transfers.profiles import save_profile
from admin_ext.transfers.reading import OptionNotUsable, ReadOptions
from admin_ext.transfers.resources import resource_for


class MappingViewsMixin:
    """For ModelAdmins whose model has a resource: `import/<job>/`, a look at a file that was brought."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_import_map"
        return [
            path("import/<int:job>/", self.admin_site.admin_view(self.mapping_view), name=name),
            *super().get_urls(),
        ]

    def mapping_view(self, request: HttpRequest, job: int) -> HttpResponse:
        """Shows what a look at a file found; takes a changed mapping to the next look, to a profile, or to the plan."""
        look = Job.objects.filter(pk=job, kind=KIND, requested_by=request.user).first()
        if look is None or look.arguments["resource"] not in self._labels():
            raise Http404
        if not self.has_import_permission(request):
            raise PermissionDenied
        seen = look.cursor.get("seen")
        if request.method == "POST" and seen:
            try:
                return self._go_on(request, look, seen)
            except (FormNotUnderstood, MappingNotUsable, OptionNotUsable, NotPermitted, Refused) as error:
                messages.error(request, str(error))
        return TemplateResponse(request, "admin_ext/mapping.html", self._mapping_context(request, look, seen))

    def look_at_file(self, request: HttpRequest, file: JobFile, **arguments: Any) -> HttpResponse:
        """Have a file looked at, and go to where that is shown."""
        look = submit_preview(actor=request.user, file=file, **arguments)
        return HttpResponseRedirect(self._look_url(look))

    def _go_on(self, request: HttpRequest, look: Job, seen: dict[str, Any]) -> HttpResponse:
        file = JobFile.objects.get(pk=look.arguments["file"])
        resource, profile = resource_for(look.arguments["resource"]), look.arguments["profile"]
        label = resource.get_model()._meta.label
        asked = request.POST.get("do", "preview")
        if asked == "reread" or "header" not in seen:
            read = posted_reading(request.POST)
            ReadOptions.from_json(read)
            return self.look_at_file(request, file, resource=label, mapping={"read": read}, profile=profile)
        mapping = posted_mapping(request.POST, seen["mapping"], seen["header"], resource)
        if asked == "read":
            plan = import_kept_file(
                actor=request.user,
                file=file,
                resource=label,
                mapping=mapping,
                profile=self._unchanged_profile(request, profile, mapping),
            )
            return HttpResponseRedirect(reverse("admin:plans_plan_change", args=[plan.pk]))
        if asked == "save":
            saved = save_profile(
                actor=request.user,
                name=request.POST.get("profile_name", "").strip(),
                title=request.POST.get("profile_title", "").strip(),
                resource=label,
                mapping=mapping,
            )
            messages.success(request, f"Saved as the import profile {saved}, version {saved.version}.")
            profile = saved.name
        return self.look_at_file(request, file, resource=label, mapping=mapping, profile=profile)

    def _unchanged_profile(self, request: HttpRequest, name: str, mapping: dict[str, Any]) -> Profile | None:
        """The profile that a mapping is, as long as nothing of it was changed on the screen."""
        profile = restrict(Profile.objects.filter(name=name), request.user, "view").first() if name else None
        if profile is None:
            return None
        resource = resource_for(profile.resource)
        told = ("columns", "ignore", "read")
        is_same = all((profile.mapping.get(each) or None) == (mapping.get(each) or None) for each in told)
        return profile if is_same and (profile.mapping.get("key") or list(resource.key())) == mapping["key"] else None

    def _mapping_context(self, request: HttpRequest, look: Job, seen: dict[str, Any] | None) -> dict[str, Any]:
        file = JobFile.objects.get(pk=look.arguments["file"])
        resource = resource_for(look.arguments["resource"])
        model = resource.get_model()
        before = applied_before(actor=request.user, sha256=file.sha256, model=model._meta.label)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Map {file.name} to {model._meta.verbose_name_plural}",
            "file": file,
            "job": look,
            "seen": seen,
            "again": told_again(before) if before else "",
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_import"),
            "input_classes": " ".join(INPUT_CLASSES),
            "select_classes": " ".join([*SELECT_CLASSES, "ops-select"]),
            "textarea_classes": " ".join(TEXTAREA_CLASSES),
            "profile": look.arguments["profile"],
        }
        if not seen:
            return context
        read, found = seen["mapping"].get("read") or {}, seen.get("detected", {})
        context |= {
            "read": read,
            "detected": found,
            "encodings": ENCODINGS,
            "delimiters": [
                ("tab" if mark == "\t" else mark, told, read.get("delimiter") == mark) for mark, told in DELIMITERS
            ],
            "found_delimiter": dict(DELIMITERS).get(found.get("delimiter"), found.get("delimiter") or "nothing"),
        }
        if "header" in seen:
            context |= {
                "fields": shown_fields(resource, seen, request.user),
                "constant": CONSTANT,
                "cases": CASES,
                "trims": TRIMS,
                "numbers": list(NUMBERS),
                "columns": [each for each in seen["header"] if each],
                "ignored": seen["mapping"]["ignore"],
                "unmapped": [*seen["left_out"], *seen["mapping"]["ignore"]],
                "preview": _preview(seen, model, request.user),
                "mapped": [
                    str(model._meta.get_field(name).verbose_name).capitalize() for name in seen["mapping"]["columns"]
                ],
            }
        return context

    def _look_url(self, look: Job) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_import_map", args=[look.pk])


def _preview(seen: dict[str, Any], model: Any, user: Any) -> list[dict[str, Any]]:
    """The first rows as they would come, with what is wrong with them."""
    return [
        {
            "number": row["number"],
            "line": row["line"],
            "label": Action(row["action"]).label,
            "colour": COLOURS[row["action"]],
            "errors": told_errors(row["errors"], model, user),
            "values": [row["values"].get(name, "") for name in seen["mapping"]["columns"]],
        }
        for row in seen["rows"]
    ]

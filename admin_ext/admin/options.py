"""`ModelAdmin`: where unfold's looks, our rights, the record, filters and verbs meet.

It replaces what cannot be made safe by wrapping: simple-history's, import-export's and guardian's own views are not
mounted anywhere.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models
from django.db.models import ProtectedError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin as UnfoldModelAdmin

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, check_inside
from admin_ext.admin.bulk import BulkViewsMixin
from admin_ext.admin.changes import ChangesViewMixin
from admin_ext.admin.columns import ColumnRightsMixin
from admin_ext.admin.comparing import CompareViewMixin
from admin_ext.admin.deleting import deleted_objects
from admin_ext.admin.documents import DocumentsMixin
from admin_ext.admin.entries import EntriesViewMixin
from admin_ext.admin.forms import RecordForm
from admin_ext.admin.grid import GridMixin
from admin_ext.admin.inline_pages import asked_pages
from admin_ext.admin.lists import ListMixin
from admin_ext.admin.notes import NotesMixin
from admin_ext.admin.past import PastMixin, in_its_time
from admin_ext.admin.presence import PresenceMixin
from admin_ext.admin.queues import QueueMixin
from admin_ext.admin.reasons import posted_reason, reason_context, refuse_silence
from admin_ext.admin.related import RelatedList, hide_related, shown
from admin_ext.admin.revealing import RevealViewsMixin
from admin_ext.admin.reverting import RevertViewsMixin
from admin_ext.admin.rights import RightsMixin
from admin_ext.admin.screens.explain import access_buttons
from admin_ext.admin.screens.refusals import told_missing
from admin_ext.admin.transfers import TransferViewsMixin
from admin_ext.admin.verbs import Verb
from admin_ext.audit.access_log import note_view
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.desk.lives import life_of
from admin_ext.models import Record
from admin_ext.services import ReasonMissing, Refused, told_why


class ModelAdmin(
    PastMixin,
    ListMixin,
    RevertViewsMixin,
    RevealViewsMixin,
    ChangesViewMixin,
    CompareViewMixin,
    GridMixin,
    BulkViewsMixin,
    TransferViewsMixin,
    EntriesViewMixin,
    DocumentsMixin,
    NotesMixin,
    PresenceMixin,
    QueueMixin,
    ColumnRightsMixin,
    RightsMixin,
    UnfoldModelAdmin,
):
    """The admin of a record."""

    form = RecordForm
    verbs: ClassVar[tuple[Verb, ...]] = ()
    related_lists: ClassVar[tuple[RelatedList, ...]] = ()
    add_fieldsets: ClassVar[list[Any]] = []
    in_palette: ClassVar[bool] = True
    """Whether the command palette looks for its rows."""

    warn_unsaved_form = True
    save_as = False
    change_form_template: str | None = "admin_ext/change_form.html"
    delete_confirmation_template: str | None = "admin_ext/delete_confirmation.html"

    # -- addresses ---------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        do = path("<path:object_id>/do/<str:verb>/", self.admin_site.admin_view(self.verb_view), name=f"{name}_do")
        return [do, *super().get_urls()]

    # -- forms -------------------------------------------------------------------------------------

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [name for name in super().get_fields(request, obj) if name != "record_version"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        declared = self.add_fieldsets if obj is None and self.add_fieldsets else super().get_fieldsets(request, obj)
        return self.allowed_fieldsets(request, obj, declared)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        controlled = tuple(getattr(self.model, "controlled_fields", ()))
        settled = tuple(obj.settled_fields()) if isinstance(obj, Record) else ()
        unread = field_rights(request.user, "view", self.model).unread
        shown = [name for name in (*controlled, *settled) if name not in unread]
        return (*super().get_readonly_fields(request, obj), *shown)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[RecordForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.late_error = getattr(request, "_opsadmin_late_error", "")
        self.bind_rights(form, request, new=obj is None)
        return form

    @in_its_time
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if object_id and "_saveasnew" not in request.POST else None
        extra = {
            **(extra_context or {}),
            "verb_buttons": self._verb_buttons(request, row),
            "way_buttons": self._way_buttons(request, row),
            **self.notes_context(request, row),
            **(self.presence_context(request, row) if row is not None else {}),
            **self.queue_context(request, row),
            **reason_context(request, self.model, *(each.model for each in self.inlines), making=row is None),
        }
        if request.method != "POST":
            if row is not None:
                note_view(row, actor=request.user, page="record")
            return super().changeform_view(request, object_id, form_url, extra)
        verb = f"{self.opts.app_label}.{'change' if row else 'add'}_{self.opts.model_name}"
        try:
            with told_why(), change_set(actor=request.user, door=Door.FORM, verb=verb, reason=posted_reason(request)):
                return super().changeform_view(request, object_id, form_url, extra)
        except (NotPermitted, Refused, IntegrityError, ProtectedError) as error:
            # Everything is rolled back. Show the form again, with what was typed and why it was refused.
            request._opsadmin_late_error = explain(error)
            extra["reason_errors"] = [str(error)] if isinstance(error, ReasonMissing) else []
            return super().changeform_view(request, object_id, form_url, extra)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        # Everything is saved by now; what is left is to show it, without a name that the person may not know.
        if row := context.get("original"):
            hide_related([row], request.user, loaded=False)
            if context.get("subtitle"):
                context["subtitle"] = str(row)
        for formset in context["inline_admin_formsets"]:
            hide_related([f.instance for f in formset.formset.initial_forms], request.user, loaded=False)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        refuse_silence()
        if isinstance(form.instance, Record):
            check_inside(request.user, self.model, [form.instance.pk], "change" if change else "add")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        silent = "Nothing was deleted: say why." if "silent" in request.GET else ""
        extra = {**(extra_context or {}), **reason_context(request, self.model, making=True, error=silent)}
        if request.method != "POST":
            return super().delete_view(request, object_id, extra)
        verb = f"{self.opts.app_label}.delete_{self.opts.model_name}"
        try:
            with told_why(), change_set(actor=request.user, door=Door.FORM, verb=verb, reason=posted_reason(request)):
                return super().delete_view(request, object_id, extra)
        except ReasonMissing:
            return HttpResponseRedirect(f"{request.path}?silent=1")
        except (NotPermitted, Refused, IntegrityError, ProtectedError) as error:
            messages.error(request, explain(error))
            return HttpResponseRedirect(request.path)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        refuse_silence()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        """Names what goes with a deletion as far as the person may see it, and counts the rest."""
        # From here on they are named and deleted, never saved.
        hide_related(objs, request.user, loaded=False)
        return deleted_objects(objs, request, self.admin_site)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().response_add(request, shown(obj, request.user), *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        response = super().response_change(request, shown(obj, request.user))
        pages = asked_pages(request)
        if pages and "_continue" in request.POST and isinstance(response, HttpResponseRedirect):
            # Who saves a page of lines and goes on stays on that page.
            return HttpResponseRedirect(f"{response.url}{'&' if '?' in response.url else '?'}{pages}")
        return response

    # -- verbs -------------------------------------------------------------------------------------

    def verb_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Asks for what a verb needs, and calls its service."""
        chosen = next((each for each in self.verbs if each.name == verb), None)
        row = self.get_object(request, object_id)
        if chosen is None or row is None:
            raise Http404
        if not chosen.is_offered(request.user, row):
            raise PermissionDenied
        form = chosen.make_form(request.POST if request.method == "POST" else None, user=request.user, row=row)
        if request.method == "POST" and form.is_valid():
            try:
                reason = form.cleaned_data.get("reason", "")
                with told_why(), change_set(actor=request.user, door=Door.FORM, reason=reason):
                    chosen.call(actor=request.user, row=row, **form.cleaned_data)
            except (Refused, NotPermitted, IntegrityError, ValidationError) as error:
                silent = isinstance(error, ReasonMissing) and "reason" in form.fields
                form.add_error("reason" if silent else None, explain(error))
            else:
                messages.success(request, format_html("{}: {}.", chosen.label, shown(row, request.user)))
                return HttpResponseRedirect(self._change_url(row))
        told = shown(row, request.user)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": told,
            "title": f"{chosen.label}: {told}",
            "verb": chosen,
            "form": form,
            "back": self._change_url(row),
        }
        return TemplateResponse(request, "admin_ext/verb.html", context)

    def _verb_buttons(self, request: HttpRequest, row: models.Model | None) -> list[dict[str, Any]]:
        if row is None:
            return []
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_do"
        return [
            {
                "label": verb.label,
                "icon": verb.icon,
                "danger": verb.danger,
                "url": reverse(name, args=[row.pk, verb.name]),
            }
            for verb in self.verbs
            if verb.is_offered(request.user, row)
        ]

    def _way_buttons(self, request: HttpRequest, row: models.Model | None) -> list[dict[str, Any]]:
        if row is None:
            return []
        lists = [each.button(request, row, self.admin_site) for each in self.related_lists]
        ways = [*self.document_buttons(row), *(each for each in lists if each)]
        return [*ways, *self.entries_buttons(request, row), *access_buttons(request, row)]

    def _change_url(self, row: models.Model) -> str:
        return reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    # -- the record --------------------------------------------------------------------------------

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not hasattr(self.model, "history"):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        note_view(row, actor=request.user, page="history")
        choices = history_fields(self.model, request.user)
        field = request.GET.get("field", "")
        column = self.opts.get_field(field).column if field in dict(choices) else ""
        entries, more = life_of(
            self.model, row.pk, user=request.user, before=request.GET.get("before", ""), field=column
        )
        self.offer_reverts(request, row, entries)
        told = shown(row, request.user)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": told,
            "object": told,
            "title": f"History: {told}",
            "entries": entries,
            "past": self.past_of(request, row),
            "more": more,
            "field": field if column else "",
            "field_choices": choices,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin_ext/history.html", context)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        return told_missing(request, super()._get_obj_does_not_exist_redirect(request, opts, object_id))

    # Change sets take the place of Django's log.
    def log_addition(self, *args: Any, **kwargs: Any) -> None:
        pass

    def log_change(self, *args: Any, **kwargs: Any) -> None:
        pass

    def log_deletions(self, *args: Any, **kwargs: Any) -> None:
        pass


class ReadOnlyModelAdmin(ModelAdmin):
    """The admin of rows that people read and only the platform writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def history_fields(model: type[models.Model], user: Any) -> list[tuple[str, str]]:
    """The fields of a record whose changes can be asked for, by name and label: those that the person may read."""
    readable = field_rights(user, "view", model).readable
    return [
        (field.name, str(field.verbose_name).capitalize())
        for field in model._meta.fields
        if field.name in readable and not field.primary_key and field.name not in FOLLOWING_COLUMNS
    ]


def explain(error: Exception) -> str:
    """What a person is told when a save was refused."""
    if isinstance(error, NotPermitted | Refused):
        return str(error)
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, ProtectedError):
        return "Other records still refer to it, so it cannot be deleted."
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
    said = constraint.replace("_", " ") or "a rule of the database"
    return f"Nothing was saved, because it would break a rule: {said}."

"""Bulk actions: a selection and a verb, or new values, become a plan that is reviewed before anything happens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import helpers
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import can
from admin_ext.admin.changelist import styled
from admin_ext.admin.choices import is_key
from admin_ext.admin.related import shown
from admin_ext.admin.verbs import Verb
from admin_ext.audit.reasons import asks_reason
from admin_ext.filtering.selection import Selection
from admin_ext.plans.making import submit_plan

EDIT = "edit"
SALT = "opsadmin.selection"


class EditForm(forms.Form):
    """One column and what becomes of it."""

    OPERATIONS = (
        ("set", "Set to"),
        ("clear", "Clear"),
        ("percent", "Change by percent"),
        ("amount", "Change by amount"),
    )

    field = forms.ChoiceField(label="Column")
    operation = forms.ChoiceField(choices=OPERATIONS, label="What to do")
    value = forms.CharField(required=False, label="Value", help_text="E.g. 4 for plus four percent, -4 for minus four.")
    reason = forms.CharField(widget=forms.Textarea, required=False, label="Reason")

    def __init__(self, model: type[models.Model], names: list[str], *args: Any) -> None:
        super().__init__(*args)
        self.model = model
        self.fields["field"].choices = [(n, str(model._meta.get_field(n).verbose_name).capitalize()) for n in names]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        name, operation, value = cleaned.get("field"), cleaned.get("operation"), cleaned.get("value", "")
        if not name:
            return cleaned
        field = self.model._meta.get_field(name)
        if asks_reason(self.model, {name}) and not cleaned.get("reason"):
            self.add_error("reason", f"A change of {field.verbose_name} asks for a reason. Say why.")
        if operation in ("percent", "amount"):
            if not isinstance(field, models.DecimalField | models.IntegerField):
                self.add_error("operation", "That needs a column of numbers.")
            try:
                forms.DecimalField(max_digits=20).clean(value)
            except forms.ValidationError:
                self.add_error("value", "Write a number, e.g. 4 or -2.5.")
        elif operation == "set" and not value:
            self.add_error("value", "Write a value, or choose Clear.")
        return cleaned


class BulkViewsMixin:
    """For ModelAdmins: an action per bulk verb, and one to edit values of `bulk_edit_fields`."""

    verbs: tuple[Verb, ...]
    bulk_edit_fields: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_bulk"
        bulk = path("bulk/<str:verb>/", self.admin_site.admin_view(self.bulk_view), name=name)
        return [bulk, *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Django's bulk delete lists names of rows that the person may not see.
        actions = {n: a for n, a in super().get_actions(request).items() if n != "delete_selected"}
        for verb in self.verbs:
            if verb.bulk and can(request.user, verb.right, self.model):
                actions[verb.name] = (_ask(verb.name), verb.name, f"{verb.label} …")
        if self._editable(request):
            actions[EDIT] = (_ask(EDIT), EDIT, "Change values …")
        return actions

    def response_action(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        """What is no key chooses no row; Django would ask the database for it."""
        posted = request.POST.copy()
        keys = [key for key in posted.getlist(helpers.ACTION_CHECKBOX_NAME) if is_key(key)]
        posted.setlist(helpers.ACTION_CHECKBOX_NAME, keys)
        request.POST = posted  # type: ignore[assignment]
        return super().response_action(request, queryset)

    def bulk_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Asks for what the verb needs, says how many rows are meant, and hands in the plan."""
        try:
            selection = Selection.from_json(
                signing.loads(request.POST.get("selection") or request.GET.get("selection", ""), salt=SALT)
            )
        except signing.BadSignature:
            raise Http404 from None
        model = self.model
        if selection.model != self.opts.label:
            # Signed on another list: its keys would name other rows here.
            raise Http404
        chosen = next((each for each in self.verbs if each.name == verb and each.bulk), None)
        if verb == EDIT and self._editable(request):
            form: Any = EditForm(model, self._editable(request), *([request.POST] if "_go" in request.POST else []))
            label = "Change values"
        elif chosen and can(request.user, chosen.right, model):
            form = chosen.make_form(request.POST if "_go" in request.POST else None, user=request.user)
            label = chosen.label
        else:
            raise PermissionDenied
        rows = selection.resolve(actor=request.user, action="view")
        if request.method == "POST" and "_go" in request.POST and form.is_valid():
            plan = self._submit(request, selection, verb, chosen, form.cleaned_data, label)
            return HttpResponseRedirect(reverse("admin:plans_plan_change", args=[plan.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{label}: {rows.count():,} {self.opts.verbose_name_plural}",
            "form": styled(form),
            "button": "Show me what would change",
            "selection": signing.dumps(selection.to_json(), salt=SALT),
            "sample": [shown(row, request.user) for row in rows[:10]],
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin_ext/form_page.html", context)

    def _submit(
        self,
        request: HttpRequest,
        selection: Selection,
        verb: str,
        chosen: Verb | None,
        data: dict[str, Any],
        label: str,
    ) -> Any:
        title = f"{label}: {self.opts.verbose_name_plural}, {selection.describe()}"
        parameters: dict[str, Any] = {"selection": selection.to_json(), "reason": data.get("reason", "")}
        if chosen is None:
            change = {"operation": data["operation"], "value": data["value"]}
            parameters["changes"] = {data["field"]: change}
            source = "edit"
        else:
            parameters["verb"] = chosen.service.service_name
            parameters["arguments"] = {name: _plain(value) for name, value in data.items()}
            source = "verb"
        return submit_plan(
            actor=request.user,
            source=source,
            title=title,
            model=self.opts.label,
            parameters=parameters,
        )

    def _editable(self, request: HttpRequest) -> list[str]:
        if not can(request.user, "change", self.model):
            return []
        writable = field_rights(request.user, "change", self.model).writable
        return [name for name in self.bulk_edit_fields if name in writable]


def _ask(verb: str) -> Any:
    """A Django action that goes on to the page of a bulk verb with the selection, as data."""

    def action(model_admin: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        options = model_admin.opts
        address = reverse(f"admin:{options.app_label}_{options.model_name}_bulk", args=[verb])
        return HttpResponseRedirect(f"{address}?selection={_signed_selection(model_admin, request)}")

    return action


def ask_on_page(name: str) -> Any:
    """A Django action that goes on to the page of this name with the selection, as data."""

    def action(model_admin: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse(name)}?selection={_signed_selection(model_admin, request)}")

    return action


def _signed_selection(model_admin: Any, request: HttpRequest) -> str:
    if request.POST.get("select_across") == "1":
        selection = model_admin.selection_of(request)
    else:
        keys = [int(key) for key in request.POST.getlist(helpers.ACTION_CHECKBOX_NAME) if is_key(key)]
        selection = Selection.picked(model_admin.model, keys)
    return signing.dumps(selection.to_json(), salt=SALT)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else str(value)

"""Bulk actions: a selection and a verb, or new values, become a plan that is reviewed before anything happens."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import helpers
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import can
from admin_ext.admin.bulk_edit_form import EditForm
from admin_ext.admin.choices import is_key
from admin_ext.admin.kept_selections import SALT, from_address, in_address
from admin_ext.admin.looks import styled
from admin_ext.admin.related import shown
from admin_ext.admin.verbs import Verb
from admin_ext.filtering.selection import Selection
from admin_ext.plans.making import submit_plan
from admin_ext.plans.relations import offered_relations

EDIT = "edit"


class BulkViewsMixin:
    """For ModelAdmins: an action per bulk verb, and one to edit values of `bulk_edit_fields` and relations to many rows."""

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
        if self._edits(request):
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
            selection = from_address(request, request.POST.get("selection") or request.GET.get("selection", ""))
        except signing.BadSignature:
            raise Http404 from None
        model = self.model
        if selection.model != self.opts.label:
            # Signed on another list: its keys would name other rows here.
            raise Http404
        chosen = next((each for each in self.verbs if each.name == verb and each.bulk), None)
        if verb == EDIT and self._edits(request):
            posted = [request.POST] if "_go" in request.POST else []
            form: Any = EditForm(model, self._editable(request), *posted, user=request.user)
            label = "Change values"
        elif chosen and can(request.user, chosen.right, model):
            form = chosen.make_form(request.POST if "_go" in request.POST else None, user=request.user)
            label = chosen.label
        else:
            raise PermissionDenied
        rows = selection.resolve(actor=request.user, action="view")
        if request.method == "POST" and "_go" in request.POST and form.is_valid():
            plan = self._submit(request, selection, chosen, form, label)
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
        template = "admin_ext/bulk_edit.html" if chosen is None else "admin_ext/form_page.html"
        return TemplateResponse(request, template, context)

    def _submit(self, request: HttpRequest, selection: Selection, chosen: Verb | None, form: Any, label: str) -> Any:
        data = form.cleaned_data
        title = f"{label}: {self.opts.verbose_name_plural}, {selection.describe()}"
        parameters: dict[str, Any] = {"selection": selection.to_json(), "reason": data.get("reason", "")}
        if chosen is None:
            parameters["changes"] = form.changes
            parameters["relations"] = form.joined
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

    def _edits(self, request: HttpRequest) -> bool:
        return bool(self._editable(request) or offered_relations(request.user, self.model))

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
    return in_address(request, selection)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else str(value)

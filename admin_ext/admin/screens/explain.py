"""Explain: why a person may do something to a row, or may not; who else may; and how it was on a day that is over."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.explain import explain, explained_people
from admin_ext.access.facts import PastNotKept, keeps_past
from admin_ext.access.rights import can, permission, restrict, whole_of
from admin_ext.access.who import Who, who_may
from admin_ext.admin.choices import is_key
from admin_ext.admin.instants import for_input, told
from admin_ext.admin.looks import styled
from admin_ext.admin.related import has_rights
from admin_ext.admin.screens.refusals import ReferenceNotUsable, read_reference
from admin_ext.audit.access_log import note_view
from admin_ext.audit.models import ChangeSet
from admin_ext.filtering.instants import InstantNotUsable, parse_instant

SHOWN = 200
ACTIONS = ("view", "add", "change", "delete", "import", "export", "handover", "grant")


def may_explain(user: Any) -> bool:
    """Who gives people their rights is told where they come from."""
    return user.is_active and user.has_perm(permission(get_user_model(), "grant"))


class ExplainForm(forms.Form):
    """Who, what, on which row, and when. Its address can be passed on."""

    user: Any = forms.ModelChoiceField(queryset=None, required=False, label="Who")
    model = forms.ChoiceField(required=False, label="What kind of record")
    row: Any = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, label="Which record")
    action = forms.ChoiceField(required=False, label="May do what")
    as_of = forms.CharField(
        required=False,
        label="On which day",
        help_text="Leave it empty for now.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def __init__(self, data: Any, *, asker: Any) -> None:
        data = data.copy()
        if not is_key(data.get("user", "")):
            # The widget asks the database for whatever stands there.
            data.pop("user", None)
        super().__init__(data)
        self.asker = asker
        people: Any = ChangeSet._meta.get_field("actor")
        self.fields["user"].widget = _autocomplete(people)
        self.fields["user"].queryset = people.related_model._default_manager.all()
        self.fields["as_of"].widget.attrs["max"] = for_input(timezone.now())
        self.fields["model"].choices = [("", "Choose"), *_kinds()]
        self.kind: Any = self._chosen(data.get("model", ""))
        self.fields["action"].choices = _actions(self.kind) if self.kind else [("view", "view")]
        if self.kind is None:
            self.fields["row"].disabled = True
            self.fields["row"].help_text = "Choose a kind of record first, and press Explain."
        else:
            self._offer_rows(data.get("row", ""))

    def _chosen(self, label: str) -> Any:
        return apps.get_model(label) if label and label in dict(self.fields["model"].choices) else None

    def _offer_rows(self, key: str) -> None:
        """Offer the rows that the asker may see as they type; others can be asked about by number."""
        self.fields["row"].help_text = f"Empty: any {self.kind._meta.verbose_name}."
        grants = getattr(self.kind, "user_grants_model", None)
        seen: Any = restrict(self.kind._default_manager.all(), self.asker, "view")
        if grants is None or not can(self.asker, "view", self.kind):
            return
        if key and not (is_key(key) and seen.filter(pk=key).exists()):
            return
        column: Any = grants._meta.get_field("content_object")
        self.fields["row"] = forms.ModelChoiceField(
            queryset=seen, required=False, label="Which record", help_text=self.fields["row"].help_text
        )
        self.fields["row"].widget = _autocomplete(column)
        self.fields["row"].widget.choices = self.fields["row"].choices

    def clean_row(self) -> int | None:
        row = self.cleaned_data["row"]
        return row.pk if isinstance(row, models.Model) else row

    def clean_as_of(self) -> datetime | None:
        text = self.cleaned_data["as_of"]
        if not text:
            return None
        try:
            return parse_instant(text)
        except InstantNotUsable as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("as_of") and self.kind and not keeps_past(whole_of(self.kind)):
            self.add_error("as_of", f"It is not kept how {self.kind._meta.verbose_name_plural} were. Ask about now.")
        return said


@dataclasses.dataclass
class Listed:
    """A person in the list of who may, with the address that explains it."""

    person: Any
    ways: str
    address: str


def explain_view(request: HttpRequest) -> HttpResponse:
    """Answers what the address asks: for one person, or who may at all."""
    if request.method not in ("GET", "HEAD") or not may_explain(request.user):
        raise PermissionDenied
    if "refusal" in request.GET:
        return _from_refusal(request)
    form = ExplainForm(request.GET, asker=request.user)
    context = {
        **admin.site.each_context(request),
        "title": "Explain a right",
        "form": styled(form),
        "asked": bool(request.GET),
        **(_answer(request, form) if form.is_valid() else {}),
    }
    return TemplateResponse(request, "admin_ext/explain.html", context)


def address_of(**asked: Any) -> str:
    """The page that explains: `user`, `model` ("app.Model"), `row`, `action`, `as_of`; what is empty is left out."""
    said = urlencode({name: value for name, value in asked.items() if value})
    return reverse("admin:access_explain") + (f"?{said}" if said else "")


def access_buttons(request: HttpRequest, row: models.Model | None) -> list[dict[str, Any]]:
    """On a person's page: what they may do, and to look as them; on every other: who may do what with the row."""
    buttons = []
    if isinstance(row, get_user_model()):
        if may_explain(request.user):
            buttons.append({"label": "Explain", "icon": "policy", "url": address_of(user=row.pk)})
        if row.pk != request.user.pk and can(request.user, "impersonate", row):
            look = reverse("admin:access_impersonate", args=[row.pk])
            buttons.append({"label": "Look as", "icon": "visibility", "url": look})
    elif row is not None and may_explain(request.user) and has_rights(type(row)):
        asked = address_of(model=row._meta.label, row=row.pk)
        buttons.append({"label": "Who can do what", "icon": "policy", "url": asked})
    return buttons


def _answer(request: HttpRequest, form: ExplainForm) -> dict[str, Any]:
    said, model = form.cleaned_data, form.kind
    person, key, instant = said["user"], said["row"], said["as_of"]
    action = said["action"] or "view"
    if model is None:
        return {"subtitle": str(person) if person else None}
    row = _row(model, key)
    context = {
        "row_name": _name(row, request.user) if row is not None else f"any {model._meta.verbose_name}",
        "row_url": _url(row, request.user) if row is not None else "",
        "action": action.replace("_", " "),
        "instant": told(instant) if instant else "",
        "zone": timezone.get_current_timezone_name(),
        "others": address_of(model=model._meta.label, row=key, action=action, as_of=request.GET.get("as_of")),
    }
    try:
        if person is not None:
            note_view(person, actor=request.user, page="explain")
            found = explain(person, action, row if row is not None else model, instant=instant, told_to=request.user)
            elevated = [] if instant else [each for each in person.elevations.select_related("role") if each.is_live]
            return {**context, "found": found, "person_url": _url(person, request.user), "elevated": elevated}
        if row is not None:
            who = who_may(action, row, instant=instant)
            return {**context, "listed": _listed(who, request), "more": max(0, len(who) - SHOWN), "total": len(who)}
    except PastNotKept as error:
        messages.error(request, str(error))
    return {}


def _row(model: Any, key: int | None) -> Any:
    """A row by its number, whether it is there or not: what is said of it is told within the asker's rights."""
    if key is None:
        return None
    return model._base_manager.filter(pk=key).first() or model(pk=key)


def _name(row: models.Model, user: Any) -> str:
    kind = str(row._meta.verbose_name)
    return f"{kind} {row}" if can(user, "view", row) else f"{kind} #{row.pk}"


def _url(row: models.Model, user: Any) -> str:
    registered = type(row) in admin.site._registry and can(user, "view", row)
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return reverse(name, args=[row.pk]) if registered else ""


def _listed(who: list[Who], request: HttpRequest) -> list[Listed]:
    ways = {each.person: each.ways for each in who}
    asked = {name: request.GET.get(name) for name in ("model", "row", "action", "as_of")}
    people = explained_people(list(ways)[:SHOWN])
    return [Listed(each, "; ".join(ways[each.pk]), address_of(user=each.pk, **asked)) for each in people]


def _from_refusal(request: HttpRequest) -> HttpResponse:
    """From the reference that a refused person passed on to the explanation of what they tried."""
    try:
        asked = read_reference(request.GET["refusal"])
    except ReferenceNotUsable as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:access_explain"))
    if not asked.get("model"):
        messages.info(request, f"They tried to open {asked['path']}, which belongs to no one kind of record.")
    return HttpResponseRedirect(address_of(**{name: asked.get(name) for name in ("user", "model", "row", "action")}))


def _kinds() -> list[tuple[str, str]]:
    """The kinds of record that rights are given on, by name."""
    known = [model._meta for model in admin.site._registry if has_rights(model) or hasattr(model, "owner_field")]
    return sorted(((each.label, str(each.verbose_name).capitalize()) for each in known), key=lambda kind: kind[1])


def _actions(model: type[models.Model]) -> list[tuple[str, str]]:
    """What can be done to a kind of record: the rights that exist on its whole."""
    whole = whole_of(model)._meta
    codenames = Permission.objects.filter(
        content_type__app_label=whole.app_label, content_type__model=whole.model_name
    ).values_list("codename", flat=True)
    ending = f"_{whole.model_name}"
    there = {codename.removesuffix(ending) for codename in codenames if codename.endswith(ending)}
    usual = [action for action in ACTIONS if action in there]
    return [(action, action.replace("_", " ")) for action in [*usual, *sorted(there - set(usual))] or ["view"]]


def _autocomplete(column: Any) -> AutocompleteSelect:
    widget = AutocompleteSelect(column, admin.site, attrs={"data-theme": "admin-autocomplete"})
    widget.is_required = False
    return widget

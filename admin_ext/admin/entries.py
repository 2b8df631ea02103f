"""“Who may get in” on the page of a record: the grants on it alone, given and taken back. For places: who works there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import CHECKBOX_CLASSES

from admin_ext.access.rights import can, restrict
from admin_ext.admin.holders import answer_to
from admin_ext.admin.looks import styled
from admin_ext.admin.related import shown
from admin_ext.admin.verbs import RecordField
from admin_ext.granting.assigning import Outcome
from admin_ext.granting.entering import ENTER, entrants, find_holder, people_of
from admin_ext.granting.giving import give_place, give_row, take_place, take_row, verbs_on
from admin_ext.granting.people import role_model
from admin_ext.granting.telling import WORDS
from admin_ext.models import Scope


class EntryForm(forms.Form):
    """Whom to let in, to do what, and why; or, with ticks in the list above it, only why."""

    role: Any = forms.ModelChoiceField(queryset=None, required=False)
    verbs = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, required=False, label="May")
    reason = forms.CharField(
        widget=forms.Textarea, label="Reason", help_text="Kept on the record, for whoever asks later."
    )
    field_order = ["person", "role", "verbs", "reason"]

    def __init__(self, *args: Any, row: Any, user: Any, choices: list[tuple[str, str]], giving: bool) -> None:
        super().__init__(*args)
        person = RecordField(row.user_grants_model._meta.label, "user", required=False, help_text="Or a role:")
        person.offer(user)
        self.fields["person"] = person
        self.fields["role"].queryset = restrict(role_model()._default_manager.order_by("name"), user)
        self.fields["verbs"].choices = choices
        self.giving = giving
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.giving:
            if bool(cleaned.get("person")) == bool(cleaned.get("role")):
                self.add_error("person", "Choose one person, or one role.")
            if not cleaned.get("verbs"):
                self.add_error("verbs", "Tick what they may do.")
        return cleaned


class EntriesViewMixin:
    """For ModelAdmins of records whose rows can be granted: `entries/` of one of them."""

    def get_urls(self) -> list[URLPattern]:
        if not hasattr(self.model, "user_grants_model"):
            return super().get_urls()
        name = f"{self.opts.app_label}_{self.opts.model_name}_entries"
        entries = path("<path:object_id>/entries/", self.admin_site.admin_view(self.entries_view), name=name)
        return [entries, *super().get_urls()]

    def entries_buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """The way to the page, for who may give grants on the row."""
        if not hasattr(self.model, "user_grants_model") or not can(request.user, "grant", row):
            return []
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_entries", args=[row.pk])
        return [{"label": "Who may get in", "icon": "door_open", "url": address}]

    def entries_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Who was let into this row, and letting in; shows what a change would do, and does it."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not can(request.user, "grant", row):
            raise PermissionDenied
        taking = "_take" in request.POST
        choices = _choices(row)
        mine = [(verb, label) for verb, label in choices if verb == ENTER or can(request.user, verb, row)]
        data = request.POST if request.method == "POST" else None
        form = styled(EntryForm(data, row=row, user=request.user, choices=choices, giving=not taking))
        form.fields["verbs"].choices = mine if data is None else choices
        page: dict[str, Any] = {"form": form}
        ticked = _ticked(request)
        if request.method == "POST":
            if taking and not ticked:
                form.add_error(None, "Tick what is to be taken back.")

            def act() -> list[Outcome]:
                reason = form.cleaned_data["reason"]
                if taking:
                    return [
                        each for holder, verbs in ticked for each in _take(request.user, row, holder, verbs, reason)
                    ]
                holder = form.cleaned_data["person"] or form.cleaned_data["role"]
                return _give(request.user, row, holder, form.cleaned_data["verbs"], reason)

            holders = [holder for holder, _ in ticked] if taking else _chosen(form)
            touched = [key for holder in holders for key in people_of(holder)]
            verb, then = f"{self.opts.app_label}.{'take' if taking else 'give'}_entry", request.path
            if answer := answer_to(request, form, page, act, touched, verb=verb, then=then):
                return answer
        labels = dict(choices)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": shown(row, request.user),
            "title": f"Who may get in: {shown(row, request.user)}",
            "is_place": isinstance(row, Scope),
            "entrants": [
                {"who": each, "verbs": [(verb, labels.get(verb, verb)) for verb in each.verbs]}
                for each in entrants(row, seen_by=request.user)
            ],
            "missing": [label for verb, label in choices if (verb, label) not in mine],
            "checkbox_classes": " ".join(CHECKBOX_CLASSES),
            "back": self._change_url(row),
            **page,
        }
        return TemplateResponse(request, "admin_ext/entries.html", context)


def _choices(row: Any) -> list[tuple[str, str]]:
    """What can be given on a row, in words."""
    told = [(verb, WORDS.get(verb, label)) for verb, label in verbs_on(type(row))]
    entry = [(ENTER, f"work in this {row._meta.verbose_name}, and in all below it")] if isinstance(row, Scope) else []
    return entry + [(verb, f"{label} it" if verb in WORDS else label) for verb, label in told]


def _chosen(form: Any) -> list[Any]:
    if not form.is_valid():
        return []
    return [each for each in (form.cleaned_data["person"], form.cleaned_data["role"]) if each]


def _ticked(request: HttpRequest) -> list[tuple[Any, list[str]]]:
    """What was ticked to be taken back, by holder: `person:5:view`."""
    found: dict[str, list[str]] = {}
    for value in request.POST.getlist("take"):
        key, _, verb = value.rpartition(":")
        found.setdefault(key, []).append(verb)
    return [(holder, verbs) for key, verbs in found.items() if (holder := find_holder(key)) is not None]


def _give(actor: Any, row: Any, holder: Any, verbs: list[str], reason: str) -> list[Outcome]:
    on_row = [verb for verb in verbs if verb != ENTER]
    done = [ENTER] if ENTER in verbs and give_place(actor=actor, holder=holder, place=row, reason=reason) else []
    done += give_row(actor=actor, row=row, holder=holder, verbs=on_row, reason=reason) if on_row else []
    return [Outcome(holder, f"{verb} for {holder}", "given") for verb in done]


def _take(actor: Any, row: Any, holder: Any, verbs: list[str], reason: str) -> list[Outcome]:
    on_row = [verb for verb in verbs if verb != ENTER]
    done = [ENTER] if ENTER in verbs and take_place(actor=actor, holder=holder, place=row, reason=reason) else []
    done += take_row(actor=actor, row=row, holder=holder, verbs=on_row, reason=reason) if on_row else []
    return [Outcome(holder, f"{verb} for {holder}", "taken") for verb in done]

"""The questions that can be asked of the timeline, as a form and as an address."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils import timezone

from admin_ext.access.rights import can
from admin_ext.admin.choices import shown_again
from admin_ext.admin.options import history_fields
from admin_ext.admin.verbs import DayField
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet, Door
from admin_ext.desk.timeline import Question


class TimelineForm(forms.Form):
    """The questions that can be asked of the timeline."""

    who: Any = forms.ModelChoiceField(queryset=None, required=False, label="Who")
    since = DayField(required=False, label="From")
    until = DayField(required=False, label="Until, that day included")
    model = forms.ChoiceField(required=False, label="What kind of record")
    field = forms.CharField(required=False, label="Which field changed")
    value = forms.CharField(required=False, label="To which value", help_text="As the record keeps it.")
    verb = forms.CharField(required=False, label="Verb begins with", help_text="E.g. orders.ship")
    reason = forms.CharField(required=False, label="Reason contains")
    door = forms.ChoiceField(required=False, label="Door", choices=[("", "Any"), *Door.choices])
    key = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, user: Any) -> None:
        super().__init__(data)
        people = ChangeSet._meta.get_field("actor")
        self.fields["who"].widget = AutocompleteSelect(people, admin.site, attrs={"data-theme": "admin-autocomplete"})
        self.fields["who"].queryset = people.related_model._default_manager.all()
        self.fields["who"].bound_data = shown_again  # type: ignore[method-assign]
        self.user = user
        self.fields["model"].choices = [("", "Any"), *_kinds(user)]
        if chosen := self._chosen(data):
            self.fields["field"] = forms.ChoiceField(
                required=False, label="Which field changed", choices=[("", "Any"), *history_fields(chosen, user)]
            )
        else:
            self.fields["field"].disabled = True
            self.fields["field"].help_text = "Choose a kind of record first."
            self.fields["value"].disabled = True

    def _chosen(self, data: Any) -> Any:
        known = dict(self.fields["model"].choices)
        label = data.get("model", "")
        return apps.get_model(label) if label and label in known else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("model") and (self.data.get("field") or self.data.get("value")):
            self.add_error("model", "A field and its value are asked of one kind of record: choose it.")
        elif cleaned.get("value") and not cleaned.get("field"):
            self.add_error("field", "Which field should have this value?")
        if (since := cleaned.get("since")) and (until := cleaned.get("until")) and until < since:
            self.add_error("until", "This lies before the day in “From”.")
        return cleaned

    def question(self) -> Question:
        """What was asked. The days are those of the reader's zone."""
        said = self.cleaned_data
        return Question(
            who=said["who"].pk if said["who"] else None,
            door=said["door"],
            verb=said["verb"],
            reason=said["reason"],
            since=_begin_of(said["since"]) if said["since"] else None,
            until=_begin_of(said["until"] + timedelta(days=1)) if said["until"] else None,
            model=apps.get_model(said["model"]) if said["model"] else None,
            field=said["field"] or "",
            value=said["value"] or "",
            key=said["key"],
        )


def _begin_of(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _kinds(user: Any) -> list[tuple[str, str]]:
    """The models whose history the person may read, by name."""
    kinds = []
    for model in tracked_models():
        if hasattr(model, "about") or can(user, "view", model):
            name = str(model._meta.verbose_name)
            kinds.append((model._meta.label, name[:1].upper() + name[1:]))
    return sorted(kinds, key=lambda kind: kind[1])

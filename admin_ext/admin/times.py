"""At which times something is to be done again and again: what the forms of all schedules ask for."""

from __future__ import annotations

from django import forms

from admin_ext.admin.verbs import RowForm
from admin_ext.jobs.models import Schedule


class TimesForm(RowForm):
    """How often, at which time of day, on which day; and whether to be told by mail."""

    every = forms.ChoiceField(choices=Schedule.Every.choices, initial=Schedule.Every.DAY, label="Every")
    at = forms.TimeField(
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        initial="07:00",
        label="At",
        help_text="In your time zone. Of every hour, the minute counts.",
    )
    on_day = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=31,
        label="On day",
        help_text="Of the week, 1 for Monday; or of the month: 31 is always its last.",
    )
    mail = forms.BooleanField(required=False, initial=True, label="Tell me by mail")


class ExportTimesForm(TimesForm):
    """When a file is to be written, and of what."""

    only_changes = forms.BooleanField(
        required=False, label="Only what changed", help_text="Since the time before: what came in, left or is another."
    )

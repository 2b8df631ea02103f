"""Schedules: what is done when, what became of the last times, pausing and resuming."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import display

from admin_ext.admin.options import ModelAdmin
from admin_ext.admin.verbs import OptionalReasonForm, Verb
from admin_ext.jobs.models import DueTime, Schedule
from admin_ext.jobs.schedules import pause_schedule, resume_schedule
from admin_ext.jobs.zones import zone_of

SHOWN = 10
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class ResumeForm(forms.Form):
    """Asks for nothing."""


class ScheduleAdmin(ModelAdmin):
    list_display = ["name", "shown_every", "shown_state", "owner"]
    list_select_related = ["owner"]
    in_palette = False
    fieldsets = [
        (None, {"fields": ["name", ("shown_times", "owner"), "mail"]}),
        ("How it goes", {"fields": ["shown_condition", "shown_next", "shown_last"]}),
    ]
    readonly_fields = ["owner", "shown_times", "shown_condition", "shown_next", "shown_last"]
    verbs = (
        Verb(pause_schedule, "Pause", "pause", OptionalReasonForm, bulk=False),
        Verb(resume_schedule, "Resume", "play_arrow", ResumeForm, bulk=False),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # They are made of what they repeat.
        return False

    @display(description="when", ordering="every")
    def shown_times(self, schedule: Schedule) -> str:
        told = self.shown_every(schedule)
        return told if schedule.every == Schedule.Every.HOUR else f"{told} {zone_of(_owner(schedule))}"

    @display(description="when", ordering="every")
    def shown_every(self, schedule: Schedule) -> str:
        at = f"{schedule.at:%H:%M}"
        match schedule.every:
            case Schedule.Every.HOUR:
                return f"every hour, {schedule.at.minute} minutes past"
            case Schedule.Every.WEEK:
                return f"every {DAYS[(schedule.on_day or 1) - 1]} at {at}"
            case Schedule.Every.MONTH:
                day = "the last day" if (schedule.on_day or 1) == 31 else f"day {schedule.on_day}"
                return f"on {day} of every month at {at}"
            case _:
                return f"every day at {at}"

    @display(description="state", ordering="paused_at", label={"on": "success", "paused": "warning"})
    def shown_state(self, schedule: Schedule) -> tuple[str, str]:
        if schedule.paused_at is None:
            return "on", "On"
        return "paused", "Paused"

    @display(description="state")
    def shown_condition(self, schedule: Schedule) -> str:
        if schedule.paused_at is None:
            return "On"
        because = f": {schedule.paused_because}" if schedule.paused_because else ""
        return f"Paused since {timezone.localtime(schedule.paused_at):%Y-%m-%d %H:%M}{because}"

    @display(description="next")
    def shown_next(self, schedule: Schedule) -> str:
        due = schedule.due_times.filter(outcome=DueTime.Outcome.WAITING).order_by("due_at").first()
        return _told(due) if due else "—"

    @display(description="last times")
    def shown_last(self, schedule: Schedule) -> Any:
        past = schedule.due_times.exclude(outcome=DueTime.Outcome.WAITING)[:SHOWN]
        return format_html_join("", "<div>{}</div>", ((_outcome(due),) for due in past)) or "None yet"


def _owner(schedule: Schedule) -> Any:
    """Read anew: on a page, a person whom the reader may not see is a stand-in without a zone."""
    return get_user_model()._default_manager.filter(pk=schedule.owner_id).first()


def _outcome(due: DueTime) -> Any:
    if due.job_id is None:
        return f"{_told(due)}: {due.get_outcome_display().lower()}"
    address = reverse("admin:jobs_job_change", args=[due.job_id])
    return format_html('{}: <a class="text-link" href="{}">job #{}</a>', _told(due), address, due.job_id)


def _told(due: DueTime) -> str:
    return f"{timezone.localtime(due.due_at):%Y-%m-%d %H:%M}"

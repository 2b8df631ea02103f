"""A job is a row that anyone concerned can read; Celery only wakes workers.

States:  queued --claim--> running --> succeeded | failed | cancelled
         running --lease runs out--> running again under a higher fence, by whoever claims it
A wish to stop is a column, not a state.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from admin_ext.jobs.due import DAY, HOUR, MONTH, WEEK
from admin_ext.models import Record, Shared

SETTLED = 3
"""After how many seconds the pace of a job says how long it will take."""


class Job(models.Model):
    """Work done in the background for somebody, with their rights of the moment it runs."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
    owner_field = "requested_by"

    kind = models.CharField(max_length=100, help_text="The stored name of what it runs, e.g. plans.apply.")
    title = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs")
    door = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    change_set = models.ForeignKey(
        "audit.ChangeSet", on_delete=models.PROTECT, null=True, blank=True, related_name="jobs", db_constraint=False
    )

    fence = models.IntegerField(default=0, help_text="Raised by every claim; work under an older one is rolled back.")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())

    phase = models.CharField(max_length=100, blank=True, help_text="What it is doing, for people.")
    rows_total = models.BigIntegerField(null=True, blank=True)
    rows_done = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    cursor = models.JSONField(default=dict, blank=True, help_text="How far it got, written with the data.")
    error = models.TextField(blank=True)

    queued_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view", "change")
        permissions = [("retry_job", "Can run failed jobs again")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["succeeded", "failed", "cancelled"], finished_at__isnull=False)
                | Q(state__in=["queued", "running"], finished_at__isnull=True),
                name="a_job_is_finished_iff_it_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | Q(lease_until__isnull=False), name="a_running_job_has_a_lease"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=["queued", "running"]), name="job_to_do"),
            models.Index(fields=["requested_by", "-id"], name="job_of_person"),
            models.Index(fields=["state", "-id"], name="job_in_state"),
            models.Index(fields=["kind", "-id"], name="job_of_kind"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def seconds_left(self) -> int | None:
        """How much longer it takes at its pace so far; None while that cannot be told."""
        if self.state != self.State.RUNNING or not (self.started_at and self.rows_total and self.rows_done):
            return None
        taken = (timezone.now() - self.started_at).total_seconds()
        return max(0, round(taken * (self.rows_total - self.rows_done) / self.rows_done)) if taken >= SETTLED else None

    @property
    def time_left(self) -> str:
        """The same in words, rounded as a guess should be; "" while it cannot be told."""
        seconds = self.seconds_left
        if seconds is None:
            return ""
        if seconds < 60:
            return "less than a minute left"
        minutes = round(seconds / 60)
        if minutes < 60:
            return f"about {minutes} minute{'s' if minutes > 1 else ''} left"
        return f"about {minutes // 60} h {minutes % 60:02} min left"

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100; 0 while the total is not known."""
        if self.state == self.State.SUCCEEDED:
            return 100
        return min(99, int(100 * self.rows_done / self.rows_total)) if self.rows_total else 0


class JobEvent(models.Model):
    """How a job got where it is; only ever appended to."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    name = models.CharField(max_length=20)
    text = models.TextField(blank=True)
    fence = models.IntegerField(default=0)

    class Meta:
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.text}"


class JobFile(models.Model):
    """A file that went into a job or came out of it."""

    class Kind(models.TextChoices):
        INPUT = "input", "Read"
        OUTPUT = "output", "Made"
        ERRORS = "errors", "Rows that failed"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, null=True, related_name="files")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    file = models.FileField(upload_to="jobs/%Y/%m/", max_length=300)
    name = models.CharField(max_length=255, help_text="What people call it.")
    size = models.BigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    rows = models.BigIntegerField(null=True, blank=True)
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    downloads = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class WorkerBeat(models.Model):
    """When a worker was last seen at work; one row for each."""

    name = models.CharField(max_length=200, primary_key=True)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def last_seen(cls) -> datetime | None:
        """When any worker was last seen; None when none ever was."""
        return cls.objects.aggregate(latest=models.Max("seen_at"))["latest"]


class Schedule(Shared):
    """Something to be done again and again, with its owner's rights of each time, at times of their zone."""

    natural_key_fields = ("name",)
    has_past = False

    class Every(models.TextChoices):
        HOUR = HOUR, "Hour"
        DAY = DAY, "Day"
        WEEK = WEEK, "Week"
        MONTH = MONTH, "Month"

    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=100, help_text="The stored name of what it has done.")
    arguments = models.JSONField(default=dict, blank=True)
    every = models.CharField(max_length=5, choices=Every.choices)
    at = models.TimeField(help_text="In its owner's time zone; of an hourly one, the minute counts.")
    on_day = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of the week, 1 for Monday; or of the month, at most its last."
    )
    mail = models.BooleanField("by mail", default=True, help_text="Tell its owner by mail when it is done.")
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=300, blank=True)

    class Meta(Record.Meta):
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="a_schedule_has_a_name"),
            models.CheckConstraint(
                condition=Q(every__in=[HOUR, DAY], on_day=None)
                | Q(every=WEEK, on_day__range=(1, 7))
                | Q(every=MONTH, on_day__range=(1, 31)),
                name="a_schedule_says_on_which_day",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DueTime(models.Model):
    """An instant at which a schedule is due, and what became of it. A waiting one is the next."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", "Waiting"
        HANDED_IN = "handed_in", "Handed in"
        REFUSED = "refused", "Refused"
        MISSED = "missed", "Missed"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="due_times")
    due_at = models.DateTimeField()
    outcome = models.CharField(max_length=9, choices=Outcome.choices, default=Outcome.WAITING)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-due_at"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="a_due_time_of_a_schedule_is_there_once")
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(outcome="waiting"), name="due_time_waiting")]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.due_at:%Y-%m-%d %H:%M}"

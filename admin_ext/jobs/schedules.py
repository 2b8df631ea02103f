"""Schedules: what is to be done at which times, each of them exactly once.

Every due time is a row, `DueTime`, that waits until somebody takes it. Whoever takes it holds its lock, hands in the job
and writes the next one, all in one transaction: two dispatchers that race, one that dies and one that comes late leave
the same rows. What was missed while nothing ran is made up for, each time once, unless it is a day old.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.jobs.due import next_due
from admin_ext.jobs.models import DueTime, Job, Schedule
from admin_ext.jobs.zones import zone_of
from admin_ext.notices.models import Notice, notify
from admin_ext.services import Refused, service

log = logging.getLogger(__name__)
LATEST = timedelta(days=1)
"""How late a due time may still be made up for."""
MOST_AT_ONCE = 200


class ScheduleNotUsable(Refused):
    """A schedule has no name, no day, or is in no state to be paused or resumed."""


Handed = Callable[[Schedule, datetime, datetime | None], Job]
kinds: dict[str, Handed] = {}
"""What hands in the job of a schedule of some kind: of which schedule, for which due time, and which was the one before
it. Raises NotPermitted or Refused, which pauses the schedule."""


def make_schedule(
    *,
    actor: Any,
    name: str,
    kind: str,
    arguments: dict[str, Any],
    every: str,
    at: time,
    on_day: int | None = None,
    mail: bool = True,
) -> Schedule:
    """Have something done again and again with the actor's rights of each time. Raises ScheduleNotUsable."""
    if kind not in kinds:
        raise LookupError(f"Nothing of the kind {kind!r} can be scheduled.")
    _check(name, every, on_day)
    with change_set(actor=actor, door=Door.FORM, verb="jobs.make_schedule"):
        schedule = Schedule.objects.create(
            owner=actor,
            name=name.strip(),
            kind=kind,
            arguments=arguments,
            every=every,
            at=at,
            on_day=on_day if every in (Schedule.Every.WEEK, Schedule.Every.MONTH) else None,
            mail=mail,
        )
        _await(schedule, after=timezone.now())
    return schedule


@service("jobs.pause_schedule", right="change", possible=lambda schedule: schedule.paused_at is None)
def pause_schedule(*, actor: Any, schedule: Schedule, reason: str = "") -> Schedule:
    """Stop a schedule until it is resumed. Raises ScheduleNotUsable."""
    if schedule.paused_at is not None:
        raise ScheduleNotUsable(f"{schedule} is paused already.")
    schedule.paused_at, schedule.paused_because = timezone.now(), reason[:300]
    schedule.save()
    schedule.due_times.filter(outcome=DueTime.Outcome.WAITING).delete()
    return schedule


@service("jobs.resume_schedule", right="change", possible=lambda schedule: schedule.paused_at is not None)
def resume_schedule(*, actor: Any, schedule: Schedule) -> Schedule:
    """Let a paused schedule go on with its next due time. Raises ScheduleNotUsable."""
    if schedule.paused_at is None:
        raise ScheduleNotUsable(f"{schedule} is not paused.")
    schedule.paused_at, schedule.paused_because = None, ""
    schedule.save()
    _await(schedule, after=timezone.now())
    return schedule


def dispatch_schedules(now: datetime | None = None) -> int:
    """Hand in the jobs of all due times that nobody has taken yet; returns how many."""
    now = now or timezone.now()
    handed_in = 0
    for _ in range(MOST_AT_ONCE):
        taken = _dispatch_one(now)
        if taken is None:
            break
        handed_in += taken
    return handed_in


def _dispatch_one(now: datetime) -> bool | None:
    """Take one due time; whether a job was handed in for it, None when there was none to take."""
    with transaction.atomic():
        due = (
            DueTime.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(outcome=DueTime.Outcome.WAITING, due_at__lte=now)
            .order_by("due_at", "pk")
            .select_related("schedule__owner")
            .first()
        )
        if due is None:
            return None
        schedule = due.schedule
        if now - due.due_at > LATEST:
            due.outcome = DueTime.Outcome.MISSED
        else:
            try:
                with transaction.atomic():
                    due.job = _hand_in(schedule, due)
                due.outcome = DueTime.Outcome.HANDED_IN
            except (NotPermitted, Refused) as refusal:
                due.outcome = DueTime.Outcome.REFUSED
                _pause(schedule, str(refusal))
        due.save(update_fields=["outcome", "job"])
        if due.outcome != DueTime.Outcome.REFUSED:
            _await(schedule, after=due.due_at)
        return due.job_id is not None


def _hand_in(schedule: Schedule, due: DueTime) -> Job:
    if not schedule.owner.is_active:
        raise NotPermitted(f"{schedule.owner}'s account was closed.")
    before = schedule.due_times.filter(outcome=DueTime.Outcome.HANDED_IN, due_at__lt=due.due_at)
    last = before.order_by("-due_at").values_list("due_at", flat=True).first()
    job = kinds[schedule.kind](schedule, due.due_at, last)
    job.arguments = {**job.arguments, "schedule": schedule.pk}
    job.save(update_fields=["arguments"])
    return job


def _pause(schedule: Schedule, because: str) -> None:
    with change_set(actor=None, door=Door.TASK, verb="jobs.pause_schedule", reason=because):
        schedule.paused_at, schedule.paused_because = timezone.now(), because[:300]
        schedule.save()
    _tell(schedule, because)


def _tell(schedule: Schedule, because: str) -> None:
    address = reverse("admin:jobs_schedule_change", args=[schedule.pk])
    notify(schedule.owner, f"{schedule} was paused: {because}", level=Notice.Level.WARNING, url=address)


def _await(schedule: Schedule, *, after: datetime) -> None:
    """Write down the next due time, once."""
    due_at = next_due(schedule.every, schedule.at, schedule.on_day, after=after, zone=zone_of(schedule.owner))
    DueTime.objects.get_or_create(schedule=schedule, due_at=due_at)


def pause_after(job: Job) -> None:
    """A listener of jobs that ended: what failed for want of a right is not tried again until its owner says so."""
    key = job.arguments.get("schedule")
    if not key or job.state != Job.State.FAILED or "no right" not in job.error:
        return
    schedule = Schedule.objects.filter(pk=key, paused_at=None).select_related("owner").first()
    if schedule is not None:
        schedule.due_times.filter(outcome=DueTime.Outcome.WAITING).delete()
        _pause(schedule, job.error)


def _check(name: str, every: str, on_day: int | None) -> None:
    if not name.strip() or "\0" in name or len(name) > 100:
        raise ScheduleNotUsable("A schedule has a name, of up to 100 characters.")
    most = {Schedule.Every.WEEK: 7, Schedule.Every.MONTH: 31}.get(Schedule.Every(every))
    if most and not 1 <= (on_day or 0) <= most:
        raise ScheduleNotUsable(f"Say on which day: a number from 1 to {most}.")

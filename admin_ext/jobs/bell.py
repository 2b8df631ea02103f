"""A finished job rings its owner's bell."""

from __future__ import annotations

from django.urls import reverse

from admin_ext.jobs.models import Job
from admin_ext.notices.models import Notice, notify

LEVELS = {
    Job.State.SUCCEEDED: Notice.Level.SUCCESS,
    Job.State.FAILED: Notice.Level.DANGER,
    Job.State.CANCELLED: Notice.Level.WARNING,
}


def told_of(job: Job) -> tuple[str, str]:
    """What its owner hears of a job that ended, and where to look: what the job itself has to say (`told` and `address`
    of its cursor), else how it ended. ("", "") where it has nothing to say."""
    if job.state == Job.State.SUCCEEDED and "told" in job.cursor:
        return (job.cursor["told"], job.cursor["address"]) if job.cursor["told"] else ("", "")
    return f"{job.title}: {job.get_state_display().lower()}", reverse("admin:jobs_job_change", args=[job.pk])


def ring_for_job(job: Job) -> None:
    """Tell who asked for the job how it ended, unless they wait for it and are shown."""
    if job.arguments.get("awaited"):
        return
    said, address = told_of(job)
    if said:
        notify(job.requested_by, said, level=LEVELS[Job.State(job.state)], url=address)

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


def ring_for_job(job: Job) -> None:
    """Tell who asked for the job how it ended, unless they wait for it and are shown."""
    if job.arguments.get("awaited"):
        return
    said = f"{job.title}: {job.get_state_display().lower()}"
    notify(
        job.requested_by, said, level=LEVELS[Job.State(job.state)], url=reverse("admin:jobs_job_change", args=[job.pk])
    )

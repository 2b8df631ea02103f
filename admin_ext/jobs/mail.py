"""A job of a schedule tells its owner by mail how it ended. The file is fetched from the product: rights are asked there."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction

from admin_ext.jobs.bell import told_of
from admin_ext.jobs.models import Job, Schedule

log = logging.getLogger(__name__)


def mail_for_job(job: Job) -> None:
    """A listener of jobs that ended."""
    key = job.arguments.get("schedule")
    schedule = Schedule.objects.filter(pk=key, mail=True).first() if key else None
    address = getattr(job.requested_by, "email", "")
    if schedule is None or not address:
        return
    said, path = told_of(job)
    if not said:
        return
    subject = said if "told" in job.cursor else f"{schedule.name}: {job.get_state_display().lower()}"
    text = "\n".join(filter(None, [said, job.error, f"{settings.SITE_URL.rstrip('/')}{path}"]))
    transaction.on_commit(lambda: _send(subject, text, address))


def _send(subject: str, text: str, address: str) -> None:
    """What cannot be sent is no reason for a job to fail: the bell rang as well."""
    try:
        send_mail(" ".join(subject.split()), text, None, [address])
    except OSError:
        log.warning("no mail could be sent to %s", address, exc_info=True)

"""Handing in jobs, stopping them, running them again, and waking workers for those that were forgotten."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files import File
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.jobs.models import Job, JobEvent, JobFile
from admin_ext.jobs.running import ended_listeners
from admin_ext.services import Refused

log = logging.getLogger(__name__)


class JobHasEnded(Refused):
    """A job that ended can be neither cancelled nor waited for."""


class JobIsAtWork(Refused):
    """Only a job that failed or was cancelled can run again."""


def submit_job(
    *,
    actor: Any,
    kind: str,
    title: str,
    arguments: dict[str, Any] | None = None,
    door: str = "task",
    wakes: bool = True,
) -> Job:
    """Write the job down and, once that is committed, wake a worker for it; without `wakes` the caller runs it."""
    from admin_ext.jobs.running import kinds

    if kind not in kinds:
        raise LookupError(f"No job kind {kind!r} is registered.")
    with transaction.atomic():
        job = Job.objects.create(kind=kind, title=title[:200], arguments=arguments or {}, requested_by=actor, door=door)
        JobEvent.objects.create(job=job, name="queued")
        if wakes:
            transaction.on_commit(lambda: wake(job.pk))
    return job


def wake(job_id: int) -> None:
    """Tell a worker. A lost message costs nothing: the sweeper sends it again."""
    from admin_ext.jobs.tasks import run

    try:
        run.apply_async(args=[job_id], retry=False)
    except Exception:
        log.warning("job %s: no broker just now; the sweeper will send it", job_id, exc_info=True)


def cancel_job(*, actor: Any, job: Job) -> Job:
    """Ask a job to stop before its next chunk. Raises JobHasEnded, NotPermitted."""
    _check_owner(actor, job)
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job.pk)
        if job.has_ended:
            raise JobHasEnded(f"{job} has {job.get_state_display().lower()} already.")
        now = timezone.now()
        JobEvent.objects.create(job=job, name="cancel asked", text=f"by {actor}", fence=job.fence)
        job.cancel_requested_at = now
        if job.state == Job.State.QUEUED:
            job.state, job.finished_at = Job.State.CANCELLED, now
        job.save(update_fields=["cancel_requested_at", "state", "finished_at"])
        if job.has_ended:
            # What waits for it must hear of it here: no worker will ever end it.
            for listener in ended_listeners:
                listener(job)
    return job


def retry_job(*, actor: Any, job: Job) -> Job:
    """Run a failed or cancelled job again from where it stopped. Raises JobIsAtWork, NotPermitted."""
    _check_owner(actor, job)
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job.pk)
        if job.state not in (Job.State.FAILED, Job.State.CANCELLED):
            raise JobIsAtWork(f"{job} is {job.get_state_display().lower()}.")
        if job.change_set_id:
            raise JobIsAtWork(f"{job} has closed its change set; start it anew instead.")
        job.state, job.finished_at, job.cancel_requested_at, job.error = Job.State.QUEUED, None, None, ""
        job.attempts, job.lease_until, job.due_at = 0, None, timezone.now()
        job.save()
        JobEvent.objects.create(job=job, name="retried", text=f"by {actor}", fence=job.fence)
        transaction.on_commit(lambda: wake(job.pk))
    return job


def sweep_jobs() -> int:
    """Wake workers for jobs that a broker forgot or whose worker died; returns how many."""
    now = timezone.now()
    forgotten = Job.objects.filter(
        Q(state=Job.State.QUEUED, due_at__lte=now, queued_at__lt=now - timedelta(seconds=5))
        | Q(state=Job.State.RUNNING, lease_until__lt=now)
    )
    keys = list(forgotten.order_by("due_at").values_list("pk", flat=True)[:1000])
    for key in keys:
        wake(key)
    return len(keys)


def store_file(*, actor: Any, source: File, name: str, kind: str, job: Job | None = None) -> JobFile:
    """Keep an uploaded or made file, hashed as it is written."""
    digest = hashlib.sha256()
    for block in source.chunks():
        digest.update(block)
    source.seek(0)
    kept = JobFile(job=job, owner=actor, kind=kind, name=name[:255], size=source.size, sha256=digest.hexdigest())
    # The name on disk is ours; what people call the file is only ever shown.
    kept.file.save(f"{digest.hexdigest()[:16]}", source, save=False)
    kept.save()
    return kept


def store_made_file(
    *, actor: Any, path: Path, name: str, job: Job, rows: int, expires_at: datetime, sha256: str = ""
) -> JobFile:
    """Keep a file that a job made; it leaves its place where the storage is on the same disk."""
    with path.open("rb") as source:
        if not sha256:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
            source.seek(0)
        kept = JobFile(
            job=job,
            owner=actor,
            kind=JobFile.Kind.OUTPUT,
            name=name[:255],
            size=path.stat().st_size,
            sha256=sha256,
            rows=rows,
            expires_at=expires_at,
        )
        kept.file.save(sha256[:16], _MadeFile(source), save=False)
        kept.save()
    return kept


class _MadeFile(File):
    """A file that a storage on the same disk may move instead of copying it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def _check_owner(actor: Any, job: Job) -> None:
    if job.requested_by_id != actor.pk and not actor.has_perm("jobs.change_job"):
        raise NotPermitted("Only who asked for a job, or an administrator of jobs, can do that.")

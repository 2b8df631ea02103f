"""Files that jobs made: kept for their owner for a while, and handed out after the rights were asked again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.access_log import NotNoted, note_access
from admin_ext.audit.models import Access
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.running import JobFailed, Run
from admin_ext.jobs.services import store_made_file
from admin_ext.transfers.snapshots import check_still_read

KEPT_DAYS = 30
REMOVED_AT_ONCE = 1000


class FileGone(Exception):
    """The file of an export has expired or was removed."""


# What asks for the rights to a file that a job of some kind made, before it is handed out; raises NotPermitted.
download_rights: dict[str, Callable[[Any, Job], None]] = {}


def download(*, actor: Any, file: JobFile) -> JobFile:
    """Count and note a download, if the actor may still have the file. Raises NotPermitted, FileGone, NotNoted."""
    if file.owner_id != actor.pk:
        raise NotPermitted("A file is fetched by who had it made.")
    if not file.file or (file.expires_at and file.expires_at < timezone.now()):
        raise FileGone(f"{file} has expired. Make it anew.")
    label = ""
    if file.job and file.job.kind in ("transfers.export", "transfers.changes"):
        label = file.job.arguments["selection"]["model"]
        model = Selection.from_json(file.job.arguments["selection"]).get_model()
        if not can(actor, "export", model):
            raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural} any more.")
        check_still_read(
            actor, model, file.job.arguments.get("columns") or file.job.cursor.get("columns", ()), "export"
        )
    if file.job and (check := download_rights.get(file.job.kind)):
        check(actor, file.job)
    with transaction.atomic():
        JobFile.objects.filter(pk=file.pk).update(downloads=models.F("downloads") + 1)
        detail = {"job": file.job_id, "rows": file.rows, "sha256": file.sha256}
        note_access(Access.DOWNLOAD, actor=actor, model=label, subject=file.name, detail=detail)
    return file


def remove_expired() -> int:
    """Remove the files that have expired from the storage; returns how many. What they were stays in the ledger."""
    expired = JobFile.objects.filter(expires_at__lt=timezone.now()).exclude(file="")
    removed = 0
    for key in list(expired.values_list("pk", flat=True)[:REMOVED_AT_ONCE]):
        with transaction.atomic():
            kept = JobFile.objects.select_for_update(skip_locked=True).filter(pk=key).exclude(file="").first()
            if kept is None:
                continue
            # The same bytes may have been made twice and be kept once.
            if not JobFile.objects.filter(file=kept.file.name).exclude(pk=key).exists():
                kept.file.storage.delete(str(kept.file.name))
            JobFile.objects.filter(pk=key).update(file="")
            removed += 1
    return removed


def keep_output(
    run: Run,
    path: Path,
    *,
    name: str,
    told: dict[str, Any],
    sha256: str = "",
    noted: Access = Access.EXPORT,
    reason: str = "",
) -> None:
    """Keep what the job wrote, for its owner to fetch, and note that it was taken out: both or neither.

    `told` is what the ledger of reads says of it, `rows_written` among it. `sha256`, where it is known already.
    """
    selection = run.job.arguments.get("selection")
    meant = {"selection": selection} if selection else {}
    with run.chunk(phase="done"):
        made = store_made_file(
            actor=run.job.requested_by,
            path=path,
            sha256=sha256,
            name=name.replace(" ", "-"),
            job=run.job,
            rows=told["rows_written"],
            expires_at=timezone.now() + timedelta(days=KEPT_DAYS),
        )
        detail = {**meant, "sha256": made.sha256, "expires": made.expires_at, "job": run.job.pk}
        try:
            note_access(
                noted,
                actor=run.job.requested_by,
                model=selection["model"] if selection else "",
                subject=made.name,
                reason=reason,
                detail={**told, **detail},
            )
        except NotNoted as error:
            raise JobFailed(str(error)) from error

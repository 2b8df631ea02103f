"""Waiting for a job at a terminal: a progress bar where there is one, and work done here where no worker is about."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TextIO

from django.utils import timezone

from admin_ext.jobs.models import Job, WorkerBeat
from admin_ext.jobs.running import run_job

PATIENCE = 3.0


def wait_for(job: Job, *, out: TextIO = sys.stderr) -> Job:
    """Block until the job has ended."""
    began = time.monotonic()
    shows = out.isatty()
    while True:
        job.refresh_from_db()
        if job.has_ended:
            if shows:
                out.write("\r" + " " * 78 + "\r")
            return job
        if shows:
            out.write("\r" + _bar(job))
            out.flush()
        if job.state == Job.State.QUEUED and time.monotonic() - began > PATIENCE and not _worker_about():
            run_job(job.pk)
        else:
            time.sleep(0.1)


def _worker_about() -> bool:
    seen = WorkerBeat.last_seen()
    return seen is not None and seen > timezone.now() - timedelta(seconds=30)


def _bar(job: Job) -> str:
    filled = job.percent * 30 // 100
    total = f"{job.rows_total:,}" if job.rows_total else "?"
    return f"[{'#' * filled}{'.' * (30 - filled)}] {job.percent:3}% {job.rows_done:,} of {total} {job.phase}"[
        :78
    ].ljust(78)

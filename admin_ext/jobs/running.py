"""How a job runs: claimed with a lease and a fence, in chunks that are one transaction each.

Note [Exactly once]
    Everything that a chunk does stands in one transaction with the renewal of the lease under the chunk's fence. Who
    was paused, declared dead and replaced finds the fence raised, and the whole chunk is rolled back. So a message
    delivered twice, a worker killed at any point and a worker that comes back from the dead all leave the same rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import Act, finish_change_set, open_change_set, resume_change_set, rows_recorded
from admin_ext.audit.models import ChangeSet
from admin_ext.jobs.models import Job, JobEvent, WorkerBeat

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 5


class FenceLost(Exception):
    """Somebody else claimed the job meanwhile; what was being done is rolled back."""


class CancelRequested(Exception):
    """A person asked the job to stop; it does so between chunks."""


class JobFailed(Exception):
    """The job cannot be done; the message tells a person why and what to do."""


kinds: dict[str, Callable[[Run], None]] = {}


def job_kind(name: str) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Register what a job of this kind runs, by a stored name chosen by hand."""

    def register(function: Callable[[Run], None]) -> Callable[[Run], None]:
        kinds[name] = function
        return function

    return register


@dataclasses.dataclass
class Run:
    """One claim of a job."""

    job: Job
    fence: int

    @property
    def actor(self) -> Any:
        """The person whose rights count, read anew: a right removed is gone within one chunk."""
        actor = get_user_model()._default_manager.get(pk=self.job.requested_by_id)
        if not actor.is_active:
            raise NotPermitted(f"{actor}'s account was closed.")
        return actor

    @contextlib.contextmanager
    def chunk(self, *, phase: str = "", rows: int = 0, total: int | None = None, **changes: Any) -> Iterator[None]:
        """One transaction of work that writes nothing on the record. Raises FenceLost, CancelRequested."""
        with transaction.atomic():
            self._renew(phase=phase, rows=rows, total=total, **changes)
            yield

    @contextlib.contextmanager
    def recorded_chunk(self, *, phase: str = "", rows: int = 0) -> Iterator[Act]:
        """One transaction of work on the record, within the job's change set."""
        assert self.job.change_set is not None, "call open_change_set() first"
        with resume_change_set(self.job.change_set) as act:
            self._renew(phase=phase, rows=rows)
            yield act
            self._count_recorded()

    def open_change_set(self, *, door: str, verb: str, **fields: Any) -> ChangeSet:
        """The change set of this job; the same one after a crash."""
        if self.job.change_set is None:
            with self.chunk():
                opened = open_change_set(actor=self.job.requested_by, door=door, verb=verb, **fields)
                Job.objects.filter(pk=self.job.pk).update(change_set=opened)
                self.job.change_set = opened
        return self.job.change_set  # type: ignore[return-value]

    def commit_lazily(self) -> None:
        """Call inside a chunk that another one follows: it is written to the disk with that one's commit.

        A server that stops in between forgets the whole chunk, how far the job got as well, and the job goes on from
        where it stood before. Whatever is committed as usual afterwards, by anybody, finds the chunk on the disk before it.
        """
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")

    def save_cursor(self, **values: Any) -> None:
        """Write down how far it got; call inside a chunk, so that it commits with the data."""
        self.job.cursor = {**self.job.cursor, **values}
        Job.objects.filter(pk=self.job.pk, fence=self.fence).update(cursor=self.job.cursor)

    def add_counts(self, counts: dict[str, int]) -> None:
        """Count outcomes; call inside a chunk."""
        merged = dict(self.job.counts)
        for name, number in counts.items():
            merged[name] = merged.get(name, 0) + number
        self.job.counts = merged
        Job.objects.filter(pk=self.job.pk, fence=self.fence).update(counts=merged)

    def note(self, name: str, text: str = "") -> None:
        JobEvent.objects.create(job=self.job, name=name, text=text, fence=self.fence)

    def _count_recorded(self) -> None:
        self.save_cursor(recorded=self.job.cursor.get("recorded", 0) + rows_recorded())

    def _renew(self, *, phase: str = "", rows: int = 0, total: int | None = None, **changes: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE jobs_job SET lease_until = clock_timestamp() + make_interval(secs => %s), "
                "phase = coalesce(nullif(%s, ''), phase), rows_done = rows_done + %s, "
                "rows_total = coalesce(%s, rows_total) "
                "WHERE id = %s AND fence = %s AND state = 'running' RETURNING cancel_requested_at",
                [settings.JOB_LEASE_SECONDS, phase, rows, total, self.job.pk, self.fence],
            )
            row = cursor.fetchone()
        if row is None:
            raise FenceLost(f"Job {self.job.pk} was claimed by somebody else.")
        if row[0] is not None:
            raise CancelRequested


def claim(job_id: int) -> Run | None:
    """Take a job that is due and that nobody holds; None when there is nothing to take."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET state = 'running', fence = fence + 1, attempts = attempts + 1, "
            "lease_until = clock_timestamp() + make_interval(secs => %s), "
            "started_at = coalesce(started_at, clock_timestamp()) "
            # A row that is locked belongs to somebody at work, whatever its lease says.
            "WHERE id = (SELECT id FROM jobs_job WHERE id = %s AND (state = 'queued' "
            "OR (state = 'running' AND lease_until < clock_timestamp())) FOR UPDATE SKIP LOCKED) "
            "RETURNING fence, attempts",
            [settings.JOB_LEASE_SECONDS, job_id],
        )
        claimed = cursor.fetchone()
    if claimed is None:
        return None
    job = Job.objects.select_related("change_set__actor", "requested_by").get(pk=job_id)
    run = Run(job=job, fence=claimed[0])
    run.note("claimed", f"attempt {claimed[1]} on {socket.gethostname()}")
    return run


def run_job(job_id: int) -> None:
    """What a worker does when it is woken: claim, run, end. A job that is not to be had is left alone."""
    run = claim(job_id)
    if run is None:
        return
    if run.job.attempts > MOST_ATTEMPTS:
        end(run, Job.State.FAILED, error=f"Given up after {MOST_ATTEMPTS} attempts; its workers died each time.")
        return
    try:
        kinds[run.job.kind](run)
    except FenceLost:
        log.warning("job %s: fence %s lost", job_id, run.fence)
    except CancelRequested:
        end(run, Job.State.CANCELLED)
    except (JobFailed, NotPermitted) as error:
        end(run, Job.State.FAILED, error=str(error))
    except Exception as fault:
        if _lost_the_database(fault):
            # Nobody's mistake, and the server may be back by now: the lease runs out, and the job goes on.
            log.warning("job %s: the connection to the database was lost", job_id, exc_info=True)
            connection.close()
            return
        log.exception("job %s failed", job_id)
        end(run, Job.State.FAILED, error="It stopped on a fault of the product, which is in the log of the worker.")
    else:
        end(run, Job.State.SUCCEEDED)


def _lost_the_database(fault: BaseException | None) -> bool:
    """Was it, or what led to it, that the server stopped or the connection broke?"""
    while fault is not None:
        if isinstance(fault, (OperationalError, InterfaceError)):
            state = getattr(fault.__cause__, "sqlstate", None)  # none when the server could not say anything any more
            if state is None or state.startswith("08") or state in ("57P01", "57P02", "57P03"):
                return True
        fault = fault.__cause__ or fault.__context__
    return False


def end(run: Run, state: str, *, error: str = "") -> None:
    """Close the job and its change set under the run's fence, and ring its owner's bell."""
    with transaction.atomic():
        ended = Job.objects.filter(pk=run.job.pk, fence=run.fence, state=Job.State.RUNNING).update(
            state=state, error=error, finished_at=timezone.now(), lease_until=None
        )
        if not ended:
            return
        run.job.refresh_from_db()
        if run.job.change_set is not None:
            finish_change_set(run.job.change_set, rows=run.job.cursor.get("recorded", 0), counts=run.job.counts)
        run.note(state, error)
        for listener in ended_listeners:
            listener(run.job)


# Called with every job that ended, in the transaction that ends it.
ended_listeners: list[Callable[[Job], None]] = []


def seen() -> None:
    """Leave word that this worker is alive."""
    WorkerBeat.objects.update_or_create(name=socket.gethostname(), defaults={"seen_at": timezone.now()})

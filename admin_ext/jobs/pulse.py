"""Keeps a lease alive during work that is one long transaction, from a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import connection

from admin_ext.access.rights import NotPermitted
from admin_ext.jobs.running import CancelRequested, FenceLost, Run

FIRST, EVERY = 0.3, 1.0
"""Seconds until people are told for the first time how far it is, and from then on."""


class Pulse:
    """While the block lasts, renews the run's lease and writes down `done`, once a second or so.

    `check()` raises FenceLost or CancelRequested when the pulse has seen either, and what `permitted` raised when it was
    asked last; call it between batches. `permitted` sees the database as it is, outside of the transaction.
    """

    def __init__(
        self, run: Run, *, phase: str, total: int | None = None, permitted: Callable[[], None] | None = None
    ) -> None:
        self.run, self.phase, self.total, self.permitted = run, phase, total, permitted
        self.done = 0
        self._stop = threading.Event()
        self._seen: Exception | None = None
        self._thread = threading.Thread(target=self._beat, name=f"pulse of job {run.job.pk}", daemon=True)

    def __enter__(self) -> Self:
        # Inside somebody's transaction (a test's) the job's row is not to be seen from another connection.
        if not connection.in_atomic_block:
            self._thread.start()
        return self

    def __exit__(self, *stopped: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        if self._seen is not None:
            raise self._seen

    def _beat(self) -> None:
        try:
            wait = FIRST
            while not self._stop.wait(wait):
                self._once()
                wait = EVERY
        finally:
            connection.close()

    def _once(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE jobs_job SET lease_until = clock_timestamp() + make_interval(secs => %s), phase = %s, "
                "rows_done = %s, rows_total = coalesce(%s, rows_total) "
                "WHERE id = %s AND fence = %s AND state = 'running' RETURNING cancel_requested_at",
                [settings.JOB_LEASE_SECONDS, self.phase, self.done, self.total, self.run.job.pk, self.run.fence],
            )
            row = cursor.fetchone()
        if row is None:
            self._seen = FenceLost("The pulse of the job has stopped.")
        elif row[0] is not None:
            self._seen = CancelRequested()
        elif self.permitted is not None:
            try:
                self.permitted()
            except NotPermitted as error:
                self._seen = error

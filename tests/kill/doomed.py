"""A worker that takes one job again and again until it has ended, and is killed where its sentence says."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.db.models import Q
from django.db.models.functions import Now

from admin_ext.jobs import running
from admin_ext.jobs.models import Job
from admin_ext.plans.writing import SetBased
from admin_ext.transfers import importing
from tests.kill.sentences import AFTER, BEFORE, LATER, SEAM, Sentence

JOB_ENDED, SERVER_GONE, FAULT = 0, 3, 4
CHUNKS_AT_LEAST = 20
CHUNKS = {"reading": "reading", "comparing": "comparing", "ready": "ready", "applying": "opening", "done": "done"}


class Doom:
    """Knows in which stage the worker is, leaves word of it in a file that outlives the worker, and carries out the sentence."""

    def __init__(self, word: Path, sentence: Sentence | None, rows: int) -> None:
        self._word = os.open(word, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._sentence, self.rows = sentence, rows
        self._statements = 0
        self.stage, self.through = "", 0
        self.enter("waiting")

    def enter(self, stage: str) -> None:
        if self._sentence and stage in self._sentence.too_late:
            _die()
        if stage != self.stage:
            self.stage, self._statements = stage, 0
            os.pwrite(self._word, stage.ljust(20).encode(), 0)

    def outlived(self) -> None:
        """The job has ended: a sentence that is still open is carried out now."""
        if self._sentence:
            _die()

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        told = self._sentence
        if not told or told.moment == SEAM or not self._is_there(told):
            return execute(*arguments)
        self._statements += 1
        if self._statements != told.statement:
            return execute(*arguments)
        if told.moment == BEFORE:
            _die()
        if told.moment == LATER:
            threading.Timer(told.delay, _die).start()
        result = execute(*arguments)
        if told.moment == AFTER:
            _die()
        return result

    def committed(self) -> None:
        """A chunk has been committed just now."""
        if self._sentence and self._sentence.moment == SEAM and self._is_there(self._sentence):
            _die()

    def _is_there(self, told: Sentence) -> bool:
        return self.stage == told.stage and self.through >= told.at * self.rows


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def serve(job_id: int, doom: Doom, *, lease: float, log: Path) -> None:
    """What the forked process does; never returns."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    starter = os.getppid()
    settings.JOB_LEASE_SECONDS = lease
    running.MOST_ATTEMPTS = 30_000  # the product gives a job up after a handful; here they are killed by the hundred
    importing.BATCH = SetBased.size = min(
        importing.BATCH, doom.rows // CHUNKS_AT_LEAST
    )  # many chunks in small files too
    _tell_stages(doom)
    connection.execute_wrappers.append(doom)
    # Threads of the worker have connections of their own.
    connection_created.connect(lambda connection, **_: _watch(connection, doom), weak=False)
    code = FAULT
    try:
        code = _work(job_id, doom, starter)
    except (OperationalError, InterfaceError) as error:
        print(f"{os.getpid()}: {error}", flush=True)
        code = SERVER_GONE
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _watch(connection: Any, doom: Doom) -> None:
    if doom not in connection.execute_wrappers:
        connection.execute_wrappers.append(doom)


def _work(job_id: int, doom: Doom, starter: int) -> int:
    due = Q(state="queued") | Q(state="running", lease_until__lt=Now())
    while os.getppid() == starter:
        doom.enter("waiting")
        if Job.objects.filter(due, pk=job_id).exists():
            running.run_job(job_id)
        elif Job.objects.filter(pk=job_id, state__in=Job.ENDED).exists():
            return JOB_ENDED
        time.sleep(0.02)
    return FAULT


def _tell_stages(doom: Doom) -> None:
    """Have the running of jobs say where it is. Nothing of what it does is changed."""
    claim, end, chunk, recorded_chunk = running.claim, running.end, running.Run.chunk, running.Run.recorded_chunk

    def telling_claim(job_id: int) -> running.Run | None:
        doom.enter("claiming")
        run = claim(job_id)
        doom.enter({"plans.make": "reading", "plans.apply": "opening"}[run.job.kind] if run else "waiting")
        doom.through = run.job.cursor.get("number", 0) if run and run.job.kind == "plans.apply" else 0
        return run

    def telling_end(run: running.Run, state: str, *, error: str = "") -> None:
        doom.enter("ending")
        end(run, state, error=error)
        doom.outlived()

    @contextlib.contextmanager
    def telling_chunk(self: running.Run, *, phase: str = "", rows: int = 0, **others: Any) -> Iterator[None]:
        doom.enter(CHUNKS.get(phase, doom.stage))
        with chunk(self, phase=phase, rows=rows, **others):
            yield
        doom.through += rows
        doom.committed()

    @contextlib.contextmanager
    def telling_recorded_chunk(self: running.Run, **others: Any) -> Iterator[Any]:
        doom.enter("applying")
        with recorded_chunk(self, **others) as act:
            yield act
        doom.through = self.job.cursor.get("number", 0)
        doom.committed()

    running.claim, running.end = telling_claim, telling_end
    running.Run.chunk = telling_chunk  # type: ignore[method-assign]
    running.Run.recorded_chunk = telling_recorded_chunk  # type: ignore[method-assign]

"""Real servers for the integration and kill tests, as far as the environment names them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

BROKERS = {
    name: os.environ[variable]
    for name, variable in (("redis", "OPSADMIN_TEST_REDIS"), ("rabbitmq", "OPSADMIN_TEST_RABBITMQ"))
    if os.environ.get(variable)
}


@contextmanager
def worker(data: Path, *, broker: str = "atomicfs://localhost", **environment: str) -> Iterator[subprocess.Popen]:
    """A Celery worker with beat, on the current test database, in a process group of its own."""
    for folder in ("broker", "broker-control"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    database = connection.settings_dict["NAME"]
    url = settings.DATABASE_URL
    base, _, query = url.partition("?")
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "opsadmin",
        "worker",
        "-B",
        "-c",
        "1",
        "-Q",
        "opsadmin",
        "-l",
        "warning",
    ]
    log = (data / "worker.log").open("ab")
    process = subprocess.Popen(
        [*command, "-s", str(data / "beat")],
        env={
            **os.environ,
            "DATABASE_URL": f"{base.rpartition('/')[0]}/{database}" + (f"?{query}" if query else ""),
            "CELERY_BROKER_URL": broker,
            "OPSADMIN_DATA": str(data),
            "MEDIA_ROOT": str(settings.MEDIA_ROOT),
            "SECRET_KEY": settings.SECRET_KEY,  # the database knows the claims of those who share it
            "DJANGO_SETTINGS_MODULE": "opsadmin.settings.development",
            "JOB_LEASE_SECONDS": "3",
            **environment,
        },
        cwd=settings.BASE_DIR,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)
        log.close()


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to the worker and everything it started: what a power cut does."""
    import signal

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(timeout=30)


def until(condition: object, *, seconds: float = 90, every: float = 0.05) -> None:
    """Wait until `condition()` holds. Raises AssertionError when it does not in time."""
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(every)

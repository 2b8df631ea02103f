"""The product as people meet it: web, worker and beat on a database with the demo world in it."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import connection

from opsadmin.database import OWNER, as_role
from opsadmin.embedded import broker, stack
from tests import databases

# The demo world is the same for the same seed.
SEED = 20
READY_SECONDS = 90


class HouseNotReady(Exception):
    """Web, worker or beat did not come up; the message ends with what they said."""


@dataclasses.dataclass(frozen=True)
class House:
    """Where the product is, and what a test may look up beside the browser."""

    address: str
    database: str
    logs: Path

    def facts(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the database as its owner sees them: what a journey measures the pages against."""
        with psycopg.connect(as_role(self.database, OWNER)) as owner:
            return owner.execute(query, parameters).fetchall()

    def last_words(self, lines: int = 12) -> str:
        """The end of what they said."""
        told = []
        for log in sorted(self.logs.glob("*.log")):
            told += [f"-- {log.stem}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(told)


@contextmanager
def open_house(name: str, folder: Path) -> Iterator[House]:
    """Make the database `name` with the demo world, run web, worker, beat and sealer on it, and leave nothing behind."""
    data = folder / "data"
    data.mkdir()
    broker.open_folders(data)
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}")),
        "DJANGO_SETTINGS_MODULE": "opsadmin.settings.development",
        # The house was furnished by this process, which signed with its own key.
        "AUDIT_CONTEXT_KEYS": settings.SECRET_KEY,
        "OPSADMIN_DATA": str(data),
        "CELERY_BROKER_URL": "atomicfs://localhost",
    }
    with ExitStack() as held:
        held.callback(databases.drop, name)
        with _the_suites_own_login():
            databases.clone(databases.make_template(), name)

        def prepare(*command: str) -> None:
            subprocess.run(stack.manage(*command), env=environment, check=True, timeout=300)

        prepare("collectstatic", "--no-input", "--verbosity", "0")
        port = _free_port()
        house = House(f"http://127.0.0.1:{port}", environment["DATABASE_URL"], folder)
        programs = (stack.web(environment, port), stack.worker(environment), stack.beat(environment))
        for program in (*programs, stack.sealer(environment)):
            program = dataclasses.replace(program, output=folder / f"{program.name}.log")
            held.callback(program.stop, program.start())
        # Meanwhile they come up.
        prepare("seed_demo", "--scale", "small", "--seed", str(SEED), "--verbosity", "0")
        _wait_until_ready(house)
        yield house


@contextmanager
def _the_suites_own_login() -> Iterator[None]:
    """Making and cloning databases logs the suite in to them; it goes back to where it was."""
    before = dict(connection.settings_dict)
    try:
        yield
    finally:
        databases.log_in_as(before["USER"], before["NAME"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(house: House) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{house.address}/readyz", timeout=10).close()
            return
        except OSError as error:  # nobody listens yet, or 503: somebody is missing
            answer = error.read().decode() if isinstance(error, urllib.error.HTTPError) else str(error)
        if time.monotonic() > deadline:
            raise HouseNotReady(f"not ready after {READY_SECONDS} s: {answer}\n{house.last_words()}")
        time.sleep(0.2)

"""`./dev demo` as a person uses it: started, found running, managed beside it, killed, started again, stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsadmin.embedded.claims import holder_of
from opsadmin.embedded.places import ROOT
from opsadmin.embedded.postgres import Cluster
from tests.embedded.processes import is_alive, wait_until

pytestmark = pytest.mark.kill


def ps(columns: str) -> str:
    return subprocess.run(["ps", "-eww", "-o", columns], capture_output=True, text=True, check=True).stdout


def commands() -> dict[int, str]:
    """The command line of every process."""
    lines = (line.split(None, 1) for line in ps("pid=,args=").splitlines())
    return {int(pid): command for pid, command in lines}


class Demo:
    """A demo on a data directory of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.output = data.with_suffix(".log")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        named = ("DATABASE_URL", "CELERY_BROKER_URL", "OPSADMIN_DATA", "SECRET_KEY", "DJANGO_SETTINGS_MODULE")
        self.environment = {name: value for name, value in os.environ.items() if name not in named}
        self.supervisor: subprocess.Popen[bytes] | None = None

    def dev(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "opsadmin.embedded", verb, "--data", str(self.data), *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def start(self) -> float:
        """Seconds until it said its address."""
        command = [sys.executable, "-m", "opsadmin.embedded", "demo", "--data", str(self.data)]
        began = time.monotonic()
        with self.output.open("wb") as output:
            self.supervisor = subprocess.Popen(
                [*command, "--port", str(self.port)], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )
        wait_until(lambda: "opsadmin runs at" in self.said() or self.supervisor.poll() is not None, 300)
        assert self.supervisor.poll() is None, self.said()
        return time.monotonic() - began

    def said(self) -> str:
        return self.output.read_text()

    @property
    def pid(self) -> int:
        assert self.supervisor
        return self.supervisor.pid

    def status(self, path: str) -> int:
        """The status of the answer; 0 when there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def processes(self) -> set[int]:
        """The supervisor and everything below it."""
        listed = ps("pid=,ppid=")
        parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
        found = {self.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def parts(self) -> dict[str, int]:
        """The programs that the supervisor holds up."""
        marks = {"web": "gunicorn", "worker": "celery -A opsadmin worker", "postgres": "bin/postgres"}
        found: dict[str, int] = {}
        for pid in sorted(self.processes()):  # the children of a part come after it
            for name, mark in marks.items():
                if mark in commands().get(pid, ""):
                    found.setdefault(name, pid)
        assert set(found) == set(marks)
        return found

    def kill(self) -> set[int]:
        """Kill the supervisor; the processes that it had."""
        assert self.supervisor
        processes = self.processes()
        self.supervisor.kill()
        self.supervisor.wait()
        return processes


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "data")
    yield demo
    if demo.supervisor and demo.supervisor.poll() is None:
        processes = demo.kill()
        wait_until(lambda: not any(map(is_alive, processes)), 60)
    Cluster.at((demo.data / "postgres").resolve()).remove()


def test_a_day_with_the_demo(demo: Demo) -> None:
    """One story, because making the demo world takes its time."""
    demo.start()
    assert demo.status("/healthz") == 200
    assert "administrator" in demo.said().partition("opsadmin runs at")[2]

    second = demo.dev("demo", "--port", str(demo.port))
    assert second.returncode == 1
    assert f"already running on {demo.data} (process {demo.pid})" in second.stderr

    # A management command uses the running database.
    managed = demo.dev("manage", "shell", "-v", "0", "-c", "from django.db import connection as c; print(c.cursor())")
    assert managed.returncode == 0, managed.stderr

    # Parts that fall come back, the database too.
    parts = demo.parts()
    for pid in parts.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: demo.said().count("starting it again") == len(parts), 60)
    wait_until(lambda: demo.status("/readyz") == 200, 60)
    for name in parts:
        assert f"{name} ended (killed by SIGKILL); starting it again in 1 s" in demo.said()

    # Nothing is left of a demo that was killed, and it starts again.
    processes = demo.kill()
    wait_until(lambda: not any(map(is_alive, processes)), 60)
    demo.start()
    assert demo.status("/healthz") == 200

    processes = demo.processes()
    assert len(processes) > 8
    assert demo.dev("stop").returncode == 0
    assert demo.supervisor.wait(5) == 0  # type: ignore[union-attr]
    assert not any(map(is_alive, processes))
    assert demo.dev("stop").stdout == f"Nothing is running on {demo.data}.\n"


def test_a_used_port_is_named(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        refused = demo.dev("demo", "--port", str(demo.port))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"./dev: Port {demo.port} cannot be used")
    assert "Traceback" not in refused.stderr


def test_management_commands_share_one_server_and_leave_none(demo: Demo, tmp_path: Path) -> None:
    # The first starts the server and is through first; the second still needs it then.
    asks = "import pathlib, time\nfrom django.db import connection as c\nc.cursor().execute('SELECT 1')\n"
    joined = f"pathlib.Path({str(tmp_path / 'joined')!r})"
    first_until_joined = f"{asks}while not {joined}.exists(): time.sleep(.1)"
    second_for_longer = f"{asks}{joined}.touch()\ntime.sleep(3)\nc.cursor().execute('SELECT 1')"
    command = [sys.executable, "-m", "opsadmin.embedded", "manage", "--data", str(demo.data), "shell", "-v", "0", "-c"]
    first = subprocess.Popen([*command, first_until_joined], cwd=ROOT, env=demo.environment)
    wait_until(lambda: holder_of(demo.data / "postgres" / "lock") is not None, 30)
    second = subprocess.run(
        [*command, second_for_longer], cwd=ROOT, env=demo.environment, capture_output=True, text=True, check=False
    )
    assert second.returncode == 0, second.stderr
    assert first.wait(30) == 0
    assert not [command for command in commands().values() if str((demo.data / "postgres").resolve()) in command]

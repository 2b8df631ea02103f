"""Programs end with the process that started them, however that one ends."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from opsadmin.embedded import Obstacle
from opsadmin.embedded.programs import Program, run_in_foreground
from tests.embedded.processes import is_alive, python, wait_until

STARTER = """
import os, sys, time
from opsadmin.embedded import programs
if "watched" in sys.argv:
    programs._libc = None
process = programs.Program(name="child", command=["sleep", "60"], environment=dict(os.environ)).start()
print(process.pid)
time.sleep(60)
"""


@pytest.mark.kill
def test_a_program_ends_when_its_starter_is_killed() -> None:
    with python(STARTER) as starter:
        pid = int(starter.stdout.readline())  # type: ignore[union-attr]
        assert is_alive(pid)
        starter.kill()
        wait_until(lambda: not is_alive(pid))


@pytest.mark.kill
def test_it_does_so_without_the_kernels_help(tmp_path: Path) -> None:
    """As on macOS, where a script stands between the two."""
    with python(STARTER, "watched") as starter:
        watcher = int(starter.stdout.readline())  # type: ignore[union-attr]
        children = Path(f"/proc/{watcher}/task/{watcher}/children")
        if not children.exists():
            pytest.skip("only Linux lists the children of a process")
        wait_until(lambda: bool(children.read_text()))
        pid = int(children.read_text())
        assert is_alive(pid)
        starter.kill()
        wait_until(lambda: not is_alive(pid) and not is_alive(watcher))


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(Obstacle, match="/no/such/program cannot be started"):
        Program(name="none", command=["/no/such/program"], environment={}).start()


class TestRunInForeground:
    def test_returns_the_exit_code(self) -> None:
        assert run_in_foreground(["sh", "-c", "exit 7"], os.environ) == 7

    def test_says_which_signal_ended_it(self) -> None:
        assert run_in_foreground(["sh", "-c", "kill -KILL $$"], os.environ) == 128 + signal.SIGKILL

    def test_passes_sigterm_on(self, tmp_path: Path) -> None:
        script = f"trap 'exit 9' TERM; touch {tmp_path}/up; while :; do sleep .05; done"

        def tell() -> None:
            wait_until((tmp_path / "up").exists)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=tell).start()
        assert run_in_foreground(["sh", "-c", script], os.environ) == 9

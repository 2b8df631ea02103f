"""The supervisor: what its programs say, what happens when one falls, and in which order they stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsadmin.embedded.programs import Program
from opsadmin.embedded.supervisor import Supervisor, ToldToStop
from tests.embedded.processes import is_alive

Said = list[str]


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
def supervisor(said: Said) -> Iterator[Supervisor]:
    with Supervisor(said.append) as supervisor:
        yield supervisor


def shell(name: str, script: str, **options: object) -> Program:
    return Program(name=name, command=["sh", "-c", script], environment=dict(os.environ), **options)  # type: ignore[arg-type]


class TestFinish:
    def test_returns_the_exit_code_and_shows_every_line(self, supervisor: Supervisor, said: Said) -> None:
        assert supervisor.finish(shell("step", "echo one; echo two >&2; printf three; exit 3")) == 3
        assert said == ["step     | one", "step     | two", "step     | three"]

    def test_shows_output_larger_than_a_pipe(self, supervisor: Supervisor, said: Said) -> None:
        supervisor.finish(shell("step", "seq 50000"))
        assert [int(line.split("| ")[1]) for line in said] == list(range(1, 50001))

    def test_ends_the_step_when_told_to_stop(self, supervisor: Supervisor, said: Said) -> None:
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
        with pytest.raises(ToldToStop):
            supervisor.finish(shell("step", "echo $$; exec sleep 60"))
        assert not is_alive(int(said[0].split("| ")[1]))


class TestFall:
    def test_a_program_that_fell_is_started_again_after_growing_pauses(
        self, supervisor: Supervisor, said: Said
    ) -> None:
        supervisor.start(shell("faller", "echo up; exit 7"))
        supervisor.watch(until=lambda: said.count("faller   | up") == 3)
        pauses = [line for line in said if "ended" in line][:2]
        assert pauses == [f"faller ended (exit code 7); starting it again in {pause} s" for pause in (1, 2)]

    def test_what_it_left_behind_is_killed_first(self, supervisor: Supervisor, said: Said) -> None:
        process = supervisor.start(shell("parent", "sleep 60 & echo $!; wait"))
        supervisor.watch(until=lambda: len(said) == 1)
        process.kill()
        supervisor.watch(until=lambda: len(said) == 3)
        assert said[1] == "parent ended (killed by SIGKILL); starting it again in 1 s"
        assert not is_alive(int(said[0].split("| ")[1]))


class TestStop:
    def test_what_started_first_stops_last_when_the_others_have_ended(
        self, supervisor: Supervisor, tmp_path: Path
    ) -> None:
        def notes_its_end(name: str, seconds: float) -> Program:
            note = f"echo {name} >> {tmp_path}/ends"
            return shell(
                name, f"trap 'sleep {seconds}; {note}; exit' TERM; touch {tmp_path}/{name}; while :; do sleep .05; done"
            )

        for name, seconds in {"database": 0, "worker": 0.6, "web": 0.1}.items():
            supervisor.start(notes_its_end(name, seconds))
        supervisor.watch(until=lambda: all((tmp_path / name).exists() for name in ("database", "worker", "web")))
        supervisor.stop()
        assert (tmp_path / "ends").read_text().split() == ["web", "worker", "database"]

    def test_what_does_not_stop_is_killed_when_patience_ends(self, supervisor: Supervisor, said: Said) -> None:
        process = supervisor.start(shell("deaf", "trap '' TERM; echo up; while :; do sleep 1; done", patience=0.5))
        supervisor.watch(until=lambda: bool(said))
        began = time.monotonic()
        supervisor.stop()
        assert process.returncode == -signal.SIGKILL
        assert time.monotonic() - began < 5
        assert said[-1] == "deaf does not stop; killing it"

    def test_a_second_request_does_not_wait(self, supervisor: Supervisor, said: Said) -> None:
        process = supervisor.start(shell("deaf", "trap '' TERM; echo up; while :; do sleep 1; done", patience=60))
        supervisor.watch(until=lambda: bool(said))
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
        supervisor.stop()
        assert process.returncode == -signal.SIGKILL

    def test_handlers_are_given_back(self) -> None:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with Supervisor():
            assert signal.getsignal(signal.SIGTERM) != before[1]
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before

"""Runs the programs of the stack together: shows what they say, restarts one that falls, stops them in order."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from opsadmin.embedded.programs import Program, kill_group

STEADY = 60.0  # seconds; a program that ran this long has recovered, and its next fall begins the count anew
LONGEST_PAUSE = 30.0
_TICK = 0.2


class ToldToStop(Exception):
    """The person pressed Ctrl-C, or somebody sent SIGTERM, before the work was done."""


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    falls: int = 0
    restart: float | None = None  # when to start it again, while it is down
    unfinished: bytes = b""  # the last, incomplete line of its output

    @property
    def running(self) -> bool:
        return self.restart is None


class Supervisor:
    """Holds programs up between `with` and its end, then stops them.

    What `start` started first, stops last, and only when all the others have ended: the database outlives its users.
    Everything happens in one thread, the one whose death the programs notice.
    """

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self._say = say
        self._children: list[_Child] = []
        self._outputs = selectors.DefaultSelector()
        self._told = 0
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Set even where the shell has switched Ctrl-C off for a background job. A hang-up stays ignored: `nohup`.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._tell)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._outputs.close()

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        """Start a program and keep it up from now on."""
        child = _Child(program, program.start())
        self._children.append(child)
        self._listen(child)
        return child.process

    def finish(self, program: Program) -> int:
        """Run a program to its end and return its exit code, looking after the others meanwhile. Raises ToldToStop."""
        child = _Child(program, program.start())
        self._listen(child)
        try:
            while child.process.poll() is None:
                self._tick()
        except ToldToStop:
            program.stop(child.process)
            raise
        finally:
            self._hear_out(child)
        return child.process.returncode

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Look after the programs until the condition holds. Raises ToldToStop."""
        while not until():
            self._tick()

    def stop(self) -> None:
        """Stop everything; a second Ctrl-C kills what is still running."""
        told_before = self._told
        waves = [self._children[:0:-1], self._children[:1]]
        for wave in waves:
            stopping = [child for child in wave if child.running and child.process.poll() is None]
            for child in stopping:
                child.process.send_signal(child.program.stop_signal)
            began = time.monotonic()
            while stopping:
                self._show_output(_TICK)
                for child in list(stopping):
                    late = time.monotonic() - began > child.program.patience or self._told > told_before
                    if late and child.process.poll() is None:
                        self._say(f"{child.program.name} does not stop; killing it")
                        kill_group(child.process)
                    if child.process.poll() is not None:
                        stopping.remove(child)
            for child in wave:
                self._hear_out(child)
                kill_group(child.process)  # whatever it left in its session
        self._children.clear()

    def _tell(self, *_: object) -> None:
        self._told += 1

    def _tick(self) -> None:
        self._show_output(_TICK)
        if self._told:
            raise ToldToStop
        for child in self._children:
            if child.running and child.process.poll() is not None:
                self._note_fall(child)
            elif child.restart is not None and time.monotonic() >= child.restart:
                self._start_again(child)

    def _note_fall(self, child: _Child) -> None:
        self._hear_out(child)
        kill_group(child.process)  # its own children, which may hold ports, locks or work
        if time.monotonic() - child.started > STEADY:
            child.falls = 0
        pause = min(2.0**child.falls, LONGEST_PAUSE)
        child.falls += 1
        child.restart = time.monotonic() + pause
        self._say(f"{child.program.name} ended ({_how(child.process.returncode)}); starting it again in {pause:.0f} s")

    def _start_again(self, child: _Child) -> None:
        child.process = child.program.start()
        child.started, child.restart = time.monotonic(), None
        self._listen(child)

    def _listen(self, child: _Child) -> None:
        if child.process.stdout:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._outputs.register(child.process.stdout, selectors.EVENT_READ, child)

    def _show_output(self, seconds: float) -> None:
        if not self._outputs.get_map():
            time.sleep(seconds)
        for key, _ in self._outputs.select(seconds):
            self._read(key.data)

    def _hear_out(self, child: _Child) -> None:
        """Show the last words of a program that has ended."""
        if not child.process.stdout or child.process.stdout.closed:
            return
        while self._read(child):
            pass
        if child.unfinished:
            self._print(child, child.unfinished)
            child.unfinished = b""
        with contextlib.suppress(KeyError):
            self._outputs.unregister(child.process.stdout)
        child.process.stdout.close()

    def _read(self, child: _Child) -> bool:
        assert child.process.stdout
        try:
            read = os.read(child.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        if not read:
            with contextlib.suppress(KeyError):
                self._outputs.unregister(child.process.stdout)
            return False
        *lines, child.unfinished = (child.unfinished + read).split(b"\n")
        for line in lines:
            self._print(child, line)
        return True

    def _print(self, child: _Child, line: bytes) -> None:
        self._say(f"{child.program.name:<8} | {line.decode(errors='replace').rstrip()}")


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

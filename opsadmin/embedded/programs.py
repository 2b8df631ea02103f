"""Programs tied to the life of the process that starts them: when it is gone, even by `kill -9`, so are they."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from opsadmin.embedded import Obstacle, watch
from opsadmin.embedded.places import ROOT, Account

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, as whom, and how to end it.

    `patience` is the number of seconds between the polite `stop_signal` and the kill. `output` is the file that takes
    what it prints; without one, its starter reads it from a pipe.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None
    stop_signal: Signals = signal.SIGTERM
    patience: float = 15.0
    output: Path | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own: the terminal's Ctrl-C reaches its starter only. Raises Obstacle."""
        identity = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []} if self.account else {}
        with contextlib.ExitStack() as files:
            output = files.enter_context(self.output.open("wb")) if self.output else subprocess.PIPE
            return _start(
                self.command,
                self.stop_signal,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **identity,
            )

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ask it to end; kill it and all its children when patience runs out."""
        process.send_signal(self.stop_signal)
        try:
            process.wait(self.patience)
        except subprocess.TimeoutExpired:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that was started in its own session, with whatever it left behind there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_in_foreground(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command at the terminal, keyboard and Ctrl-C included, and return its exit code."""
    process = _start(command, signal.SIGTERM, env=dict(environment))

    def pass_on(number: int, _: object) -> None:
        # The terminal sends Ctrl-C to the command itself as well.
        if number != signal.SIGINT:
            process.send_signal(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` wants it
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _start(command: Sequence[str], death_signal: Signals, **options: object) -> subprocess.Popen[bytes]:
    options.setdefault("cwd", ROOT)
    try:
        if _libc is None:
            return watch.start(command, death_signal, **options)
        return subprocess.Popen(command, preexec_fn=_tie(_libc, death_signal), **options)  # type: ignore[call-overload]
    except OSError as error:
        raise Obstacle(f"{command[0]} cannot be started: {error.strerror}.") from error


def _tie(kernel: ctypes.CDLL, death_signal: Signals) -> Callable[[], None]:
    """What the child does before it becomes the program: it asks the kernel for a signal at its parent's death."""
    parent = os.getpid()

    def tie() -> None:
        # A shell's background job is born deaf to SIGINT, and its children would be too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        kernel.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return tie

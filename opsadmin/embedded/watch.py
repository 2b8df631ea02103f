"""Ends a command when its starter is gone, on systems whose kernel does not do so (everything but Linux).

Between starter and command stands this script. The starter keeps the other end of a pipe that nobody writes to: its
end of file means that the starter is dead.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def start(command: Sequence[str], death_signal: int, **options: Any) -> subprocess.Popen[bytes]:
    """Start `command` under watch. Options are those of Popen."""
    watched, held = os.pipe()
    try:
        script = [sys.executable, __file__, str(watched), str(int(death_signal)), *command]
        process = subprocess.Popen(script, pass_fds=[watched], **options)
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(watched)
    process.held_pipe = held  # open for as long as this process lives
    return process


def main(watched: int, death_signal: int, command: Sequence[str]) -> int:
    """Run the command to its end, or to the end of the process that holds the pipe."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda number, _: child.send_signal(number))
    while child.poll() is None:
        orphaned, _, _ = select.select([watched], [], [], 0.2)
        if orphaned:
            child.send_signal(death_signal)
            child.wait()
    return 128 - child.returncode if child.returncode < 0 else child.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))

"""Read files, each in a process of its own that is bound as the product's reader is, and say what became of them.

`ReadingServer` keeps one Python that has everything imported; it forks for each file, so that thousands take
minutes. What is read here is read by the code that the product's reading process runs, but a death of the process is
reported as such, where the product would make a sentence of it.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from admin_ext.transfers.reading import FileNotReadable, Limits, OptionNotUsable, ReadOptions
from admin_ext.transfers.reading.opening import open_here

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60
MEGABYTES = 1024


class ReadingServer:
    """`with ReadingServer() as server: server.read(path)` gives the outcome, with `seconds` and `rss_mb`."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.admin_ext.transfers.read_within_limits"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=SECONDS)
        self._process.stdout.close()

    def read(self, path, **options) -> dict:
        self._process.stdin.write(json.dumps({"path": str(path), "options": options}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def outcome(path: str, options: dict) -> dict[str, object]:
    """Read to the end. `problems` counts the rows that are handed back; `content` is a hash of every cell."""
    try:
        table = open_here(Path(path), options=ReadOptions(**options), limits=Limits())
        rows = problems = 0
        content = hashlib.sha256()
        for row in table.rows():
            rows += 1
            problems += row.problem is not None
            content.update(repr(list(row.cells)).encode("utf-8", "surrogatepass"))
    except (FileNotReadable, OptionNotUsable) as refused:
        return {"refused": str(refused), "fact": type(refused).__name__}
    return {
        "rows": rows,
        "problems": problems,
        "blank": table.blank_rows,
        "header": table.header,
        "content": content.hexdigest(),
        "format": table.detected.format,
    }


def _read_in_a_fork(asked: dict) -> dict:
    ours, theirs = os.pipe()
    began = time.monotonic()
    if not (child := os.fork()):
        signal.alarm(SECONDS)  # wall time; the limits bind processor time
        Limits(memory_mb=MEGABYTES, cpu_seconds=SECONDS).hold_this_process()
        told = json.dumps(outcome(asked["path"], asked["options"])).encode()
        while told:
            told = told[os.write(theirs, told) :]
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = pipe.read()
    _, status, used = os.wait4(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    answer = json.loads(told) if ended == 0 else {"died": ended}
    return answer | {"seconds": round(time.monotonic() - began, 2), "rss_mb": used.ru_maxrss // 1024}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_read_in_a_fork(json.loads(line))) + "\n")
        sys.stdout.flush()

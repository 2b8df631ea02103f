"""A PostgreSQL that can be stopped as if the power had failed, and comes back."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from types import TracebackType

from opsadmin.embedded.postgres import SUPERUSER, Cluster


class Server:
    """An embedded cluster of its own in `home`, gone after the block; `follows` makes it the standby of another."""

    def __init__(self, home: Path, *, follows: Server | None = None) -> None:
        self._follows = follows
        # Nothing that a stop could lose is left to the operating system alone but what it keeps over a stop of the server.
        self._cluster = Cluster.at(home, {"fsync": "off"})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._cluster.url("postgres")

    def address(self, database: str) -> str:
        return self._cluster.url(database)

    def standby(self, home: Path) -> Server:
        return Server(home, follows=self)

    def __enter__(self) -> Server:
        if self._follows:
            self._copy(self._follows)
        self._cluster.initialise()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._cluster.program().stop(self._process)
        self._cluster.remove_socket()

    def _copy(self, other: Server) -> None:
        self._cluster.directory.mkdir(mode=0o700)
        self._cluster._give_away(self._cluster.directory)
        source = ("--host", str(other._cluster.socket), "--username", SUPERUSER)
        self._cluster._run(
            "pg_basebackup",
            "--pgdata",
            str(self._cluster.directory),
            *source,
            "--write-recovery-conf",
            "--checkpoint",
            "fast",
        )

    def start(self) -> None:
        self._cluster.clear_remains()
        self._process = self._cluster.program().start()
        self._cluster.wait_until_ready(self._process)

    def stop_at_once(self) -> None:
        """What `pg_ctl stop -m immediate` does: no checkpoint, no goodbye; the next start recovers from the log."""
        assert self._process is not None
        pid = int((self._cluster.directory / "postmaster.pid").read_text().split()[0])
        subprocess.run(["kill", f"-{int(signal.SIGQUIT)}", str(pid)], check=True)
        self._process.wait(timeout=60)

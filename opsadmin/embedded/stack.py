"""What runs together on one machine, and in which order it is made ready."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from opsadmin.embedded import Obstacle
from opsadmin.embedded.claims import Taken, alone, claim, holder_of, shared
from opsadmin.embedded.places import ROOT, open_cluster_home, open_data_directory, secret_key
from opsadmin.embedded.postgres import Cluster
from opsadmin.embedded.programs import Program, run_in_foreground

Environment = dict[str, str]


@dataclass(frozen=True)
class Data:
    """An open data directory."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Data:
        """Raises Obstacle when it cannot be written."""
        return cls(open_data_directory(path))

    @property
    def demo_claim(self) -> Path:
        return self.path / "demo.lock"

    def cluster(self) -> Cluster:
        return Cluster.at(open_cluster_home(self.path / "postgres"))

    def environment(self, cluster: Cluster | None) -> Environment:
        """What every process of the stack is told. Variables that the person has set win."""
        told = {
            "OPSADMIN_DATA": str(self.path),
            "SECRET_KEY": os.environ.get("SECRET_KEY") or secret_key(self.path),
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "opsadmin.settings.development"),
            "PYTHONUNBUFFERED": "1",
        }
        return os.environ | told | (reach(cluster) if cluster else {})


def reach(cluster: Cluster) -> Environment:
    """What a process needs to know to reach the cluster, `psql` of `manage.py dbshell` included."""
    path = f"{cluster.binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {"DATABASE_URL": cluster.url(), "PGHOST": str(cluster.socket), "PATH": path}


def database_is_embedded() -> bool:
    """Whether nobody has named a real server."""
    return not os.environ.get("DATABASE_URL")


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def cluster_claim(cluster: Cluster) -> Path:
    return cluster.home / "lock"


@contextlib.contextmanager
def database(data: Data) -> Iterator[Environment]:
    """The environment to reach the database: the server that DATABASE_URL names, or the embedded one.

    The embedded one is the running demo's, or is started for as long as the block lasts. Commands that overlap share
    it: whoever started it stays until the others are through.
    """
    if not database_is_embedded():
        yield data.environment(None)
        return
    cluster = data.cluster()
    users = cluster.home / "users.lock"
    with contextlib.ExitStack() as held:
        while True:
            last = held.enter_context(contextlib.ExitStack())
            with contextlib.suppress(Taken):
                held.enter_context(claim(cluster_claim(cluster), "./dev manage"))
                _start_for_a_while(held, last, cluster, users, data)
                break
            last.enter_context(shared(users))
            if holder_of(cluster_claim(cluster)):
                _wait_for_database(cluster)
                break
            last.close()  # its owner has gone in the meantime
        yield data.environment(cluster)


def _start_for_a_while(
    held: contextlib.ExitStack, last: contextlib.ExitStack, cluster: Cluster, users: Path, data: Data
) -> None:
    """Start the server until `held` ends, which waits for the others that use it."""
    made = cluster.initialise()
    held.enter_context(cluster.running())
    # Kept until the server has stopped, so that nobody joins while it does.
    held.callback(_wait_for_the_others, users, last)
    if made:
        run_in_foreground(manage("setup_database", "--verbosity", "0"), data.environment(cluster))


def _wait_for_the_others(users: Path, last: contextlib.ExitStack) -> None:
    try:
        last.enter_context(claim(users, "./dev manage"))
    except Taken:
        print("waiting for another ./dev manage on the same data to end", file=sys.stderr)
        last.enter_context(alone(users))


def _wait_for_database(cluster: Cluster, seconds: float = 60.0) -> None:
    """Wait while whoever started the server makes it ready. Raises Obstacle when that does not come about."""
    cluster.wait_until_ready()
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(cluster.url()).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise Obstacle(f"The database is not there: {error}") from error
            time.sleep(0.1)


def web(environment: Environment, port: int) -> Program:
    # Loaded once and forked: two workers are up as soon as one.
    command = python(
        "gunicorn", "opsadmin.wsgi:application", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--preload",
        "--no-control-socket", "--access-logfile", "-",
    )  # fmt: skip
    return Program(name="web", command=command, environment=environment)


def worker(environment: Environment) -> Program:
    command = python(
        "celery", "-A", "opsadmin", "worker", "--concurrency", "2", "--queues", "opsadmin", "--loglevel", "INFO",
        # Talk among workers is of no use to a single one, and in files it would pile up.
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    )  # fmt: skip
    # It waits for its running tasks, as long as CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT says.
    return Program(name="worker", command=command, environment=environment, patience=45.0)


def beat(environment: Environment) -> Program:
    command = python("celery", "-A", "opsadmin", "beat", "--loglevel", "WARNING", "--pidfile=")
    return Program(name="beat", command=command, environment=environment)


def sealer(environment: Environment) -> Program:
    # It finishes its round and publishes the newest checkpoint before it ends.
    return Program(name="sealer", command=manage("seal_audit", "--follow"), environment=environment)

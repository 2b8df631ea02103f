"""`./dev demo`: from nothing to a running back office, and `./dev stop`."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib.metadata
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from opsadmin.database import ROLES, as_role, user_of
from opsadmin.embedded import Obstacle, broker, stack
from opsadmin.embedded.claims import Taken, claim, holder_of
from opsadmin.embedded.places import ROOT
from opsadmin.embedded.postgres import Cluster
from opsadmin.embedded.programs import Program
from opsadmin.embedded.supervisor import Supervisor, ToldToStop


class NotPrepared(Obstacle):
    """A step before the start failed; what it printed stands above."""


def run(data: stack.Data, port: int) -> int:
    """Prepare everything, run it until told to stop, stop it. Raises Obstacle where that is not possible."""
    with contextlib.ExitStack() as held:
        _claim_demo(held, data)
        _check_port(port)
        cluster = _open_cluster(held, data) if stack.database_is_embedded() else None
        environment = data.environment(cluster)
        broker.open_folders(data.path)
        with Supervisor(say) as supervisor:
            try:
                if cluster:
                    cluster.wait_until_ready(supervisor.start(cluster.program()))
                _prepare(supervisor, data, environment, cluster)
                supervisor.start(stack.sealer(environment))
                supervisor.start(stack.worker(environment))
                supervisor.start(stack.beat(environment))
                supervisor.start(stack.web(environment, port))
                logins = _logins(environment)
                supervisor.watch(until=lambda: _answers(port))
                say(f"\nopsadmin runs at http://127.0.0.1:{port}/  (Ctrl-C stops it)\n\n{logins}")
                supervisor.watch()
            except ToldToStop:
                say("stopping: web, beat, worker, sealer, then the database (Ctrl-C again to hurry)")
    say("stopped")
    return 0


def stop(data: stack.Data) -> int:
    """Stop the demo that runs on this data, and wait until it has."""
    holder = holder_of(data.demo_claim)
    if holder is None:
        say(f"Nothing is running on {data.path}.")
        return 0
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + 120
    while holder_of(data.demo_claim):
        if time.monotonic() > deadline:
            raise Obstacle(f"The demo (process {holder.pid}) has not stopped within two minutes.")
        time.sleep(0.1)
    say("stopped")
    return 0


def say(line: str) -> None:
    """Print a line at once. A terminal that has gone away is no reason to fall."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def _claim_demo(held: contextlib.ExitStack, data: stack.Data) -> None:
    try:
        held.enter_context(claim(data.demo_claim, "./dev demo"))
    except Taken as taken:
        raise Obstacle(
            f"A demo is already running on {data.path} (process {taken.holder.pid}). "
            "Stop it with ./dev stop, or start another with --data DIR --port N."
        ) from None


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Obstacle(f"Port {port} cannot be used ({error.strerror}). Choose another with --port N.") from error


def _open_cluster(held: contextlib.ExitStack, data: stack.Data) -> Cluster:
    """The cluster of the data directory, claimed and ready to be started."""
    cluster = data.cluster()
    try:
        held.enter_context(claim(stack.cluster_claim(cluster), "./dev demo"))
    except Taken as taken:
        raise Obstacle(f"The database of {data.path} is in use: {taken} Wait for it to end.") from None
    if cluster.initialise():
        say(f"made a PostgreSQL cluster in {cluster.directory}")
    cluster.clear_remains()
    held.callback(cluster.remove_socket)
    return cluster


def _prepare(supervisor: Supervisor, data: stack.Data, environment: stack.Environment, cluster: Cluster | None) -> None:
    """Roles, tables, static files and the demo world, as far as they are not there yet."""

    def step(*arguments: str) -> None:
        program = Program(name=arguments[0][:8], command=stack.manage(*arguments), environment=environment)
        if code := supervisor.finish(program):
            raise NotPrepared(f"manage.py {arguments[0]} failed (exit code {code}); nothing was started.")

    if not _is_set_up(environment["DATABASE_URL"]):
        step("setup_database", "--verbosity", "0")
    # A server that others look after is asked every time; our own cluster remembers what it was given.
    with _when_changed(cluster.home / "migrated" if cluster else None, _fingerprint("**/*.py")) as changed:
        if changed:
            step("migrate")
    with _when_changed(data.path / "static.stamp", _fingerprint("**/static/**/*")) as changed:
        if changed:
            step("collectstatic", "--no-input", "--verbosity", "0")
    with _when_changed(cluster.home / "seeded" if cluster else None, "") as changed:
        if changed:
            step("seed_demo", "--if-empty")


def _is_set_up(url: str) -> bool:
    """Whether all roles can log in already. A URL that names one of them may not set anything up."""
    if user_of(url) in ROLES:
        return True
    try:
        for role in ROLES:
            psycopg.connect(as_role(url, role)).close()
    except psycopg.OperationalError:
        return False
    return True


@contextlib.contextmanager
def _when_changed(stamp: Path | None, fingerprint: str) -> Iterator[bool]:
    """Whether the fingerprint differs from the one that the last successful block left; always, without a stamp."""
    changed = stamp is None or not stamp.exists() or stamp.read_text() != fingerprint
    yield changed
    if changed and stamp:
        stamp.write_text(fingerprint)


def _fingerprint(pattern: str) -> str:
    """Changes with the product's files that the pattern names, by time and size, and with any installed package."""
    digest = hashlib.sha256()
    for package in sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions()):
        digest.update(package.encode())
    for part in ("opsadmin", "admin_ext", "apps"):
        for path in sorted((ROOT / part).glob(pattern)):
            found = path.stat()
            digest.update(f"{path} {found.st_mtime_ns} {found.st_size}".encode())
    return digest.hexdigest()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def _logins(environment: stack.Environment) -> str:
    """What the person needs to log in, or why that cannot be said."""
    asked = subprocess.run(stack.manage("demo_logins"), env=environment, capture_output=True, text=True, check=False)
    return asked.stdout or asked.stderr

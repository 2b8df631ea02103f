"""Clusters that are thrown away: each run of the tests or the benchmarks has its own, and none disturbs another.

Migrating an empty database takes longer than most test runs. So a run leaves behind the migrated templates that it
made, as the *seed* that the next run's cluster is copied from.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from opsadmin.embedded import broker
from opsadmin.embedded.claims import alone, claim, holder_of
from opsadmin.embedded.places import open_cluster_home
from opsadmin.embedded.postgres import Cluster
from opsadmin.embedded.stack import Data, Environment, database_is_embedded, reach


@contextlib.contextmanager
def scratch_database(
    data: Data, settings: Mapping[str, str] | None = None, templates: str | None = None
) -> Iterator[Environment]:
    """The environment of a run: a cluster and a data directory of its own, gone after the block.

    `templates` is how the names of those databases begin that are worth keeping for the next run; None keeps none.
    """
    home = open_cluster_home(data.path / "scratch")
    with contextlib.ExitStack() as held:
        with alone(home / "lock"):
            _sweep(home)
            run = home / f"run-{secrets.token_hex(4)}"
            run.mkdir(mode=0o711)
            held.callback(shutil.rmtree, run, ignore_errors=True)
            held.enter_context(claim(run / "lock", "a run of ./dev"))
        told = {}
        if database_is_embedded():
            cluster = Cluster.at(run, settings)
            held.enter_context(_seeded(cluster, home, templates) if templates else _empty(cluster))
            told = reach(cluster)
        files = run / "data"
        files.mkdir(mode=0o700)
        broker.open_folders(files)
        yield os.environ | {"OPSADMIN_DATA": str(files)} | told


def _sweep(home: Path) -> None:
    """Remove the runs whose process was killed before it could."""
    for run in home.glob("run-*"):
        if not holder_of(run / "lock"):
            cluster = Cluster.at(run)
            cluster.clear_remains()
            cluster.remove()


@contextlib.contextmanager
def _empty(cluster: Cluster) -> Iterator[None]:
    cluster.initialise()
    with cluster.running():
        yield


@contextlib.contextmanager
def _seeded(cluster: Cluster, home: Path, templates: str) -> Iterator[None]:
    """The running cluster with the templates of earlier runs; those it has made in addition are the next run's."""
    seed = home / f"seed-{cluster.binaries.parent.name}"
    with alone(home / "lock"):
        cluster.initialise(seed)
    with cluster.running() as server:
        known = _databases(cluster, templates)
        try:
            yield
        finally:
            learned = _databases(cluster, templates) - known
            if learned:
                _drop_all_but(cluster, templates)
    if learned and server.returncode == 0:
        with alone(home / "lock"):
            _replace(seed, cluster.directory)


def _replace(seed: Path, directory: Path) -> None:
    old = seed.with_name(f"run-old-{secrets.token_hex(4)}")  # swept by the next run, should this one be killed now
    if seed.exists():
        seed.rename(old)
    directory.rename(seed)
    shutil.rmtree(old, ignore_errors=True)


def _databases(cluster: Cluster, prefix: str = "") -> set[str]:
    """The finished databases whose names begin so."""
    with psycopg.connect(cluster.url("postgres")) as connection:
        names = {name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")}
    return {name for name in names if name.startswith(prefix) and not name.endswith("_making")}


def _drop_all_but(cluster: Cluster, prefix: str) -> None:
    kept = _databases(cluster, prefix) | {"postgres"}
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for (name,) in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall():
            if name not in kept:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

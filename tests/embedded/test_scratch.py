"""Runs of the tests side by side: each on a cluster of its own, with the templates that earlier runs made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from opsadmin.embedded import stack
from opsadmin.embedded.postgres import SCRATCH_SETTINGS
from opsadmin.embedded.scratch import scratch_database
from tests.embedded.processes import python, wait_until

pytestmark = pytest.mark.kill

RUN = """
import sys, time
from pathlib import Path
from opsadmin.embedded import scratch, stack
with scratch.scratch_database(stack.Data.at(Path(sys.argv[1]))) as environment:
    print(environment["OPSADMIN_DATA"])
    time.sleep(60)
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[stack.Data]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    data = stack.Data.at(tmp_path / "data")
    yield data
    with run(data):  # sweeps what the test has killed
        home = (data.path / "scratch").resolve()
    shutil.rmtree(home)


@contextmanager
def run(data: stack.Data) -> Iterator[psycopg.Connection]:
    """A run that keeps templates, and a connection to its server."""
    with (
        scratch_database(data, SCRATCH_SETTINGS, "template_") as environment,
        psycopg.connect(environment["DATABASE_URL"], dbname="postgres", autocommit=True) as connection,
    ):
        yield connection


def databases(connection: psycopg.Connection) -> set[str]:
    found = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()
    return {name for (name,) in found}


def left_over(data: stack.Data) -> list[str]:
    return [path.name for path in (data.path / "scratch").glob("run-*")]


def test_the_next_run_finds_the_templates_and_nothing_else(data: stack.Data) -> None:
    with run(data) as connection:
        for name in ("template_of_today", "template_of_tomorrow_making", "test_of_a_worker"):
            connection.execute(f"CREATE DATABASE {name}")
    with run(data) as connection:
        assert databases(connection) == {"postgres", "template_of_today"}
    assert left_over(data) == []


def test_runs_at_the_same_time_do_not_see_each_other(data: stack.Data) -> None:
    with run(data) as first, run(data) as second:
        first.execute("CREATE DATABASE template_a")
        second.execute("CREATE DATABASE template_b")
        assert databases(first) == {"postgres", "template_a"}
        assert databases(second) == {"postgres", "template_b"}


def test_a_run_that_was_killed_is_swept_by_the_next(data: stack.Data) -> None:
    with python(RUN, str(data.path)) as killed:
        files = Path(killed.stdout.readline().strip())  # type: ignore[union-attr]
        killed.kill()
        killed.wait()
    assert files.exists()
    with run(data):
        wait_until(lambda: not files.exists())
        assert len(left_over(data)) == 1
    assert left_over(data) == []


def test_a_run_that_goes_on_is_not_swept(data: stack.Data) -> None:
    with python(RUN, str(data.path)) as other:
        files = Path(other.stdout.readline().strip())  # type: ignore[union-attr]
        with run(data):
            assert files.exists()

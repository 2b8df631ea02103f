"""Exports read from a replica that keeps up, and from the primary where none does: a real standby of a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from opsadmin.embedded import places
from tests.kill.server import Server

pytestmark = [pytest.mark.kill]

WORK = """
import django
django.setup()
from django.db import connections
from django.contrib.auth import get_user_model

from admin_ext.filtering.selection import Selection
from admin_ext.jobs import services
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.transfers.exporting import submit_export
from tests.factories import RegionFactory, UserFactory, give_role

services.wake = lambda job_id: None


def people():
    found = get_user_model().objects.filter(username="exporter").first()
    return found or give_role(UserFactory(username="exporter"), "customers.view_region", "customers.export_region", "customers.access_all_region")


def export():
    job = submit_export(actor=people(), selection=Selection(model="customers.Region"), columns=["code"])
    run_job(job.pk)
    job.refresh_from_db()
    said = [event.text for event in job.events.all() if event.name == "read"]
    file = job.files.first()
    return job.state, bool(said), sorted(file.file.read().decode().split()[1:]) if file else job.error
"""


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(places.open_cluster_home(tmp_path_factory.mktemp("primary") / "postgres")) as server:
        run(server, None, tmp_path_factory.mktemp("made"), "pass", migrated=False)
        yield server


@pytest.fixture(scope="module")
def standby(primary: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with primary.standby(places.open_cluster_home(tmp_path_factory.mktemp("standby") / "postgres")) as server:
        yield server


def run(primary: Server, replica: Server | None, folder: Path, work: str, *, migrated: bool = True) -> str:
    """What the work prints, in a process of its own that knows both servers."""
    environment = os.environ | {
        "DATABASE_URL": primary.address("business"),
        "DATABASE_REPLICA_URL": replica.address("business") if replica else "",
        "DJANGO_SETTINGS_MODULE": "opsadmin.settings.test",
        "OPSADMIN_DATA": str(folder),
        "REPLICA_WAIT_SECONDS": "2",
    }
    for command in () if migrated else ("setup_database", "migrate"):
        subprocess.run([sys.executable, "manage.py", command, "-v0"], env=environment, check=True)
    script = WORK + textwrap.dedent(work)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def test_an_export_reads_what_was_committed_a_moment_ago(primary: Server, standby: Server, tmp_path: Path) -> None:
    told = run(primary, standby, tmp_path, "RegionFactory(code='NEW')\nprint(export())")
    assert "'succeeded', True" in told and "'NEW'" in told
    with psycopg.connect(standby.address("business")) as there:
        reads = there.execute(
            "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'customers_region'"
        )
        assert reads.fetchone()[0] > 0


def test_one_that_is_behind_is_not_used(primary: Server, standby: Server, tmp_path: Path) -> None:
    with psycopg.connect(standby.url, autocommit=True) as there:
        there.execute("SELECT pg_wal_replay_pause()")
        told = run(primary, standby, tmp_path, "RegionFactory(code='LATE')\nprint(export())")
        there.execute("SELECT pg_wal_replay_resume()")
    assert "'succeeded', False" in told and "'LATE'" in told


def test_one_that_is_gone_is_not_missed(primary: Server, standby: Server, tmp_path: Path) -> None:
    standby.stop_at_once()
    assert "'succeeded', False" in run(primary, standby, tmp_path, "print(export())")
    standby.start()


def test_one_that_breaks_off_is_read_again_at_the_primary(primary: Server, standby: Server, tmp_path: Path) -> None:
    told = run(
        primary,
        standby,
        tmp_path,
        """
        import psycopg
        from admin_ext.transfers import exporting
        counted = exporting._written

        def broken(*given):
            # The server of the replica ends the connection in the middle of the work, once.
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT pg_is_in_recovery()")
                if cursor.fetchone()[0]:
                    with psycopg.connect(os.environ["STANDBY"], autocommit=True) as boss:
                        boss.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                            "AND usename = 'opsadmin_app'"
                        )
            return counted(*given)

        exporting._written = broken
        print(export())
        """.replace('os.environ["STANDBY"]', repr(standby.url)),
    )
    assert "'succeeded', False" in told

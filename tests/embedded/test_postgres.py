"""The embedded PostgreSQL: private, found again, and gone with whoever started it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from opsadmin.database import APP, as_role
from opsadmin.embedded import Obstacle, places
from opsadmin.embedded.postgres import SCRATCH_SETTINGS, Cluster
from opsadmin.settings.base import env
from tests.embedded.processes import is_alive, python, wait_until

STARTER = """
import sys, time
from pathlib import Path
from opsadmin.embedded.postgres import Cluster
with Cluster.at(Path(sys.argv[1])).running() as server:
    print(server.pid)
    time.sleep(60)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster.at(places.open_cluster_home(tmp_path / "postgres"), SCRATCH_SETTINGS)
    yield cluster
    cluster.remove()


def test_its_address_is_understood_by_django_and_by_psycopg(cluster: Cluster) -> None:
    url = as_role(cluster.url(), APP)
    read = env.db_url_config(url)
    assert (read["USER"], read["NAME"], read["OPTIONS"]) == (APP, "opsadmin", {"host": str(cluster.socket)})
    assert psycopg.conninfo.conninfo_to_dict(url) == {"user": APP, "dbname": "opsadmin", "host": str(cluster.socket)}


def test_its_socket_fits_however_deep_the_data_lies(tmp_path: Path) -> None:
    deep = Cluster(tmp_path / ("d" * 200), {}, None, Path())
    assert len(str(deep.socket)) <= 93


def test_a_socket_directory_that_others_can_enter_is_refused(cluster: Cluster) -> None:
    cluster.socket.mkdir()
    cluster.socket.chmod(0o755)
    if cluster.account:
        os.chown(cluster.socket, cluster.account.uid, cluster.account.gid)
    with pytest.raises(Obstacle, match="would not be private"):
        cluster.initialise()


@pytest.mark.kill
class TestCluster:
    def test_runs_without_a_port_and_in_private(self, cluster: Cluster) -> None:
        assert cluster.initialise()
        with cluster.running(), psycopg.connect(cluster.url("postgres")) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert stat.S_IMODE(cluster.socket.stat().st_mode) == 0o700
            lowered = connection.execute("SELECT lower('ÄØŻ'), to_tsvector('simple', 'Ørsted')::text").fetchone()
            assert lowered == ("äøż", "'ørsted':1")

    def test_leaves_no_socket_and_no_process(self, cluster: Cluster) -> None:
        cluster.initialise()
        with cluster.running() as server:
            pass
        assert server.returncode == 0
        assert not cluster.socket.exists()

    def test_keeps_what_was_written(self, cluster: Cluster) -> None:
        cluster.initialise()
        with cluster.running(), psycopg.connect(cluster.url("postgres")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 17 AS number")
        assert not cluster.initialise()
        with cluster.running(), psycopg.connect(cluster.url("postgres")) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (17,)

    def test_stops_when_its_starter_is_killed_and_starts_again_at_once(self, cluster: Cluster) -> None:
        cluster.initialise()
        with python(STARTER, str(cluster.home)) as starter:
            pid = int(starter.stdout.readline())  # type: ignore[union-attr]
            starter.kill()
            starter.wait()
        cluster.initialise()
        with cluster.running(), psycopg.connect(cluster.url("postgres")):
            assert not is_alive(pid)

    def test_starts_although_its_old_number_belongs_to_another_process(self, cluster: Cluster) -> None:
        cluster.initialise()
        (cluster.directory / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.directory}\n")
        with cluster.running(), psycopg.connect(cluster.url("postgres")):
            pass

    def test_says_why_it_did_not_start(self, cluster: Cluster) -> None:
        cluster.initialise()
        broken = Cluster.at(cluster.home, {"shared_buffers": "nonsense"})
        with pytest.raises(Obstacle, match="shared_buffers"), broken.running():
            pass

    def test_a_cluster_half_made_is_made_again(self, cluster: Cluster) -> None:
        cluster.directory.mkdir()
        (cluster.directory / "base").mkdir()
        assert cluster.initialise()


@pytest.mark.kill
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
class TestAsRoot:
    def test_it_runs_as_an_unprivileged_account(self, cluster: Cluster) -> None:
        cluster.initialise()
        with cluster.running() as server:
            owner = subprocess.run(["ps", "-o", "uid=", "-p", str(server.pid)], capture_output=True, check=True).stdout
            assert int(owner) == cluster.account.uid != 0  # type: ignore[union-attr]

    def test_it_runs_where_the_account_reaches_neither_data_nor_programs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = tmp_path.parents[-2] / f"opsadmin-tests-{os.getpid()}"  # below / or /tmp, where anybody may pass
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        for module in ("places", "postgres"):
            monkeypatch.setattr(f"opsadmin.embedded.{module}.SYSTEM_DIR", system)
        # As if the virtual environment lay in the private directory too.
        monkeypatch.setattr("opsadmin.embedded.postgres.can_enter", lambda account, path: system in path.parents)
        cluster = Cluster.at(places.open_cluster_home(private / "postgres"), SCRATCH_SETTINGS)
        try:
            assert cluster.home.parent == system
            assert system in cluster.binaries.parents
            cluster.initialise()
            with cluster.running(), psycopg.connect(cluster.url("postgres")):
                pass
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        finally:
            cluster.remove()
            subprocess.run(["rm", "-r", str(system)], check=True)


@pytest.mark.kill
def test_a_killed_starter_leaves_no_server(cluster: Cluster) -> None:
    cluster.initialise()
    with python(STARTER, str(cluster.home)) as starter:
        pid = int(starter.stdout.readline())  # type: ignore[union-attr]
        assert is_alive(pid)
        starter.kill()
        wait_until(lambda: not is_alive(pid))

"""The data directory and what lies in it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from opsadmin.embedded import Obstacle, places


def test_the_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = places.secret_key(tmp_path)
    assert len(key) >= 50
    assert places.secret_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_processes_that_start_together_get_the_same_secret_key(tmp_path: Path) -> None:
    keys: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        keys.append(places.secret_key(tmp_path))

    asking = [threading.Thread(target=ask) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys) == 8


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Obstacle, match=r"file/data cannot be written .*--data DIR"):
        places.open_data_directory(tmp_path / "file" / "data")


class TestClusterHome:
    @pytest.fixture(autouse=True)
    def system(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(places, "SYSTEM_DIR", tmp_path / "system")
        return tmp_path / "system"

    def test_lies_in_the_data_directory_where_postgres_can_enter_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "can_enter", lambda account, path: True)
        assert places.open_cluster_home(tmp_path / "postgres") == tmp_path / "postgres"

    def test_lies_in_a_system_directory_otherwise_and_is_found_again(
        self, tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "can_enter", lambda account, path: False)
        home = places.open_cluster_home(tmp_path / "postgres")
        assert home.parent == system
        assert places.open_cluster_home(tmp_path / "postgres") == home

    def test_begins_anew_where_its_target_was_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(places, "can_enter", lambda account, path: False)
        home = places.open_cluster_home(tmp_path / "postgres")
        home.rmdir()
        assert places.open_cluster_home(tmp_path / "postgres").is_dir()

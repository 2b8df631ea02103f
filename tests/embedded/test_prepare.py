"""What the demo does only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsadmin.embedded.demo import _is_set_up, _when_changed


def done(stamp: Path, fingerprint: str) -> bool:
    with _when_changed(stamp, fingerprint) as changed:
        return changed


def test_what_is_unchanged_is_not_done_again(tmp_path: Path) -> None:
    assert done(tmp_path / "stamp", "a")
    assert not done(tmp_path / "stamp", "a")
    assert done(tmp_path / "stamp", "b")


def test_what_failed_is_done_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), _when_changed(tmp_path / "stamp", "a"):
        raise ZeroDivisionError
    assert done(tmp_path / "stamp", "a")


def test_a_server_that_does_not_let_the_roles_in_is_set_up() -> None:
    assert not _is_set_up("postgres://postgres@/opsadmin?host=/no/such/directory")


def test_a_role_never_sets_up() -> None:
    assert _is_set_up("postgres://opsadmin_app@/opsadmin?host=/no/such/directory")

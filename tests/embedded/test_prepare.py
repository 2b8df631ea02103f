"""What the demo does only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsadmin.embedded import demo
from opsadmin.embedded.demo import _is_set_up, _when_changed


def done(stamp: Path | None, fingerprint: str) -> bool:
    with _when_changed(stamp, fingerprint) as changed:
        return changed


def test_what_is_unchanged_is_not_done_again(tmp_path: Path) -> None:
    assert done(tmp_path / "stamp", "a")
    assert not done(tmp_path / "stamp", "a")
    assert done(tmp_path / "stamp", "b")


def test_without_a_stamp_it_is_done_every_time() -> None:
    assert done(None, "a")
    assert done(None, "a")


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    (tmp_path / "apps" / "shop").mkdir(parents=True)
    file = tmp_path / "apps" / "shop" / "models.py"
    seen = {demo._fingerprint("**/*.py")}
    for content in ("a = 1", "a = 12"):
        file.write_text(content)
        seen.add(demo._fingerprint("**/*.py"))
    assert len(seen) == 3
    assert demo._fingerprint("**/*.py") in seen


def test_what_failed_is_done_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), _when_changed(tmp_path / "stamp", "a"):
        raise ZeroDivisionError
    assert done(tmp_path / "stamp", "a")


def test_a_server_that_does_not_let_the_roles_in_is_set_up() -> None:
    assert not _is_set_up("postgres://postgres@/opsadmin?host=/no/such/directory")


def test_a_role_never_sets_up() -> None:
    assert _is_set_up("postgres://opsadmin_app@/opsadmin?host=/no/such/directory")

"""Claims on a data directory: one holder at a time, known by name, never outliving its process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from opsadmin.embedded.claims import Holder, Taken, alone, claim, holder_of, shared


def test_a_second_claim_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    with claim(tmp_path / "lock", "./dev demo"), pytest.raises(Taken) as refused, claim(tmp_path / "lock", "another"):
        pass
    assert refused.value.holder == Holder(os.getpid(), "./dev demo")
    assert "./dev demo" in str(refused.value)


def test_a_claim_ends_with_its_block(tmp_path: Path) -> None:
    with claim(tmp_path / "lock", "first"):
        assert holder_of(tmp_path / "lock") == Holder(os.getpid(), "first")
    assert holder_of(tmp_path / "lock") is None
    with claim(tmp_path / "lock", "second"):
        assert holder_of(tmp_path / "lock") == Holder(os.getpid(), "second")


def test_asking_for_the_holder_makes_no_file(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "lock") is None
    assert not (tmp_path / "lock").exists()


def test_who_wants_to_be_alone_waits_for_the_last_user(tmp_path: Path) -> None:
    said = []

    def be_alone() -> None:
        with alone(tmp_path / "users"):
            said.append("alone")

    with shared(tmp_path / "users"), shared(tmp_path / "users"):
        waiting = threading.Thread(target=be_alone)
        waiting.start()
        waiting.join(0.2)
        assert said == []
        said.append("users leave")
    waiting.join(5)
    assert said == ["users leave", "alone"]

"""What `./dev test` adds to the words it is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opsadmin.embedded.places import ROOT
from opsadmin.embedded.quality import OWED_MARKS, SLOW_MARKS, find_browser, pytest_arguments

FAST = (
    "not journey and not kill and not matrix and not corpus and not tamper and not integration and not rights"
    " and not long and not office"
)


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ([], ["-m", FAST, "-n", "2"]),
        (["-m", "kill"], ["-m", "kill", "-n", "2"]),
        (["-mkill"], ["-mkill", "-n", "2"]),
        (["--maxfail=1"], ["--maxfail=1", "-m", FAST, "-n", "2"]),
        (["-n", "0"], ["-n", "0", "-m", FAST]),
        (["-n4"], ["-n4", "-m", FAST]),
        (["--numprocesses=4"], ["--numprocesses=4", "-m", FAST]),
        (["tests/apps"], ["tests/apps", "-m", FAST, "-n", "2"]),
        (["tests/test_a.py::test_b"], ["tests/test_a.py::test_b", "-m", FAST]),
        (["--pdb"], ["--pdb", "-m", FAST]),
    ],
)
def test_arguments_are_completed(given: list[str], completed: list[str]) -> None:
    assert pytest_arguments(given) == completed


def test_the_slow_marks_are_those_that_pytest_knows() -> None:
    settings = (ROOT / "pyproject.toml").read_text()
    marks = settings.partition("markers = [")[2].partition("]")[0]
    assert set(re.findall(r'"(\w+):', marks)) == set(SLOW_MARKS + OWED_MARKS)


def test_ci_runs_every_slow_mark() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    marks = re.search(r"for mark in ([\w ]+);", script)
    assert marks
    assert set(marks[1].split()) == set(SLOW_MARKS)


def test_the_browser_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OPSADMIN_BROWSER", raising=False)
    assert find_browser() is None
    monkeypatch.setenv("OPSADMIN_BROWSER", "/opt/browser")
    assert find_browser() == "/opt/browser"

"""Real input that no app of ours keeps: purchase orders, rates, deliveries and service requests, in an app of the tests."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.copies import ROOT, copy_project, install, migrate, run

ARRIVALS = ROOT / "tests" / "arrivals"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project in which the app of the tests is one of its own."""
    copy_project(tmp_path)
    shutil.copytree(ARRIVALS / "app", tmp_path / "apps" / "arrivals")
    install(tmp_path, "arrivals")
    return tmp_path


@pytest.mark.corpus
def test_each_file_is_exact_through_its_profile(project, real_data, django_db_setup, monkeypatch):
    monkeypatch.setenv("OPSADMIN_REAL_DATA", str(real_data.resolve()))
    migrate(project, "arrivals")
    said = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/arrivals/real_files.py")
    found = re.search(r"(\d+) passed", said)
    assert found and int(found[1]) == 4, said

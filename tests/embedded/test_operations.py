"""docs/operations.md names every variable that the product reads."""

from __future__ import annotations

import re

from opsadmin.embedded.places import ROOT
from opsadmin.embedded.quality import SLOW_MARKS


def test_every_variable_is_explained() -> None:
    sources = [*ROOT.glob("opsadmin/settings/*.py"), ROOT / "opsadmin" / "database.py"]
    text = "\n".join(path.read_text() for path in sources)
    read = set(re.findall(r'\benv(?:\.\w+)?\("([A-Z_]+)"', text)) | set(re.findall(r'environ\S*\("([A-Z_]+)"', text))
    read |= set(re.findall(r'"(DATABASE_\w+_PASSWORD)"', text))
    assert len(read) > 15
    explained = (ROOT / "docs" / "operations.md").read_text()
    assert {name for name in read if f"`{name}`" not in explained} == set()


def test_every_kind_of_test_is_named() -> None:
    explained = (ROOT / "docs" / "operations.md").read_text()
    assert {mark for mark in SLOW_MARKS if f"`{mark}`" not in explained} == set()

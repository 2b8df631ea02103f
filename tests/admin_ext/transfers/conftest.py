"""Files to read: made on the spot, or real ones that nobody here made."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from admin_ext.transfers.reading import ReadOptions, Row, Table, open_table

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Make a file of bytes or UTF-8 text."""

    def make(content: bytes | str, name: str = "mailed.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def read(write: Callable[..., Path]) -> Callable[..., tuple[Table, list[Row]]]:
    """Make a file and read all of it."""

    def make(content: bytes | str, **options: object) -> tuple[Table, list[Row]]:
        table = open_table(write(content), options=ReadOptions(**options))
        return table, list(table.rows())

    return make


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it say so when it is not there."""
    folder = Path(os.environ.get("OPSADMIN_REAL_DATA", _ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}: set OPSADMIN_REAL_DATA to its folder")
    return folder

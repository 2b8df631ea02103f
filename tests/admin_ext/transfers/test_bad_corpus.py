"""Every malformed file has a clear outcome: rows, or a fact for people. Never a crash, a hang, or an empty success."""

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60
MUST_BE_REFUSED = ("C01", "C05", "X01", "X02", "X05b")
MAY_BE_READ = {"C01/csv-spectrum__csvs__empty.csv"}  # a header and two rows, most of whose values are empty
MUST_BE_READ = ("C02", "C06", "C07")
HOLDS_NO_ROW = {"C02/messytables__utf8bom.csv"}  # a header alone


def outcome(path: Path) -> dict:
    command = [sys.executable, "-m", "tests.admin_ext.transfers.read_within_limits", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{path.name}: {done.stderr[-2000:]}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def index(real_data):
    with (real_data / "badcorpus" / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        return [entry["file"] for entry in csv.DictReader(file)]


@pytest.mark.corpus
def test_every_file_has_a_clear_outcome(real_data, index):
    seen = Counter()
    wrong = []
    for name in index:
        told = outcome(real_data / "badcorpus" / name)
        seen["refused" if "refused" in told else "read"] += 1
        if "refused" in told:
            clear = told["refused"].endswith(".") and len(told["refused"]) > 20
        else:
            clear = told["rows"] > 0 and told["header"] and all(told["header"])
        folder = name.partition("/")[0]
        expected = not (
            (folder in MUST_BE_REFUSED and "rows" in told and name not in MAY_BE_READ)
            or (folder in MUST_BE_READ and "refused" in told and name not in HOLDS_NO_ROW)
        )
        if not clear or not expected:
            wrong.append((name, told))
    assert wrong == []
    assert sum(seen.values()) == 308


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "rows", "problems"),
    [
        ("C09/duckdb__rejects__incorrect_columns__few_columns.csv", 2772, 4),
        ("C09/duckdb__bad_csv_file_2047.csv", 2053, 1),
        ("C14/csv-parser__option-maxRowBytes.csv", 4593, 1),
        ("C07/duckdb__error__quotednewlines.csv", 10_100, 0),
        ("C18/uk-ogl__june_2015(1).csv", 6677, 0),
        ("X13/calamine__strict_iso_paths.xlsx", 75, 0),
        ("X10/roo__name_with_leading_slash.xlsx", 413, 0),
        ("X09/calamine__errors.xlsx", 6, 0),
    ],
)
def test_known_files_give_known_rows(real_data, name, rows, problems):
    told = outcome(real_data / "badcorpus" / name)
    assert (told["rows"], told["problems"]) == (rows, problems)

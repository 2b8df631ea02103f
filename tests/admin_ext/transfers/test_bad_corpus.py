"""Every malformed file has a recorded, reviewed outcome: rows, or a fact for people.

`corpus_outcomes.csv` says for each file what was suggested, what becomes of it, and why where that differs.
A change of behaviour shows here, and is reviewed by changing that line.
"""

import csv
import hashlib
import json
from pathlib import Path

import pytest

from tests.admin_ext.transfers.read_within_limits import MEGABYTES, SECONDS, ReadingServer

OUTCOMES = Path(__file__).with_name("corpus_outcomes.csv")
FILES = 308

pytestmark = pytest.mark.corpus


def recorded(told: dict) -> dict[str, str]:
    """Give an outcome as the record has it: texts of others only as hashes."""
    if "refused" in told:
        return {
            "outcome": "refused",
            "fact": told["fact"],
            "told": told["refused"].partition(":")[0].partition("(")[0][:60].strip(),
        }
    return {
        "outcome": "read",
        "fact": "",
        "told": "",
        "format": told["format"],
        "rows": str(told["rows"]),
        "problems": str(told["problems"]),
        "blank": str(told["blank"]),
        "columns": str(len(told["header"])),
        "header": hashlib.sha256(json.dumps(told["header"]).encode()).hexdigest()[:12],
        "content": told["content"][:12],
    }


@pytest.fixture(scope="module")
def record():
    with OUTCOMES.open(newline="", encoding="utf-8") as file:
        return {line["file"]: line for line in csv.DictReader(file)}


@pytest.fixture(scope="module")
def index(real_data):
    with (real_data / "badcorpus" / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        return {entry["file"]: entry["suggested_outcome"] for entry in csv.DictReader(file)}


@pytest.fixture(scope="module")
def seen(real_data, index):
    with ReadingServer() as server:
        return {name: server.read(real_data / "badcorpus" / name) for name in index}


def test_every_file_does_what_the_record_says(record, index, seen):
    assert record.keys() == index.keys() == seen.keys()
    differing = []
    for name, told in seen.items():
        assert "died" not in told, name
        now = recorded(told)
        then = {key: record[name][key] for key in now}
        if now != then:
            differing.append((name, then, now))
    assert differing == []
    assert len(seen) == FILES


def test_every_outcome_is_within_limits_and_clear(seen):
    print(f"at most {max(t['seconds'] for t in seen.values())} s, {max(t['rss_mb'] for t in seen.values())} MB")
    for name, told in seen.items():
        assert told["seconds"] < SECONDS, name
        assert told["rss_mb"] <= MEGABYTES, name
        if "refused" in told:
            assert told["refused"].endswith("."), name
            assert len(told["refused"]) > 20, name
        else:
            assert told["rows"] > 0, name
            assert all(told["header"]), name


def test_the_record_is_reviewed(record, index):
    """Each line is in line with what was suggested, or says why not; never is nothing a success."""
    verdicts = {"in line": 0, "reason": 0}
    for name, line in record.items():
        verdicts[line["verdict"]] += 1
        assert index[name].startswith(line["suggested"]), name
        assert line["reason"], name
        assert line["outcome"] == "refused" or int(line["rows"]) > 0, name
    print(verdicts)
    assert sum(verdicts.values()) == FILES


def test_what_options_promise_holds(real_data, record):
    with ReadingServer() as server:
        for name, line in record.items():
            if line["options"]:
                told = server.read(real_data / "badcorpus" / name, **json.loads(line["options"]))
                assert (str(told["rows"]), str(told["problems"])) == (
                    line["rows_with_options"],
                    line["problems_with_options"],
                ), name

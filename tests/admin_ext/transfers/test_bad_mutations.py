"""Thousands of damaged files: read or refused in a sentence, within limits; and nothing half-written by an import."""

import csv
import random
import re
from collections import Counter

import pytest
from django.core.files.base import ContentFile

from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.reading import FileNotReadable, open_table
from apps.customers.models import Customer
from tests.admin_ext.transfers.mutations import mutate
from tests.admin_ext.transfers.packages import make_package, sheet_xml, text_row
from tests.admin_ext.transfers.read_within_limits import MEGABYTES, SECONDS, ReadingServer
from tests.contracts.world import person_for

SEED = 20_261_121
MUTATIONS = 2_400
IMPORTED = 120
LARGEST_SEED = 200_000
_NO_SENTENCE = re.compile(r"Traceback|Error\(|Exception|0x7f|<[a-z_]+ object")

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def seeds(real_data):
    """Every small file of the corpus, and the beginnings of files that are whole."""
    with (real_data / "badcorpus" / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        names = [f"badcorpus/{entry['file']}" for entry in csv.DictReader(file)]
    found = {
        name: (real_data / name).read_bytes() for name in names if (real_data / name).stat().st_size < LARGEST_SEED
    }
    for folder in ("northwind", "spreadsheets", "scms-deliveries", "nyc-311", "adventureworks"):
        for path in sorted((real_data / folder).iterdir()):
            if path.suffix == ".csv":
                found[f"{folder}/{path.name}"] = path.read_bytes()[:40_000]
            elif path.suffix == ".xlsx" and path.stat().st_size < LARGEST_SEED:
                found[f"{folder}/{path.name}"] = path.read_bytes()
    return found


def mutated(seeds, count, chance):
    names = sorted(seeds)
    for number in range(count):
        name = names[number % len(names)]
        yield name, *mutate(seeds[name], chance)


def is_a_sentence(told):
    return told.endswith((".", "?")) and len(told) > 20 and not told[0].islower() and not _NO_SENTENCE.search(told)


def told_by_the_product(path):
    try:
        return {"rows": sum(1 for _ in open_table(path).rows())}
    except FileNotReadable as refused:
        return {"refused": str(refused)}


def test_each_is_read_or_refused_in_a_sentence(seeds, tmp_path):
    chance = random.Random(SEED)
    tally, seconds, megabytes, wrong = Counter(), 0.0, 0, []
    path = tmp_path / "mailed"
    with ReadingServer() as server:
        for name, mutation, content in mutated(seeds, MUTATIONS, chance):
            path.write_bytes(content)
            told = server.read(path)
            seconds, megabytes = max(seconds, told["seconds"]), max(megabytes, told["rss_mb"])
            if "died" in told:  # of the limit of memory, and the product says so
                tally["stopped by a limit"] += 1
                told |= told_by_the_product(path)
            tally["refused" if "refused" in told else "read"] += 1
            good = is_a_sentence(told["refused"]) if "refused" in told else told["rows"] > 0 and all(told["header"])
            if not good or told["seconds"] >= SECONDS or told["rss_mb"] > MEGABYTES or told.get("died") == -11:
                wrong.append((name, mutation, told))
    print(f"{MUTATIONS} mutations of {len(seeds)} seeds: {dict(tally)}; at most {seconds} s, {megabytes} MB")
    assert wrong == []
    assert tally["read"] > MUTATIONS / 10
    assert tally["refused"] > MUTATIONS / 10


@pytest.mark.django_db
def test_an_import_of_it_is_a_plan_or_a_job_that_says_why(tmp_path):
    """A list of customers as text and as a workbook, damaged: planned in full or not at all, and nothing is written."""
    chance = random.Random(SEED + 1)
    person = person_for(Customer)
    before = list(Customer.objects.values())
    names = [("code", "name"), *((f"C{number}", f"Customer {number}") for number in range(30))]
    rows = "".join(text_row(number, *cells) for number, cells in enumerate(names, 1))
    whole = {
        "customers.csv": "".join(f"{code},{name}\n" for code, name in names).encode(),
        "customers.xlsx": make_package(tmp_path / "x.xlsx", sheet_xml(rows)).read_bytes(),
    }
    tally = Counter()
    for name, mutation, content in mutated(whole, IMPORTED, chance):
        plan = submit_import(actor=person, source=ContentFile(content), name=name, resource="customers.Customer")
        run_job(plan.making_id)
        job = Job.objects.get(pk=plan.making_id)
        plan.refresh_from_db()
        tally[str(job.state)] += 1
        if job.state == Job.State.FAILED:
            # A sentence of a mapping may begin with the name of a field.
            assert is_a_sentence(job.error[:1].upper() + job.error[1:]), (name, mutation, job.error)
            assert not plan.rows.exists(), (name, mutation)
        else:
            assert job.state == Job.State.SUCCEEDED, (name, mutation, job.state)
            assert plan.rows.exists(), (name, mutation)
    print(f"{IMPORTED} imports: {dict(tally)}")
    assert min(tally[Job.State.SUCCEEDED], tally[Job.State.FAILED]) > IMPORTED / 10
    assert list(Customer.objects.values()) == before

"""While others move amounts between rows, an export shows one moment: the sum is right."""

from __future__ import annotations

import csv
import random
import threading
from decimal import Decimal

import pytest
from django.db import connections

from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.transfers.exporting import submit_export
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, give_role

ROWS, WRITERS = 60, 20


def mover(stop, moved, seed):
    """Move amounts between two rows at a time, each move one transaction."""
    chance = random.Random(seed)
    keys = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    try:
        while not stop.is_set():
            one, other = sorted(chance.sample(keys, 2))
            amount = chance.randrange(-50, 50)
            with change_set(actor=None, door="shell", reason="Moved"):
                for key, by in ((one, amount), (other, -amount)):
                    customer = Customer.objects.select_for_update().get(pk=key)
                    Customer.objects.filter(pk=key).update(credit_limit=customer.credit_limit + by)
            moved.append(1)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "times", [3, pytest.param(40, marks=pytest.mark.matrix), pytest.param(200, marks=pytest.mark.long)]
)
def test_the_exported_sum_is_right(times):
    region = RegionFactory()
    for _ in range(ROWS):
        CustomerFactory(region=region, credit_limit=Decimal(1_000_000))
    analyst = give_role(person_for(Customer), "customers.view_region")
    stop, moved = threading.Event(), []
    writers = [threading.Thread(target=mover, args=(stop, moved, n)) for n in range(WRITERS)]
    for each in writers:
        each.start()
    sums, before = [], 0
    try:
        for n in range(times):
            while len(moved) == before:
                stop.wait(0.01)
            before = len(moved)
            format = ("csv", "tsv")[n % 2]
            job = submit_export(actor=analyst, selection=Selection(model="customers.Customer"), format=format)
            run_job(job.pk)
            job.refresh_from_db()
            assert job.state == "succeeded", job.error
            made = job.files.get(kind=JobFile.Kind.OUTPUT)
            with made.file.open("r") as file:
                read = csv.DictReader(file, delimiter="\t" if format == "tsv" else ",")
                sums.append(sum(Decimal(row["credit_limit"]) for row in read))
            made.file.delete(save=False)
    finally:
        stop.set()
        for each in writers:
            each.join()
    assert moved and sums == [Decimal(1_000_000) * ROWS] * times


@pytest.mark.django_db(transaction=True)
def test_the_pulse_beats_while_the_file_is_written(monkeypatch):
    """Progress, leases, cancelling and rights that are taken: all hang on it, and inside a transaction it would not."""
    from admin_ext.jobs import pulse
    from admin_ext.jobs.models import Job
    from admin_ext.transfers import exporting

    monkeypatch.setattr(pulse, "FIRST", 0.01)
    CustomerFactory()
    analyst = give_role(person_for(Customer), "customers.view_region")
    job = submit_export(actor=analyst, selection=Selection(model="customers.Customer"))
    real, told = exporting._batches, []

    def batches(writer):
        def look():
            for _ in range(500):
                if Job.objects.filter(pk=job.pk, phase="writing", rows_total=1).exists():
                    told.append(1)
                    break
                threading.Event().wait(0.01)
            connections.close_all()

        looking = threading.Thread(target=look)
        looking.start()
        looking.join()
        yield from real(writer)

    monkeypatch.setattr(exporting, "_batches", batches)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, told) == ("succeeded", [1])

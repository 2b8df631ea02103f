"""A workbook that was out for a while comes back: what others did meanwhile is neither reverted nor overwritten."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile

from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.plans.correcting import correct_rows
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.reading import open_table
from apps.customers.models import Customer
from tests.admin_ext.plans.test_import import applied, planned
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, give_role

pytestmark = pytest.mark.django_db
HEADER = "code,name,city,region,row version\n"


@pytest.fixture
def anton():
    return give_role(person_for(Customer), "customers.view_region")


@pytest.fixture
def customer():
    return CustomerFactory(code="A1", name="Berg", city="Lund", region=RegionFactory(code="NORD"))


def edited(customer, **values):
    """By somebody else, meanwhile."""
    with change_set(actor=None, door="shell"):
        row = Customer.objects.get(pk=customer.pk)
        for name, value in values.items():
            setattr(row, name, value)
        row.save()


def line(customer, **values):
    """As the file has it."""
    told = {"code": "A1", "name": "Berg", "city": "Lund", "region": "NORD", "version": customer.version, **values}
    return ",".join(str(value) for value in told.values()) + "\n"


def row(plan):
    return plan.rows.get()


def test_what_others_changed_and_the_file_did_not_stays(anton, customer):
    text = HEADER + line(customer, name="Berg & Dal")
    edited(customer, city="Malmö", region=RegionFactory(code="SOUTH"))
    plan = planned(anton, text)
    assert plan.counts == {"update": 1}
    assert (row(plan).before, row(plan).after) == ({"name": "Berg"}, {"name": "Berg & Dal"})
    applied(anton, plan)
    now = Customer.objects.get(pk=customer.pk)
    assert (now.name, now.city, now.region.code) == ("Berg & Dal", "Malmö", "SOUTH")


def test_a_file_that_nobody_touched_reverts_nothing(anton, customer):
    text = HEADER + line(customer)
    edited(customer, city="Malmö", name="Other")
    assert planned(anton, text).counts == {"unchanged": 1}


def test_without_the_column_the_file_has_its_way(anton, customer):
    edited(customer, city="Malmö")
    assert planned(anton, "code,city\nA1,Lund\n").counts == {"update": 1}


def test_what_both_changed_is_told_cell_by_cell_and_not_written(anton, customer):
    text = HEADER + line(customer, city="Kiruna", name="Mine")
    edited(customer, city="Malmö")
    plan = planned(anton, text)
    assert plan.counts == {"invalid": 1}
    (error,) = row(plan).errors
    assert error["message"] == "city was changed by somebody else since the export: it was “Lund” and is “Malmö” now."
    assert (error["column"], error["value"]) == ("city", "Kiruna") and "export the row again" in error["advice"]
    assert Customer.objects.get(pk=customer.pk).city == "Malmö"


def test_both_wrote_the_same(anton, customer):
    text = HEADER + line(customer, city="Malmö")
    edited(customer, city="Malmö")
    assert planned(anton, text).counts == {"unchanged": 1}


def test_of_a_related_row_no_name_is_told(anton, customer):
    RegionFactory(code="WEST")
    text = HEADER + line(customer, region="WEST")
    edited(customer, region=RegionFactory(code="SOUTH"))
    (error,) = row(planned(anton, text)).errors
    assert error["message"] == "region was changed by somebody else since the export."


def test_a_conflict_is_settled_where_the_plan_is_reviewed(anton, customer):
    text = HEADER + line(customer, city="Kiruna", name="Mine")
    edited(customer, city="Malmö")
    plan = planned(anton, text)
    correct_rows(actor=anton, plan=plan, cells={row(plan).number: {2: "Malmö"}})
    plan.refresh_from_db()
    assert row(plan).action == "update" and row(plan).after == {"name": "Mine"}


@pytest.mark.parametrize(
    ("version", "said"),
    [("seven", "whole number"), ("99", "no such version"), ("1.5", "whole number"), ("-3", "no such version")],
)
def test_a_version_that_means_nothing_is_refused(anton, customer, version, said):
    plan = planned(anton, HEADER + line(customer, version=version, city="Kiruna"))
    assert plan.counts == {"invalid": 1} and said in row(plan).errors[0]["message"]


def test_a_row_that_is_gone_is_not_made_again_unasked(anton, customer):
    text = HEADER + line(customer)
    with change_set(actor=None, door="shell"):
        Customer.objects.get(pk=customer.pk).delete()
    plan = planned(anton, text)
    assert plan.counts == {"invalid": 1} and "deleted or renamed" in row(plan).errors[0]["message"]
    assert planned(anton, HEADER + line(customer, version="")).counts == {"create": 1}


def test_workbooks_for_editing_say_the_version(anton, customer):
    job = submit_export(
        actor=anton,
        selection=Selection(model="customers.Customer"),
        format="xlsx-edit",
        columns=["code", "city", "name"],
    )
    run_job(job.pk)
    made = job.files.get(kind=JobFile.Kind.OUTPUT).file
    with made.open("rb") as file:
        content = file.read()
    table = open_table(made.path)
    assert table.header == ["code", "city", "name", "row version"]
    assert [cells.cells[-1] for cells in table.rows()] == [customer.version]
    edited(customer, city="Malmö")
    plan = submit_import(actor=anton, source=ContentFile(content), name="back.xlsx", resource="customers.Customer")
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.counts == {"unchanged": 1}
    assert not any("go nowhere" in note for note in plan.notes)

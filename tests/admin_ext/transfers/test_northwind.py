"""Real input: the Northwind files through the shipped profiles, exact to the cent; again, and nothing changes."""

from __future__ import annotations

import csv
import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files import File
from django.db.models import F, Sum

from admin_ext.audit.context import change_set
from admin_ext.audit.history import tracked_models
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.transfers.failures import write_failed_rows
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.models import Profile
from apps.orders.models import Order, OrderLine
from opsadmin.demo.people import make_people
from opsadmin.demo.places import make_regions, make_warehouses
from opsadmin.demo.profiles import load_profiles
from opsadmin.demo.roles import load_roles

REAL = Path(os.environ.get("OPSADMIN_REAL_DATA", settings.BASE_DIR.parent / "shared" / "data"))
FILES = {
    "northwind-customers": ("customers.csv", 91),
    "northwind-suppliers": ("suppliers.csv", 29),
    "northwind-categories": ("categories.csv", 8),
    "northwind-products": ("products.csv", 77),
    "northwind-orders": ("orders.csv", 830),
    "northwind-order-details": ("order_details.csv", 2155),
}
DAMAGED = {"northwind-customers": (91, 24), "northwind-suppliers": (29, 9), "northwind-orders": (830, 176)}

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not (REAL / "northwind").exists(), reason=f"no real data at {REAL}; set OPSADMIN_REAL_DATA"),
]


@pytest.fixture
def analyst():
    """The demo's own analyst: the role and the profiles are what ships."""
    with change_set(actor=None, door="command", verb="tests.arrange"):
        people = make_people(load_roles())
        make_regions()
        make_warehouses()
        load_profiles()
    return type(people["analyst"]).objects.get(username="analyst")


def planned(actor, profile, path):
    profile = Profile.objects.get(name=profile)
    with path.open("rb") as source:
        plan = submit_import(
            actor=actor, source=File(source), name=path.name, resource=profile.resource, profile=profile
        )
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def imported(actor, profile, path):
    plan = apply_plan(actor=actor, plan=planned(actor, profile, path), mode="all_or_nothing")
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


def history():
    return {model._meta.label: model.history.count() for model in tracked_models()}


def test_the_totals_hold_and_the_same_files_again_change_nothing(analyst, tmp_path):
    for profile, (name, rows) in FILES.items():
        assert imported(analyst, profile, REAL / "northwind" / name).counts == {"create": rows}, profile
    sums = OrderLine.objects.aggregate(gross=Sum(F("unit_price") * F("quantity")), net=Sum("amount"))
    assert sums == {"gross": Decimal("1354458.59"), "net": Decimal("1265793.0395")}
    totals = Order.objects.aggregate(gross=Sum("gross_total"), net=Sum("net_total"))
    assert totals == sums
    assert Order.objects.filter(brought_in=True).count() == 830

    before = history()
    for profile, (name, rows) in FILES.items():
        assert imported(analyst, profile, REAL / "northwind" / name).counts == {"unchanged": rows}, profile
    assert history() == before

    for profile, (rows, damaged) in DAMAGED.items():
        name = FILES[profile][0]
        plan = planned(analyst, profile, REAL / "northwind-unquoted" / name)
        assert plan.counts == {"unchanged": rows - damaged, "invalid": damaged}, profile
        # The twin with quotes tells which rows a comma must have damaged.
        with (REAL / "northwind" / name).open(encoding="utf-8-sig", newline="") as file:
            with_comma = {n for n, row in enumerate(csv.reader(file)) if n and any("," in cell for cell in row)}
        assert set(plan.rows.filter(action="invalid").values_list("number", flat=True)) == with_comma
        for row in plan.rows.filter(action="invalid"):
            (error,) = row.errors
            assert row.line
            assert error["column"]
            assert error["value"]
            assert error["advice"]
        assert write_failed_rows(plan, tmp_path / name) == damaged
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            back = list(csv.reader(file))
        assert back[0] == [*plan.header, "reason"]
    assert history() == before

"""Real input: the Online Retail files, several entities in one, through the shipped profile."""

from __future__ import annotations

import csv
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files import File
from django.db.models import Sum

from admin_ext.audit.context import change_set
from admin_ext.audit.history import tracked_models
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.models import Profile
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order, OrderLine, Return, ReturnLine
from opsadmin.demo.people import make_people
from opsadmin.demo.places import make_regions, make_warehouses
from opsadmin.demo.profiles import load_profiles
from opsadmin.demo.roles import load_roles

REAL = Path(os.environ.get("OPSADMIN_REAL_DATA", settings.BASE_DIR.parent / "shared" / "data")) / "online-retail"
FILES = sorted(REAL.glob("*.csv"))
MEMORY = 300 << 10  # KiB, beside what the process has already

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not FILES, reason=f"no real data at {REAL}; set OPSADMIN_REAL_DATA"),
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


def imported(actor, path):
    profile = Profile.objects.get(name="online-retail")
    with path.open("rb") as source:
        plan = submit_import(
            actor=actor, source=File(source), name=path.name, resource=profile.resource, profile=profile
        )
    run_job(plan.making_id)
    plan.refresh_from_db()
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good")
    run_job(plan.applying_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.APPLIED, plan.notes
    return plan


def facts(paths):
    """What the files say, read by nothing of ours."""
    said = Counter()
    customers, products, orders, returns = set(), set(), set(), set()
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                number, units = line["InvoiceNo"], int(line["Quantity"])
                said["lines"] += 1
                products.add(line["StockCode"])
                customers.add(line["CustomerID"])
                amount = units * Decimal(line["UnitPrice"])
                if number.startswith("C"):
                    returns.add(number)
                    said["credit lines"] += 1
                    said["credits"] -= amount
                elif number.startswith("A"):
                    said["bad debts"] += 1
                elif units < 0:
                    said["out of stock"] += 1
                else:
                    orders.add(number)
                    said["sales"] += amount
                    said["sale lines"] += 1
    return {
        **said,
        "customers": len(customers - {""}),
        "products": len(products),
        "orders": len(orders),
        "returns": len(returns),
    }


def check(said):
    assert Order.objects.count() == said["orders"]
    assert Return.objects.count() == said.get("returns", 0)
    assert Customer.objects.exclude(code="COUNTER").count() == said["customers"]
    assert Product.objects.count() == said["products"]
    assert OrderLine.objects.count() == said["sale lines"]
    assert ReturnLine.objects.count() == said["credit lines"]
    assert OrderLine.objects.aggregate(sum=Sum("amount"))["sum"] == said["sales"]
    assert Order.objects.aggregate(sum=Sum("net_total"))["sum"] == said["sales"]
    assert ReturnLine.objects.aggregate(sum=Sum("amount"))["sum"] == said["credits"]


def history():
    return {model._meta.label: model.history.count() for model in tracked_models()}


def import_and_check(actor, paths):
    lines = Counter()
    for path in paths:
        plan = imported(actor, path)
        lines.update(plan.parameters["lines"])
        assert set(plan.counts) <= {"create", "update", "unchanged", "refused"}, (path.name, plan.counts)
    said = facts(paths)
    assert lines["read"] == said["lines"]
    assert lines["accepted"] == said["sale lines"] + said["credit lines"]
    assert lines["rejected"] == said.get("out of stock", 0) + said.get("bad debts", 0)
    check(said)
    return said


def test_some_days_are_exact_and_the_same_days_again_change_nothing(analyst):
    days = [path for path in FILES if path.name in ("2010-12-01.csv", "2011-08-12.csv", "2010-12-22.csv")]
    import_and_check(analyst, days)
    before = history()
    for path in reversed(days):
        plan = imported(analyst, path)
        assert set(plan.counts) <= {"unchanged", "refused"}, path.name
    assert history() == before


def memory(name):
    """A figure of this process in KiB, as the kernel tells it."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition(f"{name}:")[2].split()[0])


@pytest.mark.corpus
def test_all_305_files_are_exact_and_the_same_again_changes_nothing(analyst):
    Path("/proc/self/clear_refs").write_text("5")  # the most from here on; tests before this one took some too
    began_with = memory("VmRSS")
    said = import_and_check(analyst, FILES)
    assert len(FILES) == 305
    assert said["lines"] == 541_909
    assert said["orders"] + said["returns"] + said["bad debts"] + said["out of stock"] == 25_900
    assert said["customers"] == Customer.objects.exclude(code="COUNTER").count() == 4_372
    assert said["credit lines"] == ReturnLine.objects.count() == 9_288
    assert said["bad debts"] == 3
    assert said["credit lines"] + said["out of stock"] == 10_624
    assert said["credits"] == Decimal("896812.49")
    bad_debts = Decimal("11062.06") * -1
    assert said["sales"] - said["credits"] + bad_debts == Decimal("9747747.934")
    before = history()
    for path in reversed(FILES[::5]):
        assert set(imported(analyst, path).counts) <= {"unchanged", "refused"}, path.name
    assert history() == before
    assert memory("VmHWM") - began_with < MEMORY

"""Real files into the app beside: run in a copy of the project that has it, see `test_other_domains`."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Count, F, Sum

from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.models import Profile
from apps.arrivals.models import Delivery, PurchaseLine, PurchaseOrder, Rate, ServiceRequest
from opsadmin.demo.people import make_people
from opsadmin.demo.profiles import load_profiles
from opsadmin.demo.roles import load_roles
from tests.admin_ext.transfers.real_imports import history, imported, reasons
from tests.factories import UserFactory, give_role

REAL = Path(os.environ["OPSADMIN_REAL_DATA"])
PROFILES = Path(__file__).with_name("profiles")
MODELS = ("rate", "purchaseorder", "delivery", "servicerequest")

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk():
    """Takes in all of it; lives where the service requests were made, for their times say no zone."""
    with change_set(actor=None, door="command", verb="tests.arrange"):
        load_profiles()
        for path in PROFILES.glob("*.json"):
            profile = Profile(**json.loads(path.read_text(encoding="utf-8")))
            profile.full_clean()
            profile.save()
    rights = [f"arrivals.{each}_{model}" for each in ("view", "add", "change", "import", "export") for model in MODELS]
    return give_role(
        UserFactory(time_zone="America/New_York"), *rights, "catalogue.view_supplier", "catalogue.view_product"
    )


def again(actor, profile, path, outcomes):
    before = history()
    assert imported(actor, profile, path).counts == outcomes
    assert history() == before


def test_purchase_orders(clerk):
    folder = REAL / "adventureworks"
    with change_set(actor=None, door="command", verb="tests.arrange"):
        people = make_people(load_roles())
    for profile, name in (
        ("adventureworks-vendors", "Vendor.csv"),
        ("adventureworks-categories", "ProductCategory.csv"),
        ("adventureworks-subcategories", "ProductSubcategory.csv"),
        ("adventureworks-products", "Product.csv"),
    ):
        imported(people["analyst"], profile, folder / name)

    headers, details = folder / "PurchaseOrderHeader.csv", folder / "PurchaseOrderDetail.csv"
    assert imported(clerk, "purchase-orders", headers).counts == {"create": 4_012}
    assert imported(clerk, "purchase-lines", details).counts == {"create": 8_845}
    sums = PurchaseLine.objects.aggregate(
        received=Sum("received"), rejected=Sum("rejected"), net=Sum(F("quantity") * F("unit_price"))
    )
    assert sums == {"received": 2_327_299, "rejected": 72_700, "net": Decimal("63791994.8380")}
    assert PurchaseLine.objects.filter(rejected__gt=0).count() == 563
    assert PurchaseOrder.objects.aggregate(net=Sum("net"))["net"] == sums["net"]
    each = PurchaseOrder.objects.annotate(lines_net=Sum(F("lines__quantity") * F("lines__unit_price")))
    assert not each.exclude(lines_net=F("net")).exists()
    assert PurchaseOrder.objects.get(number="PO-1").supplier.code == "AW-1580"
    again(clerk, "purchase-orders", headers, {"unchanged": 4_012})
    again(clerk, "purchase-lines", details, {"unchanged": 8_845})


def test_rates_in_withdrawn_currencies_are_told(clerk):
    path = REAL / "adventureworks" / "CurrencyRate.csv"
    plan = imported(clerk, "rates", path)
    assert plan.counts == {"create": 12_067, "invalid": 1_465}
    assert Rate.objects.count() == 12_067
    assert sum(reasons(plan).values()) == 1_465
    told = [error for row in plan.rows.filter(action="invalid") for error in row.errors]
    assert {error["column"] for error in told} == {"ToCurrencyCode"}
    by_value = {value: sum(error["value"] == value for error in told) for value in ("DEM", "FRF", "VEB")}
    assert by_value == {"DEM": 184, "FRF": 184, "VEB": 1_097}
    again(clerk, "rates", path, {"unchanged": 12_067, "invalid": 1_465})


def test_service_requests(clerk):
    path = REAL / "nyc-311" / "311_Animals_short.csv"
    assert imported(clerk, "service-requests", path).counts == {"create": 4_969}
    states = dict(ServiceRequest.objects.values_list("state").annotate(Count("pk")))
    assert states == {"closed": 4_692, "in_progress": 277}
    assert ServiceRequest.objects.filter(closed_at=None).count() == 277
    last = ServiceRequest.objects.order_by("opened_at").last()
    assert last.opened_at == datetime(2025, 3, 14, 5, 20, tzinfo=UTC)
    assert (last.number, last.complaint, last.borough) == (64345465, "Animal-Abuse: Neglected", "Brooklyn")
    assert ServiceRequest.objects.filter(borough="").count() == 1
    again(clerk, "service-requests", path, {"unchanged": 4_969})
    # Their times have no zone in a workbook, and come back as they went out.
    job = submit_export(actor=clerk, selection=Selection(model="arrivals.ServiceRequest"), format="xlsx")
    run_job(job.pk)
    with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("rb") as source:
        plan = submit_import(actor=clerk, source=source, name="back.xlsx", resource="arrivals.ServiceRequest")
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.counts == {"unchanged": 4_969}


def test_deliveries(clerk):
    path = REAL / "scms-deliveries" / "SCMS_Delivery_History_Dataset.csv"
    plan = imported(clerk, "deliveries", path)
    assert plan.parameters["lines"] == {"read": 10_324, "accepted": 10_324, "rejected": 0}
    assert plan.counts == {"create": 10_324}
    sums = Delivery.objects.aggregate(value=Sum("value"), freight=Sum("freight"))
    assert sums == {"value": Decimal("1627584457.29"), "freight": Decimal("68817849.41")}
    assert Delivery.objects.exclude(freight_note="").count() == 4_126
    assert Delivery.objects.filter(freight=None).exclude(freight_note="").count() == 4_126
    assert Delivery.objects.exclude(weight_note="").count() == 3_952
    assert Delivery.objects.filter(insurance=None).count() == 287
    assert Delivery.objects.filter(quoted_on=None).count() == 2_476 + 205
    assert Delivery.objects.filter(ordered_on=None).count() == 5_404 + 328
    assert Delivery.objects.get(number=1).delivered_on == date(2006, 6, 2)
    assert Delivery.objects.get(number=1).country == "Côte d'Ivoire"
    again(clerk, "deliveries", path, {"unchanged": 10_324})

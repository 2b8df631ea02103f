"""Real input: vendors, categories, products and locations of AdventureWorks through the shipped profiles."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest
from django.db.models import Sum

from admin_ext.audit.context import change_set
from apps.catalogue.models import Category, Product, Supplier
from apps.inventory.models import Warehouse
from opsadmin.demo.people import make_people
from opsadmin.demo.profiles import load_profiles
from opsadmin.demo.roles import load_roles
from tests.admin_ext.transfers.real_imports import history, imported

FILES = {
    "adventureworks-vendors": ("Vendor.csv", 104),
    "adventureworks-categories": ("ProductCategory.csv", 4),
    "adventureworks-subcategories": ("ProductSubcategory.csv", 37),
    "adventureworks-products": ("Product.csv", 504),
}

pytestmark = [pytest.mark.django_db, pytest.mark.corpus]


@pytest.fixture
def people():
    """The demo's own people: the roles and the profiles are what ships."""
    with change_set(actor=None, door="command", verb="tests.arrange"):
        people = make_people(load_roles())
        load_profiles()
    return people


def lines(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_catalogue_is_there_and_the_same_files_again_change_nothing(people, real_data):
    folder, analyst = real_data / "adventureworks", people["analyst"]
    for profile, (name, rows) in FILES.items():
        assert imported(analyst, profile, folder / name).counts == {"create": rows}, profile

    vendors, products = lines(folder / "Vendor.csv"), lines(folder / "Product.csv")
    assert Supplier.objects.filter(is_active=False).count() == sum(v["ActiveFlag"] == "0" for v in vendors) == 4
    assert Supplier.objects.get(code="AW-1498").name == "Trikes, Inc."
    assert Category.objects.filter(parent=None).count() == 4
    assert Product.objects.aggregate(sum=Sum("list_price"))["sum"] == sum(Decimal(p["ListPrice"]) for p in products)
    assert Product.objects.aggregate(sum=Sum("reorder_level"))["sum"] == sum(int(p["ReorderPoint"]) for p in products)
    ended = sum(bool(p["SellEndDate"]) for p in products)
    assert Product.objects.filter(status="discontinued").count() == ended > 0
    placed = sum(bool(p["ProductSubcategoryID"]) for p in products)
    assert Product.objects.exclude(category=None).count() == placed > 0

    before = history()
    for profile, (name, rows) in FILES.items():
        assert imported(analyst, profile, folder / name).counts == {"unchanged": rows}, profile
    assert history() == before


def test_locations_are_for_those_who_may_make_warehouses(people, real_data):
    path = real_data / "adventureworks" / "Location.csv"
    assert imported(people["administrator"], "adventureworks-locations", path).counts == {"create": 14}
    assert Warehouse.objects.get(code="AW-7").name == "Finished Goods Storage"
    before = history()
    assert imported(people["administrator"], "adventureworks-locations", path).counts == {"unchanged": 14}
    assert history() == before

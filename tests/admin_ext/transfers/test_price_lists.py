"""Real input: price-list workbooks through their shipped profiles, behind instructions and above notes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from admin_ext.audit.context import change_set
from apps.catalogue.models import Product
from opsadmin.demo.people import make_people
from opsadmin.demo.profiles import load_profiles
from opsadmin.demo.roles import load_roles
from tests.admin_ext.transfers.real_imports import history, imported, reasons

# Profile, workbook, rows below the header, those that offer something, the sum of their prices.
LISTS = [
    ("gsa-services", "03FAC_example.xlsx", 54, 11, "904"),
    ("gsa-services", "r10_example.xlsx", 57, 2, "200"),
    ("gsa-labour", "s70_example.xlsx", 14, 1, "125"),
    ("gsa-market", "s736_example.xlsx", 1, 1, "50"),
    ("gsa-commercial", "s736_example.xlsx", 1, 1, "10"),
]

pytestmark = [pytest.mark.django_db, pytest.mark.corpus]


@pytest.fixture
def analyst():
    """The demo's own analyst: the role and the profiles are what ships."""
    with change_set(actor=None, door="command", verb="tests.arrange"):
        people = make_people(load_roles())
        load_profiles()
    return type(people["analyst"]).objects.get(username="analyst")


@pytest.mark.parametrize(("profile", "name", "rows", "offers", "sum_"), LISTS)
def test_what_is_offered_comes_and_the_rest_is_told(analyst, real_data, profile, name, rows, offers, sum_):
    path = real_data / "spreadsheets" / name
    plan = imported(analyst, profile, path)
    assert plan.parameters["lines"] == {"read": rows, "accepted": offers, "rejected": rows - offers}
    assert plan.counts == {"create": offers, **({"refused": rows - offers} if rows > offers else {})}
    assert sum(Product.objects.values_list("list_price", flat=True)) == Decimal(sum_)
    assert set(Product.objects.values_list("currency", "status")) == {("USD", "active")}
    told = "It offers nothing: a line of the form that was not filled in, or a note below the table."
    assert reasons(plan) == ({told: rows - offers} if rows > offers else {})
    before = history()
    assert "update" not in imported(analyst, profile, path).counts
    assert history() == before


def test_the_same_person_overtime_is_a_product_of_its_own(analyst, real_data):
    imported(analyst, "gsa-services", real_data / "spreadsheets" / "03FAC_example.xlsx")
    plain = Product.objects.get(sku="811-004-ELECTRICIAN")
    overtime = Product.objects.get(sku="811-004-ELECTRICIAN-OVERTIME")
    assert (plain.unit, plain.list_price) == ("hour", 70)
    assert (overtime.name, overtime.list_price) == ("Electrician Overtime", 99)
    assert plain.brought_in

"""One record at two moments: what differs is marked, parts are told, nobody reads what they may not."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_ext.admin.instants import written
from admin_ext.audit.context import change_set
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.apps.orders.factories import OrderFactory, OrderLineFactory
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, give_role
from tests.moments import moment

pytestmark = pytest.mark.django_db


def changed(row, **values):
    with change_set(actor=None, door="shell"):
        type(row)._base_manager.filter(pk=row.pk).update(**values)


@pytest.fixture
def compare(client):
    def get(person, row, **parameters):
        client.force_login(person)
        address = f"admin:{row._meta.app_label}_{row._meta.model_name}_compare"
        return client.get(reverse(address, args=[row.pk]), parameters)

    return get


@pytest.fixture
def reader():
    return give_role(person_for(Customer), "customers.view_region")


def differing(page):
    return {f["label"]: (f["before"], f["after"]) for f in page.context["fields"] if f["differs"]}


class TestComparing:
    def test_begins_with_the_last_two_moments(self, compare, reader):
        customer = CustomerFactory(name="First", city="Lund")
        changed(customer, name="Second")
        changed(customer, name="Third")
        page = compare(reader, customer)
        assert differing(page) == {"Name": ("Second", "Third")}
        assert ("City", "Lund", "Lund") in [(f["label"], f["before"], f["after"]) for f in page.context["fields"]]
        assert len(page.context["moments"]) == 3

    def test_a_record_with_one_moment_is_compared_with_nothing(self, compare, reader):
        page = compare(reader, CustomerFactory(name="New"))
        assert differing(page)["Name"] == ("", "New")
        assert "At the earlier moment there was no such record" in page.text

    def test_takes_any_two_in_either_order(self, compare, reader):
        customer = CustomerFactory(name="First")
        first = written(moment())
        changed(customer, name="Second")
        second = written(moment())
        changed(customer, name="Third")
        for a, b in ((first, second), (second, first)):
            assert differing(compare(reader, customer, a=a, b=b)) == {"Name": ("First", "Second")}
        assert differing(compare(reader, customer, a=second, a_at=first, b=second)) == {"Name": ("First", "Second")}

    def test_one_change_set_is_one_moment(self, compare, reader):
        customer = CustomerFactory(name="First", city="Lund")
        with change_set(actor=reader, door="form", verb="customers.tidy"):
            changed(customer, name="Second")
            changed(customer, city="Oslo")
        page = compare(reader, customer)
        assert differing(page) == {"Name": ("First", "Second"), "City": ("Lund", "Oslo")}
        assert str(reader) in page.context["moments"][0]["label"] and "customers.tidy" in page.text

    def test_tells_of_the_parts(self, compare, reader):
        customer = CustomerFactory()
        stays, goes, other = (ContactFactory(customer=customer, name=name) for name in ("Stays", "Goes", "Other"))
        before = written(moment())
        changed(other, phone="112")
        ContactFactory(customer=customer, name="Comes")
        with change_set(actor=None, door="shell"):
            goes.delete()
        page = compare(reader, customer, a=before, b=written(moment()))
        (contacts,) = page.context["parts"]
        assert {row["name"]: row["outcome"] for row in contacts["rows"]} == {
            "Comes": "added", "Goes": "removed", "Other": "changed",
        }  # fmt: skip
        assert contacts["same"] == 1 and str(stays) == "Stays"

    def test_does_not_name_what_the_reader_may_not_see(self, compare):
        person = person_for(Customer)
        customer = CustomerFactory(region=RegionFactory(name="Secret one"))
        changed(customer, region=RegionFactory(name="Secret two"))
        page = compare(person, customer)
        assert "Secret" not in page.text and set(differing(page)) == {"Region"}

    def test_says_what_it_does_not_understand(self, compare, reader):
        page = compare(reader, CustomerFactory(), a="nonsense")
        assert page.status_code == 200 and "is no instant" in page.text

    def test_costs_the_same_for_one_line_and_for_many(self, compare):
        person, counts = person_for(Order), []
        order = OrderFactory()
        for lines in (1, 15):
            for _ in range(lines):
                OrderLineFactory(order=order)
            compare(person, order)
            with CaptureQueriesContext(connection) as queries:
                assert compare(person, order, a="2026-01-01T00:00", b=written(moment())).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1]

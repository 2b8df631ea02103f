"""What the pages offer to revert and restore, to whom, and where it leads."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_ext.audit.context import change_set
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from apps.customers.models import Contact, Customer
from apps.inventory.models import StockMovement
from apps.orders.models import Shipment
from tests.apps.inventory.factories import StockMovementFactory
from tests.apps.orders.factories import OrderFactory, ShipmentFactory
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.view_region")


def changed(row, **values):
    with change_set(actor=None, door="shell", verb="tests.change", reason="Because"):
        type(row).objects.filter(pk=row.pk).update(**values)
    return row.history.first()


def deleted(row):
    key = row.pk
    with change_set(actor=None, door="shell", verb="tests.delete", reason="Because"):
        type(row).objects.get(pk=key).delete()
    return key


def address(name, *args, model=Customer):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def ways(page):
    return re.findall(r'href="([^"]*/(?:revert|restore)/[^"]*)"', page)


def latest_plan():
    return Plan.objects.latest("id")


class TestTheHistoryPage:
    def test_offers_each_change_and_field_to_who_may_change_the_row(self, client, person):
        customer = CustomerFactory(city="Lund", status="active")
        change = changed(customer, city="Malmö", status="on_hold")
        client.force_login(person)
        page = client.get(address("history", customer.pk)).text
        revert = address("revert", customer.pk, "customer", change.pk)
        assert f"{revert}?to=before" in ways(page)
        assert f"{revert}?to=before&amp;field=city" in ways(page) or f"{revert}?to=before&field=city" in ways(page)
        assert not any("field=status" in way for way in ways(page))
        created = address("revert", customer.pk, "customer", customer.history.last().pk)
        assert f"{created}?to=after" in ways(page)
        assert f"{revert}?to=after" not in ways(page)

    def test_offers_nothing_to_a_reader_and_nothing_of_a_ledger_or_document(self, client):
        customer = CustomerFactory()
        changed(customer, city="Lund")
        client.force_login(person_for(Customer, "customers.view_customer"))
        assert ways(client.get(address("history", customer.pk)).text) == []
        shipment = ShipmentFactory(order=OrderFactory())
        changed(shipment, carrier="DHL")
        client.force_login(person_for(Shipment))
        assert ways(client.get(address("history", shipment.pk, model=Shipment)).text) == []
        movement = StockMovementFactory()
        client.force_login(person_for(StockMovement))
        assert ways(client.get(address("history", movement.pk, model=StockMovement)).text) == []
        assert client.get(address("deleted", model=StockMovement)).status_code == 403

    def test_offers_a_deleted_part_to_be_restored(self, client, person):
        contact = ContactFactory(name="Ada")
        customer = contact.customer
        key = deleted(contact)
        client.force_login(person)
        way = address("restore_part", customer.pk, "contact", key)
        assert way in ways(client.get(address("history", customer.pk)).text)
        response = client.post(way, {"_go": "1", "reason": "By mistake"})
        plan = latest_plan()
        assert response.url == reverse("admin:plans_plan_change", args=[plan.pk])
        apply_plan(actor=person, plan=plan, mode="keep_good")
        run_job(Plan.objects.get(pk=plan.pk).applying_id)
        assert Contact.objects.get(pk=key).name == "Ada"
        assert way not in ways(client.get(address("history", customer.pk)).text)


class TestTheRevertPage:
    def ask(self, client, customer, change, **query):
        return client.get(address("revert", customer.pk, "customer", change.pk), query)

    def test_shows_now_and_then_and_makes_the_plan_at_once(self, client, person):
        customer = CustomerFactory(city="Lund", credit_limit=1, status="active")
        change = changed(customer, city="Malmö", credit_limit=2, status="on_hold")
        client.force_login(person)
        page = self.ask(client, customer, change, to="before").text
        assert "City: Malmö → Lund" in page and "Credit limit: 2.00 → 1.00" in page
        assert "Status is changed by its verbs" in page
        url = address("revert", customer.pk, "customer", change.pk) + "?to=before"
        assert client.post(url, {"_go": "1", "fields_back": ["city"]}).status_code == 200  # no reason
        posted = {"_go": "1", "fields_back": ["city", "credit_limit"], "reason": "Typed wrongly"}
        response = client.post(url, posted)
        plan = latest_plan()
        assert response.url == reverse("admin:plans_plan_change", args=[plan.pk])
        review = client.get(response.url).text
        assert "Status is changed by its verbs and stays “On hold”." in review
        assert "Malmö" in review and "Lund" in review
        assert Customer.objects.get(pk=customer.pk).city == "Malmö"

    def test_takes_only_columns_of_the_form(self, client, person):
        customer = CustomerFactory(status="active", city="Lund")
        change = changed(customer, status="on_hold", city="Malmö")
        client.force_login(person)
        url = address("revert", customer.pk, "customer", change.pk) + "?to=before"
        response = client.post(url, {"_go": "1", "fields_back": ["status"], "reason": "x"})
        assert response.status_code == 200 and not Plan.objects.exists()

    def test_is_not_there_for_who_may_not_change_the_row_or_for_a_moment_of_another(self, client, person):
        customer, other = CustomerFactory(), CustomerFactory()
        change = changed(customer, city="Lund")
        theirs = changed(other, city="Lund")
        client.force_login(person)
        assert self.ask(client, customer, theirs, to="before").status_code == 404
        assert self.ask(client, customer, change, to="sideways").status_code == 404
        client.force_login(person_for(Customer, "customers.view_customer"))
        assert self.ask(client, customer, change, to="before").status_code == 403
        client.force_login(person_for(Customer, scoped=True))
        assert self.ask(client, customer, change, to="before").status_code == 404

    def test_tells_no_name_of_a_related_row_that_is_not_visible(self, client):
        hidden = RegionFactory(name="Secret canary")
        customer = CustomerFactory(region=hidden)
        region = RegionFactory()
        change = changed(customer, region=region)
        scoped = person_for(Customer, "customers.view_customer", "customers.change_customer", scoped=True)
        client.force_login(grant(scoped, "access_region", region))
        page = self.ask(client, customer, change, to="before")
        assert page.status_code == 200 and "canary" not in page.text
        url = address("revert", customer.pk, "customer", change.pk) + "?to=before"
        response = client.post(url, {"_go": "1", "fields_back": ["region"], "reason": "x"}, follow=True)
        assert "canary" not in response.text


class TestDeletedRows:
    def test_are_listed_found_read_and_restored(self, client, person):
        customer = CustomerFactory(code="GONE-1", name="Vanished Ltd", city="Lund")
        CustomerFactory(code="HERE-1", name="Present Ltd")
        ContactFactory(customer=customer, name="Ada")
        key = deleted(customer)
        client.force_login(person)
        assert address("deleted") in client.get(address("changelist")).text
        page = client.get(address("deleted")).text
        assert "GONE-1 Vanished Ltd" in page and "HERE-1" not in page and "Because" in page
        for asked in ("gone", "vanish", str(key)):
            assert "GONE-1" in client.get(address("deleted"), {"q": asked}).text
        assert "GONE-1" not in client.get(address("deleted"), {"q": "nothing"}).text
        read = client.get(address("deleted_row", key)).text
        assert "Lund" in read and "deleted" in read and "Ada" in read
        response = client.post(address("restore", key), {"_go": "1", "reason": "By mistake"})
        plan = latest_plan()
        assert response.url == reverse("admin:plans_plan_change", args=[plan.pk])
        review = client.get(response.url).text
        assert "contact" in review and "Ada" in review
        apply_plan(actor=person, plan=plan, mode="all_or_nothing")
        run_job(Plan.objects.get(pk=plan.pk).applying_id)
        assert client.get(address("change", key)).status_code == 200
        assert client.get(address("deleted_row", key)).status_code == 404
        assert "GONE-1" not in client.get(address("deleted")).text

    def test_are_told_where_the_row_last_was(self, client):
        mine, theirs = CustomerFactory(code="MINE-1"), CustomerFactory(code="THEIRS-1")
        region = mine.region
        keys = [deleted(mine), deleted(theirs)]
        rights = ["customers.view_customer", "customers.add_customer", "customers.view_region"]
        client.force_login(grant(give_role(UserFactory(), *rights), "access_region", region))
        page = client.get(address("deleted")).text
        assert "MINE-1" in page and "THEIRS-1" not in page
        assert client.get(address("deleted_row", keys[0])).status_code == 200
        for name in ("deleted_row", "restore"):
            assert client.get(address(name, keys[1])).status_code == 404
            assert client.post(address(name, keys[1]), {"_go": "1", "reason": "x"}).status_code == 404

    def test_are_read_by_who_may_view_and_restored_by_who_may_add(self, client):
        key = deleted(CustomerFactory())
        client.force_login(UserFactory())
        assert client.get(address("deleted")).status_code == 403
        assert client.get(address("deleted_row", key)).status_code == 404
        client.force_login(person_for(Customer, "customers.view_customer"))
        page = client.get(address("deleted_row", key))
        assert page.status_code == 200 and "Restore" not in page.text
        assert client.post(address("restore", key), {"_go": "1", "reason": "x"}).status_code == 403

    def test_cost_the_same_queries_for_one_and_for_many_and_go_on_by_pages(self, client, person):
        client.force_login(person)
        deleted(CustomerFactory())
        client.get(address("deleted"))
        counts = []
        for rows in (0, 55):
            for _ in range(rows):
                deleted(CustomerFactory())
            with CaptureQueriesContext(connection) as queries:
                page = client.get(address("deleted")).text
            counts.append(len(queries))
        assert counts[0] == counts[1]
        following = re.search(r'rel="next" href="([^"]+)"', page)[1]
        rest = client.get(address("deleted") + following).text
        assert page.count("/deleted/") + rest.count("/deleted/") >= 56
        assert rest.count("<time") == 6


class TestTheReview:
    def test_downloads_the_rows_that_failed_of_a_plan_without_a_file(self, client, person):
        customer = CustomerFactory(code="A1")
        ContactFactory(customer=customer, name="Ada")
        key = deleted(customer)
        CustomerFactory(code="A1")
        client.force_login(person)
        client.post(address("restore", key), {"_go": "1", "reason": "By mistake"})
        response = client.get(reverse("admin:plans_plan_failed", args=[latest_plan().pk]))
        lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
        assert lines[0] == "row,kind,record,reason"
        assert lines[1].startswith("1,customer,A1") and "Another customer has this code" in lines[1]
        assert lines[2].startswith("2,contact,")

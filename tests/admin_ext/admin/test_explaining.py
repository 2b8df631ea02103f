"""The page that explains a right: who opens it, what it tells, and the ways that lead there."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from django.urls import reverse

from admin_ext.admin.screens.explain import address_of
from admin_ext.admin.screens.refusals import SALT
from admin_ext.audit.models import AccessEvent
from admin_ext.notices.models import Notice
from tests.apps.orders.factories import OrderFactory
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(db):
    return give_role(UserFactory(), "accounts.grant_user", "accounts.view_user")


@pytest.fixture
def order(db):
    region = RegionFactory(name="Secret Iberia")
    return OrderFactory(customer=CustomerFactory(region=region, name="Secret customer"))


def visit(client, person, address):
    client.force_login(person)
    return client.get(address)


class TestThePage:
    def test_is_for_who_gives_rights(self, client, order):
        assert visit(client, give_role(UserFactory(), "accounts.view_user"), address_of()).status_code == 403
        assert visit(client, UserFactory(is_superuser=True), address_of()).status_code == 200

    def test_explains_a_row_to_a_person_who_may_not_see_it_by_its_number(self, client, administrator, order):
        person = give_role(UserFactory(first_name="Ann"), "orders.view_order")
        asked = address_of(user=person.pk, model="orders.Order", row=order.pk, action="ship")
        page = visit(client, administrator, asked).text
        assert f"may not ship order #{order.pk}" in page
        assert "No role of Ann&#x27;s gives “ship” on orders" in page
        for name in ("Secret", order.number):
            assert name not in page

    def test_names_what_the_reader_may_see(self, client, administrator, order):
        administrator = grant(administrator, "view", order)
        page = visit(client, administrator, address_of(user=administrator.pk, model="orders.Order", row=order.pk)).text
        assert "may view <a" in page
        assert str(order) in page
        assert "Secret" not in page

    def test_lists_who_may(self, client, administrator, order):
        inside, outside = grant(UserFactory(first_name="Inside"), "view", order), UserFactory(first_name="Outsider Ltd")
        page = visit(client, administrator, address_of(model="orders.Order", row=order.pk))
        assert [each.person for each in page.context["listed"]] == [inside]
        assert "granted this order" in page.text
        assert outside.first_name not in page.text

    def test_lists_who_could_on_a_day_that_is_over(self, client, administrator, order):
        grant(UserFactory(first_name="Inside"), "view", order)
        asked = address_of(model="orders.Order", row=order.pk, as_of="2026-01-01T12:00")
        page = visit(client, administrator, asked)
        assert page.context["total"] == 0
        assert "could view" in page.text

    @pytest.mark.parametrize(
        "asked",
        [
            {"user": "x"}, {"model": "no.Model"}, {"model": "orders.Order", "row": "9" * 30}, {"row": "-1"},
            {"model": "orders.Order", "row": "1", "action": "fly"}, {"as_of": "yesterday"},
            {"model": "jobs.Job", "row": "1", "user": "1", "as_of": "2026-01-01T12:00"}, {"refusal": "forged"},
            {"model": "orders.Order", "row": "999999999999999999999"}, {"user": "1\x00"},
        ],
    )  # fmt: skip
    def test_what_cannot_be_understood_is_said(self, client, administrator, asked):
        assert visit(client, administrator, address_of(**asked)).status_code in (200, 302)

    def test_looking_is_noted(self, client, administrator, order):
        person = UserFactory()
        visit(client, administrator, address_of(user=person.pk, model="orders.Order", row=order.pk))
        noted = AccessEvent.objects.get(kind="view", object_id=person.pk)
        assert (noted.actor, noted.detail) == (administrator, {"page": "explain"})

    def test_costs_the_same_for_few_people_and_for_many(
        self, client, administrator, order, django_assert_max_num_queries
    ):
        for _ in range(30):
            grant(UserFactory(), "view", order)
        client.force_login(administrator)
        with django_assert_max_num_queries(60):
            client.get(address_of(model="orders.Order", row=order.pk))


class TestTheWaysThere:
    def test_buttons_on_a_person_and_on_a_row(self, client, administrator, order):
        administrator = grant(administrator, "view", order)
        row = visit(client, administrator, reverse("admin:orders_order_change", args=[order.pk])).text
        assert f"model=orders.Order&amp;row={order.pk}" in row
        person = visit(client, administrator, reverse("admin:accounts_user_change", args=[administrator.pk])).text
        assert f"/access/explain/?user={administrator.pk}" in person

    def test_no_button_for_others(self, client, order):
        reader = grant(UserFactory(), "view", order)
        assert "/access/explain/" not in visit(client, reader, f"/orders/order/{order.pk}/change/").text

    def ask(self, client, person, address):
        """From a refusal to the page that asks; returns its address and the one that an administrator opens."""
        page = visit(client, person, address)
        ask = page.text.partition('href="/access/ask/')[2].partition('"')[0]
        if not ask:
            page = client.get("/", follow=True)
            ask = page.text.partition('href="/access/ask/')[2].partition('"')[0]
        return "/access/ask/" + ask

    @pytest.mark.parametrize(
        ("page", "action"),
        [("/orders/order/", "view"), ("/orders/order/add/", "add"), ("/orders/order/export/", "export")],
    )
    def test_a_refusal_leads_to_its_explanation(self, client, administrator, page, action):
        person = UserFactory(first_name="Ann")
        asking = self.ask(client, person, page)
        assert client.get(asking).status_code == 200
        reference = parse_qs(urlsplit(asking).query)["reference"][0]
        opened = visit(client, administrator, f"/access/explain/?refusal={reference}")
        assert opened.headers["Location"] == address_of(user=person.pk, model="orders.Order", action=action)

    def test_a_row_that_is_not_to_be_had_leads_there_as_well(self, client, administrator, order):
        person = give_role(UserFactory(), "orders.view_order")
        for key in (order.pk, 999_999_999):
            asking = self.ask(client, person, f"/orders/order/{key}/change/")
            reference = parse_qs(urlsplit(asking).query)["reference"][0]
            opened = visit(client, administrator, f"/access/explain/?refusal={reference}")
            wanted = address_of(user=person.pk, model="orders.Order", row=key, action="view")
            assert opened.headers["Location"] == wanted

    def test_asking_rings_the_bell_of_who_gives_rights_once(self, client, administrator):
        person = UserFactory(first_name="Ann")
        bystander = give_role(UserFactory(), "accounts.view_user")
        asking = self.ask(client, person, "/orders/order/")
        for why in ("The Lisbon case", "Really"):
            assert client.post(asking, {"why": why}).status_code == 302
        (notice,) = Notice.objects.filter(recipient=administrator)
        assert "Ann may not open /orders/order/ and asks why. “The Lisbon case”" in notice.text
        assert not Notice.objects.filter(recipient=bystander).exists()
        assert visit(client, administrator, notice.url).status_code == 302

    def test_a_refusal_in_the_ledger_leads_there(self, client, administrator):
        person = UserFactory()
        visit(client, person, "/orders/order/")
        event = AccessEvent.objects.get(kind="denied", actor=person)
        reader = give_role(administrator, "audit.view_accessevent")
        wanted = address_of(user=person.pk, model="orders.Order", action="view").replace("&", "&amp;")
        assert wanted in visit(client, reader, f"/audit/accessevent/{event.pk}/change/").text
        auditor = give_role(UserFactory(), "audit.view_accessevent")
        assert "/access/explain/" not in visit(client, auditor, f"/audit/accessevent/{event.pk}/change/").text

    def test_nobody_asks_in_the_name_of_another_or_with_a_made_up_reference(self, client, administrator):
        asking = self.ask(client, UserFactory(), "/orders/order/")
        assert visit(client, UserFactory(), asking).status_code == 403
        forged = signing.dumps({"u": administrator.pk, "p": "/", "m": "GET"}, key="another", salt=SALT)
        assert visit(client, administrator, f"/access/ask/?reference={forged}").status_code == 404

"""Columns that people choose, sums below a list, and the way from record to record: within rights."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.urls import reverse

from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.admin import totals
from admin_ext.filtering.patience import TookTooLong, capped_count, told_count, within
from apps.customers.models import Customer
from tests.apps.orders.factories import OrderFactory, OrderLineFactory
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant, police

pytestmark = pytest.mark.django_db
CUSTOMERS = reverse("admin:customers_customer_changelist")
ORDERS = reverse("admin:orders_order_changelist")


@pytest.fixture
def olga():
    return give_role(
        UserFactory(),
        "customers.view_customer",
        "customers.access_all_region",
        "inventory.access_all_warehouse",
        "orders.view_order",
        "customers.view_region",
    )


def see(client, person, address, **query):
    client.force_login(person)
    response = client.get(address, query)
    assert response.status_code == 200
    return response


def words(response, name):
    """The text of a column, row by row."""
    import re

    found = re.findall(rf'<t[hd][^>]*field-{name}[ "][^>]*>(.*?)</t[hd]>', response.text, re.S)
    return [" ".join(re.sub("<[^>]+>", " ", each).split()) for each in found]


class TestColumns:
    def test_any_field_and_declared_related_ones_in_any_order(self, client, olga, act):
        region = RegionFactory(name="Up north", parent=RegionFactory(name="Everywhere"))
        CustomerFactory(tax_number="TAX-1", region=region)
        response = see(client, olga, CUSTOMERS, _columns="code,tax_number,region__parent,name")
        assert words(response, "tax_number") == ["TAX-1"]
        assert "Everywhere" in words(response, "region__parent")[0]
        assert response.text.index("column-tax_number") < response.text.index("column-name")

    def test_what_was_not_declared_is_not_reached(self, client, olga, act):
        CustomerFactory(account_manager=UserFactory(email="secret@example.com"))
        for path in (
            "account_manager__email",
            "account_manager__password",
            "history",
            "pk",
            "id",
            "__class__",
            "delete",
        ):
            response = see(client, olga, CUSTOMERS, _columns=f"code,{path}", _sort=path)
            assert "secret@example.com" not in response.text and "pbkdf2" not in response.text
            assert "was left out" in response.text or path.startswith("__")

    def test_a_related_row_that_is_not_theirs_has_no_name(self, client, act):
        order = OrderFactory(customer=CustomerFactory(name="Secret Ltd"))
        person = grant(give_role(UserFactory(), "orders.view_order"), "view", order)
        columns = "number,shown_customer,customer__name,customer__region,customer__status"
        response = see(client, person, ORDERS, _columns=columns)
        assert "Secret Ltd" not in response.text
        assert words(response, "customer__name") == [NOT_VISIBLE] == words(response, "shown_customer")
        assert words(response, "customer__status") == [NOT_VISIBLE] == words(response, "customer__region")

    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_a_related_field_that_policies_keep_is_not_offered(self, client, olga, act, kind):
        OrderFactory(customer=CustomerFactory(country="SE"))
        person = police(olga, "customers.Customer:country", kind)
        response = see(client, person, ORDERS, _columns="number,customer__country", _sort="customer__country")
        assert words(response, "customer__country") == [] and 'id="col-customer__country"' not in response.text

    def test_the_first_column_stays(self, client, olga, act):
        customer = CustomerFactory()
        response = see(client, olga, CUSTOMERS, _columns="city")
        assert words(response, "code") == [customer.code]

    @pytest.mark.parametrize(
        "query",
        [
            {"_columns": "code:99999999999999999999"},
            {"_columns": "\0,code"},
            {"_columns": "," * 5000},
            {"_sort": "-,--code,code-"},
            {"_size": "7"},
            {"_size": "99999999999999999999999"},
            {"_density": "tiny"},
            {"o": "99999999999999999999.-x.0"},
            {"_totals": "x"},
            {"_columns": "</style><script>alert(1)</script>"},
        ],
    )
    def test_what_makes_no_sense_shows_the_list(self, client, olga, act, query):
        CustomerFactory()
        response = see(client, olga, CUSTOMERS, **query)
        assert len(response.context["cl"].result_list) == 1 and "<script>alert" not in response.text

    def test_page_size_and_several_sorts(self, client, olga, act):
        for n in range(30):
            CustomerFactory(city=f"City {n % 3}", name=f"Customer {n:02}")
        response = see(client, olga, CUSTOMERS, _size="25", _sort="city,-name")
        rows = [(row.city, row.name) for row in response.context["cl"].result_list]
        everything = sorted(Customer.objects.values_list("city", "name"), key=lambda row: row[1], reverse=True)
        assert rows == sorted(everything, key=lambda row: row[0])[:25]
        first, second = response.context["toolbar"].sort_chips
        assert parse_qs(urlsplit(first["turned"]).query)["_sort"] == ["-city,-name"]
        assert parse_qs(urlsplit(second["without"]).query)["_sort"] == ["city"]


class TestTotals:
    @pytest.fixture
    def orders(self, act):
        for n, currency in enumerate(["EUR", "EUR", "USD"]):
            order = OrderFactory(customer=CustomerFactory(currency=currency), currency=currency)
            OrderLineFactory(order=order, quantity=n + 1, unit_price=10)

    def test_of_the_page_by_currency(self, client, olga, orders):
        found = see(client, olga, ORDERS, _size="25").context["totals"]
        assert dict(found.sums)["net total"] == "30.00\xa0EUR + 30.00\xa0USD" and not found.of_all

    def test_of_all_rows_when_asked(self, client, olga, orders, monkeypatch):
        response = see(client, olga, ORDERS, _totals="all", currency="EUR")
        assert dict(response.context["totals"].sums)["net total"] == "30.00\xa0EUR"
        assert response.context["totals"].of_all
        assert "_totals" not in response.context["cl"].get_query_string()

    def test_not_of_what_the_person_may_not_read(self, client, olga, orders):
        person = police(olga, "orders.OrderLine:amount", "masked")
        assert "30.00" not in see(client, person, ORDERS, _totals="all").text

    def test_within_rights(self, client, olga, orders):
        order = OrderFactory(customer=CustomerFactory(currency="EUR"), currency="EUR")
        OrderLineFactory(order=order, quantity=1, unit_price=7)
        person = grant(give_role(UserFactory(), "orders.view_order"), "view", order)
        assert dict(see(client, person, ORDERS, _totals="all").context["totals"].sums)["net total"] == "7.00\xa0EUR"

    def test_that_take_too_long_are_not_told(self, client, olga, orders, monkeypatch):
        def slow(*args):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(5)")

        monkeypatch.setattr(totals, "PATIENCE_MS", 20)
        monkeypatch.setattr(totals, "_of_all", slow)
        response = see(client, olga, ORDERS, _totals="all")
        assert response.context["totals"].too_long and "All rows took too long to sum" in response.text


class TestNeighboursOnThePage:
    def ways(self, client, person, row, filters):
        address = reverse("admin:customers_customer_change", args=[row.pk])
        response = see(client, person, address, _changelist_filters=filters)
        found = response.context.get("neighbours") or {}
        return {way: int(url.split("/")[3]) for way, url in found.items() if url}

    def test_lead_through_the_list_that_one_came_from(self, client, olga, act):
        rows = [CustomerFactory(city="Lund" if n % 2 else "Oslo", name=f"C {9 - n}") for n in range(6)]
        assert self.ways(client, olga, rows[3], "city=Lund&_sort=name") == {"previous": rows[5].pk, "next": rows[1].pk}
        assert self.ways(client, olga, rows[1], "city=Lund&_sort=name") == {"previous": rows[3].pk}
        assert self.ways(client, olga, rows[2], "city=Lund") == {}
        assert self.ways(client, olga, rows[2], "colour=red") == {}

    def test_never_to_a_row_elsewhere(self, client, act):
        place = RegionFactory()
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", place)
        rows = [CustomerFactory(code=f"C{n}", region=place if n != 1 else RegionFactory()) for n in range(3)]
        assert self.ways(client, person, rows[0], "_sort=code") == {"next": rows[2].pk}

    def test_not_by_an_order_that_the_person_may_not_know(self, client, olga, act):
        rows = [CustomerFactory(code=f"C{n}", tax_number=str(9 - n)) for n in range(3)]
        person = police(olga, "customers.Customer:tax_number", "masked")
        assert self.ways(client, person, rows[0], "_sort=tax_number").get("previous") != rows[1].pk

    def test_from_a_list_that_is_not_narrowed(self, client, olga, act):
        first = CustomerFactory()
        CustomerFactory()
        page = see(client, olga, CUSTOMERS)
        link = page.text.split(f'href="/customers/customer/{first.pk}/change/?')[1].split('"')[0]
        assert link == "_changelist_filters=view%3Dall"
        assert self.ways(client, olga, first, "view=all")

    @pytest.mark.parametrize("filters", ["view=1", "view=x%00", "%", "o=0.0.0", "_sort=x", "p=99", "region=9" * 9])
    def test_nothing_is_broken_by_what_is_no_list(self, client, olga, act, filters):
        self.ways(client, olga, CustomerFactory(), filters)


class TestPatience:
    def test_counts_no_further_than_asked(self, act):
        for _ in range(4):
            CustomerFactory()
        assert capped_count(Customer.objects.all(), 10) == 4
        assert (capped_count(Customer.objects.all(), 3), told_count(4, 3), told_count(3, 3)) == (4, "3+", "3")

    def test_ends_what_takes_too_long_and_goes_on(self):
        with pytest.raises(TookTooLong), within(20), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)

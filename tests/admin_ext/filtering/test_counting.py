"""Counts: exact where cheap, about where not, never of rows that the person may not see."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.urls import reverse

from admin_ext.filtering import counting
from admin_ext.filtering.counting import Count, count, count_exactly
from admin_ext.filtering.patience import TookTooLong
from apps.customers.models import Customer, Region
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(monkeypatch):
    """More rows than are counted."""
    monkeypatch.setattr(counting, "CAP", 3)
    customers = CustomerFactory.create_batch(9)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer")
    return customers


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0"), (7, "7"), (12_345, "12,340"), (8_214_317, "8,214,000"), (999_996, "1,000,000")]
)
def test_what_is_not_exact_is_rounded_and_says_so(number, told):
    assert str(Count(number, exact=False)) == f"about {told}"


def test_what_is_exact_is_told_in_full():
    assert str(Count(12_345)) == f"{Count(12_345)}" == "12,345" and Count(7) == 7


def test_few_rows_are_counted():
    CustomerFactory.create_batch(3)
    assert count(Customer.objects.all()) == 3 and count(Customer.objects.all()).exact


def test_many_rows_are_estimated_and_never_below_what_was_seen(many):
    told = count(Customer.objects.all())
    assert not told.exact and told >= 4
    assert count(Customer.objects.filter(pk=many[0].pk), at_least=0).exact


def test_a_dear_count_is_not_made(monkeypatch, django_assert_num_queries):
    CustomerFactory()
    monkeypatch.setattr(counting, "DEAREST", -1)
    with django_assert_num_queries(1):
        assert not count(Customer.objects.all(), at_least=1).exact


def test_an_exact_count_gives_up_in_words(monkeypatch):
    monkeypatch.setattr(counting, "PATIENCE_MS", 1)
    slow = Customer.objects.extra(where=["pg_sleep(0.2) IS NOT NULL"])
    CustomerFactory()
    with pytest.raises(TookTooLong):
        count_exactly(slow)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"


def test_the_list_offers_to_count_and_counts(client, many, monkeypatch):
    monkeypatch.setattr("apps.customers.admin.CustomerAdmin.list_per_page", 2)
    client.force_login(person_for(Customer))
    listed = client.get(reverse("admin:customers_customer_changelist") + "?status=active")
    assert "about" in listed.text
    address = re.search(r'hx-get="(count/[^"]+)"', listed.text)[1].replace("&amp;", "&")
    address = reverse("admin:customers_customer_changelist") + address
    assert "Counted: 9 customers." in client.get(address, headers={"HX-Request": "true"}).text
    assert "Counted: 9 customers." in client.get(address, follow=True).text


def test_others_rows_are_not_counted(client, many):
    person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", many[0].region)
    client.force_login(person)
    address = reverse("admin:customers_customer_count")
    assert "Counted: 1 customer." in client.get(address, headers={"HX-Request": "true"}).text
    assert client.get(reverse("admin:customers_region_count")).status_code == 403


@pytest.mark.parametrize("query", ["nonsense=1", "status=nonsense", "p=x", "q=%00", "o=99", "_asof=never"])
def test_what_is_no_list_is_not_counted_and_breaks_nothing(client, query):
    client.force_login(person_for(Customer))
    assert client.get(f"{reverse('admin:customers_customer_count')}?{query}").status_code in (200, 302)
    assert Region.objects.count() is not None

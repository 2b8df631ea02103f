"""Records of a thousand lines: a page of them at a time, searched, and only what was shown is saved."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_ext.access.models import FieldPolicy
from admin_ext.audit.context import change_set
from apps.customers.models import Contact, Customer
from tests.admin_ext.admin.test_stale_save import fields_of
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory

pytestmark = pytest.mark.django_db
LINES = 1000


@pytest.fixture
def customer():
    customer = CustomerFactory(name="Long")
    with change_set(actor=None, door="shell"):
        Contact.objects.bulk_create(
            Contact(customer=customer, name=f"Person {n:04}", title="Buyer", phone=str(n)) for n in range(LINES)
        )
    return customer


@pytest.fixture
def person():
    return person_for(Customer)


def url(row, query=""):
    return reverse("admin:customers_customer_change", args=[row.pk]) + query


def opened(client, person, row, query=""):
    client.force_login(person)
    page = client.get(url(row, query)).text
    return page, fields_of(page)


def names(posted):
    return [value for name, value in posted.items() if re.fullmatch(r"contacts-\d+-name", name)]


class TestThePage:
    def test_shows_fifty_lines_and_says_which(self, client, person, customer):
        page, posted = opened(client, person, customer)
        assert names(posted) == [f"Person {n:04}" for n in range(50)]
        assert "1 to 50 of 1,000" in page
        assert len(posted) < 500

    def test_turns_to_the_next_and_the_last(self, client, person, customer):
        assert names(opened(client, person, customer, "?contacts-page=2")[1])[0] == "Person 0050"
        page, posted = opened(client, person, customer, "?contacts-page=999")
        assert names(posted)[-1] == "Person 0999" and "951 to 1,000 of 1,000" in page

    def test_finds_a_line_by_what_stands_in_it(self, client, person, customer):
        page, posted = opened(client, person, customer, "?contacts-q=son+0777")
        assert names(posted) == ["Person 0777"] and "1 to 1 of 1" in page
        page, posted = opened(client, person, customer, "?contacts-q=nobody")
        assert names(posted) == [] and "None found" in page

    @pytest.mark.parametrize("asked", ["-1", "x", "\x00", "9" * 30, "²", "0"])
    def test_takes_any_page_for_one_that_there_is(self, client, person, customer, asked):
        assert len(names(opened(client, person, customer, f"?contacts-page={asked}")[1])) == 50

    def test_does_not_search_what_may_not_be_read(self, client, person, customer):
        with change_set(actor=None, door="shell", reason="a test"):
            for role in person.groups.all():
                FieldPolicy.objects.create(role=role, model="customers.Contact", field="phone", kind="masked")
        person = type(person).objects.get(pk=person.pk)
        assert names(opened(client, person, customer, "?contacts-q=777")[1]) == ["Person 0777"]
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(customer=customer, phone="778").update(phone="SECRET")
        assert names(opened(client, person, customer, "?contacts-q=SECRET")[1]) == []

    def test_few_lines_are_neither_counted_nor_paged(self, client, person):
        few = CustomerFactory()
        ContactFactory(customer=few)
        page, _ = opened(client, person, few)
        assert "contacts-find" not in page
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(url(few))
        assert not [each for each in queries if "COUNT(*)" in each["sql"] and "customers_contact" in each["sql"]]

    def test_costs_as_many_queries_as_fifty_lines(self, client, person, customer):
        fewer = CustomerFactory()
        for _ in range(50):
            ContactFactory(customer=fewer)
        counts = []
        for row in (fewer, customer):
            opened(client, person, row)
            with CaptureQueriesContext(connection) as queries:
                client.get(url(row))
            counts.append(len(queries))
        assert counts[1] <= counts[0] + 2  # how many there are, and the page again


class TestSaving:
    def test_saves_the_lines_of_the_page_and_no_others(self, client, person, customer):
        _, posted = opened(client, person, customer, "?contacts-page=3")
        line = next(n for n in posted if posted[n] == "Person 0120").removesuffix("-name")
        response = client.post(url(customer, "?contacts-page=3"), posted | {f"{line}-title": "Head", "_continue": "1"})
        assert response.status_code == 302 and "contacts-page=3" in response.url
        assert Contact.objects.get(customer=customer, name="Person 0120").title == "Head"
        assert Contact.objects.filter(customer=customer).count() == LINES
        assert Contact.objects.filter(customer=customer, version=2).count() == 1

    def test_finds_its_lines_again_when_others_have_moved_them(self, client, person, customer):
        _, posted = opened(client, person, customer, "?contacts-page=3")
        line = next(n for n in posted if posted[n] == "Person 0120").removesuffix("-name")
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(customer=customer, name__lt="Person 0060").delete()
        assert client.post(url(customer, "?contacts-page=3"), posted | {f"{line}-title": "Head"}).status_code == 302
        assert Contact.objects.get(customer=customer, name="Person 0120").title == "Head"

    def test_a_line_may_be_added_and_one_deleted(self, client, person, customer):
        _, posted = opened(client, person, customer)
        new = {"contacts-TOTAL_FORMS": "51", "contacts-50-name": "New", "contacts-50-id": "", "contacts-7-DELETE": "on"}
        assert client.post(url(customer), posted | new).status_code == 302
        assert Contact.objects.filter(customer=customer, name="New").exists()
        assert not Contact.objects.filter(customer=customer, name="Person 0007").exists()
        assert Contact.objects.filter(customer=customer).count() == LINES

    @pytest.mark.parametrize("whose", ["another's", "nobody's", "none", "no key"])
    def test_a_line_of_another_whole_is_refused(self, client, person, customer, whose):
        other = ContactFactory(title="Old")
        key = {"another's": other.pk, "nobody's": 999_999_999, "none": "", "no key": "\x00"}[whose]
        _, posted = opened(client, person, customer)
        response = client.post(url(customer), posted | {"contacts-0-id": str(key), "contacts-0-title": "Forged"})
        assert response.status_code == 200
        assert "none of this record" in response.text
        assert Contact.objects.get(pk=other.pk).title == "Old"
        assert not Contact.objects.filter(title="Forged").exists()

    def test_a_line_that_somebody_removed_is_told_when_it_was_edited(self, client, person, customer):
        _, posted = opened(client, person, customer)
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(customer=customer, name="Person 0003").delete()
        response = client.post(url(customer), posted | {"contacts-3-title": "Mine", "contacts-4-title": "Head"})
        assert response.status_code == 200 and "Somebody removed this line" in response.text
        left_out = fields_of(response.text) | {"contacts-3-DELETE": "on"}
        assert client.post(url(customer), left_out).status_code == 302
        assert Contact.objects.get(customer=customer, name="Person 0004").title == "Head"

    def test_a_line_that_somebody_removed_and_i_left_alone_costs_nothing(self, client, person, customer):
        _, posted = opened(client, person, customer)
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(customer=customer, name="Person 0003").delete()
        assert client.post(url(customer), posted | {"contacts-4-title": "Head"}).status_code == 302
        assert Contact.objects.get(customer=customer, name="Person 0004").title == "Head"
        assert not Contact.objects.filter(customer=customer, name="Person 0003").exists()


def test_more_fields_than_a_form_has_are_refused_in_words(client, person, customer):
    _, posted = opened(client, person, customer)
    many = posted | {f"planted-{n}": "x" for n in range(10_001)}
    response = client.post(url(customer), many)
    assert response.status_code == 400
    assert "nothing was saved" in response.text and "save fewer lines at a time" in response.text

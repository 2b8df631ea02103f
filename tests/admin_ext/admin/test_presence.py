"""Who else has a form open, and that somebody has just saved it: told to who may change the record, and soon forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.notices.models import OpenForm
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, UserFactory, give_role, grant
from tests.opsadmin.test_middleware import kept_a_while_ago

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return CustomerFactory(name="Old")


def at_work(**names):
    person = person_for(Customer)
    with change_set(actor=None, door="shell"):
        type(person).objects.filter(pk=person.pk).update(**names)
    client = Client()
    client.force_login(type(person).objects.get(pk=person.pk))
    client.person = person
    return client


def ask(client, row, version=1):
    return client.post(reverse("admin:customers_customer_presence", args=[row.pk]), {"record_version": version})


class TestWhoElseHasItOpen:
    def test_nobody(self, customer):
        anna = at_work()
        for _ in range(2):
            assert "open as well" not in ask(anna, customer).text
        assert OpenForm.objects.count() == 1

    def test_is_named_to_who_may_see_their_account(self, customer):
        anna, boris = at_work(first_name="Anna", last_name="Alm"), at_work(first_name="Boris", last_name="Berg")
        ask(anna, customer)
        assert "A colleague has this open as well" in ask(boris, customer).text
        give_role(boris.person, "accounts.view_user")
        assert "Anna Alm has this open as well" in ask(boris, customer).text

    def test_several(self, customer):
        people = [at_work() for _ in range(3)]
        for each in people:
            ask(each, customer)
        assert "2 colleagues have this open as well" in ask(people[0], customer).text

    def test_is_told_of_this_record_only(self, customer):
        ask(at_work(), CustomerFactory())
        assert "open as well" not in ask(at_work(), customer).text

    def test_is_forgotten_when_they_have_left(self, customer):
        anna, boris = at_work(), at_work()
        ask(anna, customer)
        OpenForm.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
        assert "open as well" not in ask(boris, customer).text
        assert list(OpenForm.objects.values_list("user", flat=True)) == [boris.person.pk]

    def test_writes_nothing_on_the_record(self, customer):
        anna = at_work()
        before = ChangeSet.objects.count()
        ask(anna, customer)
        assert ChangeSet.objects.count() == before
        assert Customer.objects.get(pk=customer.pk).version == 1


class TestThatSomebodySavedIt:
    def test_is_told_with_their_name(self, customer):
        anna, boris = at_work(first_name="Anna", last_name="Alm"), at_work()
        with change_set(actor=anna.person, door="form"):
            Customer.objects.filter(pk=customer.pk).update(name="New")
        assert "Anna Alm has just saved this record" in ask(boris, customer).text
        assert "has just saved" not in ask(boris, customer, version=2).text

    @pytest.mark.parametrize("version", ["", "x", "\x00", "9" * 40, "-1"])
    def test_no_version_tells_nothing(self, customer, version):
        assert "has just saved" not in ask(at_work(), customer, version).text


class TestWhoIsTold:
    def test_a_row_elsewhere_is_not_there(self, customer):
        ask(at_work(), customer)
        person = give_role(UserFactory(), "customers.change_customer", "customers.view_customer")
        client = Client()
        client.force_login(grant(person, "access_region", CustomerFactory().region))
        assert ask(client, customer).status_code == 404
        assert OpenForm.objects.count() == 1

    def test_who_may_only_look_has_nothing_open(self, customer):
        client = Client()
        client.force_login(person_for(Customer, "customers.view_customer"))
        assert ask(client, customer).status_code == 403
        assert "/presence/" not in client.get(reverse("admin:customers_customer_change", args=[customer.pk])).text

    def test_the_form_asks_and_the_past_does_not(self, customer):
        anna = at_work()
        url = reverse("admin:customers_customer_change", args=[customer.pk])
        assert f"/customers/customer/{customer.pk}/presence/" in anna.get(url).text
        soon = f"{timezone.now():%Y-%m-%dT%H:%M:%S}Z"
        assert "/presence/" not in anna.get(url, {"_asof": soon}).text

    def test_asking_does_not_keep_a_session_alive(self, customer):
        anna = at_work()
        anna.get("/")
        kept_a_while_ago(anna)
        ends = Session.objects.get(pk=anna.session.session_key).expire_date
        ask(anna, customer)
        assert Session.objects.get(pk=anna.session.session_key).expire_date == ends
        anna.get("/")
        assert Session.objects.get(pk=anna.session.session_key).expire_date > ends

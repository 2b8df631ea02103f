"""Two people, one form: nobody's edit is silently reverted (Django's own admin reverts it)."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from admin_ext.audit.context import change_set
from apps.customers.models import Contact, Customer
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return CustomerFactory(name="Old name", city="Lund", credit_limit=100)


@pytest.fixture
def person():
    return person_for(Customer)


def opened(client, person, row):
    """What the form would post if the person changed nothing."""
    client.force_login(person)
    page = client.get(reverse("admin:customers_customer_change", args=[row.pk])).text
    return fields_of(page)


def fields_of(page):
    form = page[page.index('id="customer_form"') : page.index("</form>", page.index('id="customer_form"'))]
    posted = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in attributes and attributes.get("type") not in ("checkbox", "submit", "file"):
            posted[attributes["name"]] = attributes.get("value", "")
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.findall(r'<option value="([^"]*)"[^>]*selected', options)
        posted[name] = chosen[0] if chosen else ""
    return {name: value for name, value in posted.items() if "__prefix__" not in name}


def save(client, row, posted):
    return client.post(reverse("admin:customers_customer_change", args=[row.pk]), posted)


def meanwhile(row, **values):
    with change_set(actor=None, door="shell"):
        Customer.objects.filter(pk=row.pk).update(**values)


class TestSavingAForm:
    def test_that_nobody_else_touched_saves(self, client, person, customer):
        posted = opened(client, person, customer) | {"name": "New name"}
        assert save(client, customer, posted).status_code == 302
        assert Customer.objects.get(pk=customer.pk).name == "New name"

    def test_refuses_a_stale_save_and_keeps_both_edits_in_the_form(self, client, person, customer):
        posted = opened(client, person, customer) | {"name": "Mine"}
        meanwhile(customer, city="Theirs")
        response = save(client, customer, posted)
        assert response.status_code == 200
        assert "changed this record while you were editing" in response.text
        assert "Theirs" in response.text and "taken over into the form" in response.text
        now = Customer.objects.get(pk=customer.pk)
        assert (now.name, now.city) == ("Old name", "Theirs")
        assert save(client, customer, fields_of(response.text)).status_code == 302
        now = Customer.objects.get(pk=customer.pk)
        assert (now.name, now.city) == ("Mine", "Theirs")

    def test_shows_theirs_and_keeps_mine_when_both_changed_one_field(self, client, person, customer):
        posted = opened(client, person, customer) | {"name": "Mine"}
        meanwhile(customer, name="Theirs")
        response = save(client, customer, posted)
        assert "Theirs" in response.text and "yours is kept" in response.text
        assert Customer.objects.get(pk=customer.pk).name == "Theirs"

    def test_an_untouched_form_does_not_revert_anything(self, client, person, customer):
        posted = opened(client, person, customer)
        meanwhile(customer, city="Theirs")
        assert save(client, customer, posted).status_code == 302
        assert Customer.objects.get(pk=customer.pk).city == "Theirs"


class TestSavingInlines:
    def test_an_untouched_stale_line_keeps_what_others_did(self, client, person, customer):
        first, second = (ContactFactory(customer=customer, title="Old") for _ in range(2))
        posted = opened(client, person, customer)
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(pk=first.pk).update(title="Theirs")
        line = next(n for n in posted if n.endswith("-id") and posted[n] == str(second.pk)).removesuffix("-id")
        assert save(client, customer, posted | {f"{line}-title": "Mine"}).status_code == 302
        assert Contact.objects.get(pk=first.pk).title == "Theirs"
        assert Contact.objects.get(pk=second.pk).title == "Mine"

    def test_a_stale_line_that_was_edited_is_refused(self, client, person, customer):
        contact = ContactFactory(customer=customer, title="Old", phone="1")
        posted = opened(client, person, customer)
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(pk=contact.pk).update(phone="2")
        line = next(n for n in posted if n.endswith("-id") and posted[n] == str(contact.pk)).removesuffix("-id")
        response = save(client, customer, posted | {f"{line}-title": "Mine"})
        assert response.status_code == 200 and "while you were editing" in response.text
        assert Contact.objects.get(pk=contact.pk).title == "Old"


class TestWhatASaveMayDo:
    def test_a_scoped_person_cannot_move_a_row_out_of_their_scope(self, client, customer):
        from tests.factories import RegionFactory, UserFactory, give_role, grant

        person = give_role(
            UserFactory(), "customers.change_customer", "customers.view_customer", "customers.view_region"
        )
        person = grant(person, "access_region", customer.region)
        person = grant(person, "view", RegionFactory(name="Elsewhere"))
        elsewhere = type(customer.region).objects.get(name="Elsewhere")
        posted = opened(client, person, customer) | {"region": str(elsewhere.pk)}
        response = save(client, customer, posted)
        assert response.status_code == 200
        assert "outside your scope" in response.text
        assert Customer.objects.get(pk=customer.pk).region == customer.region

    def test_a_choice_outside_the_scope_is_refused_as_a_missing_one(self, client, customer):
        from tests.factories import RegionFactory, UserFactory, give_role, grant

        person = give_role(
            UserFactory(), "customers.change_customer", "customers.view_customer", "customers.view_region"
        )
        person = grant(person, "access_region", customer.region)
        foreign = RegionFactory(name="Secret place")
        posted = opened(client, person, customer)
        answers = []
        for key in (foreign.pk, 999_999):
            page = save(client, customer, posted | {"region": str(key)}).text
            answers.append(re.findall(r"Select a valid choice[^<]*", page))
            assert "Secret place" not in page
        assert answers[0] == answers[1] != []

    def test_the_change_set_says_who_why_and_through_which_door(self, client, person, customer):
        posted = opened(client, person, customer) | {"name": "New", "_reason": "They moved"}
        save(client, customer, posted)
        latest = Customer.objects.get(pk=customer.pk).history.first().change_set
        assert (latest.actor, latest.door, latest.reason) == (person, "form", "They moved")
        assert latest.verb == "customers.change_customer" and latest.request_id is not None

    def test_a_state_cannot_be_posted(self, client, person, customer):
        save(client, customer, opened(client, person, customer) | {"status": "closed", "name": "N"})
        assert Customer.objects.get(pk=customer.pk).status == "active"


class TestChoosingBetweenTheirsAndMine:
    def stale(self, client, person, customer):
        posted = opened(client, person, customer) | {"name": "Mine", "city": "My city"}
        meanwhile(customer, name="Theirs", city="Their city", phone="Their phone")
        return save(client, customer, posted)

    def test_both_values_are_told_with_a_choice_for_each_field(self, client, person, customer):
        page = self.stale(client, person, customer).text
        assert "Name: theirs is “Theirs”, yours is kept: “Mine”" in page
        assert "City: theirs is “Their city”, yours is kept: “My city”" in page
        assert re.findall(r'name="_theirs" value="(\w+)"', page) == ["name", "city"]

    def test_theirs_is_taken_where_it_was_chosen(self, client, person, customer):
        page = self.stale(client, person, customer).text
        assert save(client, customer, fields_of(page) | {"_theirs": ["name"]}).status_code == 302
        now = Customer.objects.get(pk=customer.pk)
        assert (now.name, now.city, now.phone) == ("Theirs", "My city", "Their phone")

    def test_a_choice_is_asked_again_when_they_changed_it_again(self, client, person, customer):
        page = self.stale(client, person, customer).text
        meanwhile(customer, name="Theirs again", city="Their city again")
        again = save(client, customer, fields_of(page) | {"_theirs": ["name"]})
        assert again.status_code == 200 and "Their city again" in again.text
        now = Customer.objects.get(pk=customer.pk)
        assert (now.name, now.city) == ("Theirs again", "Their city again")
        # What was taken was theirs, and is now what it has become.
        assert fields_of(again.text)["name"] == "Theirs again"

    def test_a_line_of_an_inline_offers_the_choice_too(self, client, person, customer):
        contact = ContactFactory(customer=customer, title="Old")
        posted = opened(client, person, customer)
        with change_set(actor=None, door="shell"):
            Contact.objects.filter(pk=contact.pk).update(title="Theirs")
        line = next(n for n in posted if n.endswith("-id") and posted[n] == str(contact.pk)).removesuffix("-id")
        page = save(client, customer, posted | {f"{line}-title": "Mine"}).text
        assert f'name="{line}-_theirs" value="title"' in page
        save(client, customer, fields_of(page) | {f"{line}-_theirs": ["title"]})
        assert Contact.objects.get(pk=contact.pk).title == "Theirs"

    @pytest.mark.parametrize("forged", ["status", "record_version", "no_such", "\x00", "id"])
    def test_a_forged_choice_has_no_effect(self, client, person, customer, forged):
        posted = opened(client, person, customer) | {"name": "New", "_theirs": [forged], "record_version": "9" * 30}
        save(client, customer, posted)
        posted = opened(client, person, customer) | {"name": "New", "_theirs": [forged]}
        assert save(client, customer, posted).status_code == 302
        now = Customer.objects.get(pk=customer.pk)
        assert (now.name, now.status) == ("New", "active")

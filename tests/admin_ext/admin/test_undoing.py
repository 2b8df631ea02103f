"""Where an undo is offered, to whom, what its page does, and what its plan tells of values that are not the reader's."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.plans.models import Plan
from apps.customers.models import Customer
from tests.admin_ext.plans.undos import act, applied, planned, said, undone
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, police

pytestmark = pytest.mark.django_db
CANARY = "QQ7531975QQ"
TAX = "customers.Customer:tax_number"


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.view_region", "audit.view_changeset")


@pytest.fixture
def customer():
    return CustomerFactory(city="Lund")


def changed(row, actor=None, **values):
    with act(actor) as over:
        type(row).objects.filter(pk=row.pk).update(**values)
    return over[0]


def page_of(over):
    return reverse("admin:audit_changeset_change", args=[over.pk])


def undo_of(over):
    return reverse("admin:audit_changeset_undo", args=[over.pk])


class TestThePages:
    def test_of_a_change_set_offer_it_to_who_may_change_something_back(self, client, person, customer):
        over = changed(customer, city="Malmö")
        reader = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer")
        for each, offered in ((person, True), (reader, False)):
            client.force_login(each)
            assert (undo_of(over) in client.get(page_of(over)).content.decode()) == offered

    def test_ask_why_and_change_nothing_before_the_plan_is_applied(self, client, person, customer):
        over = changed(customer, city="Malmö")
        client.force_login(person)
        page = client.get(undo_of(over))
        assert "Show me what would change" in page.content.decode()
        assert not Plan.objects.exists()
        assert "This field is required" in client.post(undo_of(over), {"_go": 1}).content.decode()
        assert not Plan.objects.exists()
        answer = client.post(undo_of(over), {"_go": 1, "reason": "It was wrong"})
        plan = Plan.objects.get()
        assert answer.url == reverse("admin:plans_plan_change", args=[plan.pk])
        assert (plan.source, plan.created_by, plan.reason) == ("undo", person, "It was wrong")
        customer.refresh_from_db()
        assert customer.city == "Malmö"

    def test_say_why_it_is_not_possible_and_offer_no_form(self, client, customer):
        over = changed(customer, city="Malmö")
        client.force_login(give_role(UserFactory(), "audit.view_changeset"))
        for answer in (client.get(undo_of(over)), client.post(undo_of(over), {"_go": 1, "reason": "x"})):
            assert "no right to change back" in answer.content.decode()
            assert "Show me what would change" not in answer.content.decode()
        assert not Plan.objects.exists()

    def test_are_not_there_for_who_does_not_see_the_act(self, client, customer):
        over = changed(customer, city="Malmö")
        client.force_login(person_for(Customer))
        assert client.get(undo_of(over)).status_code == 404
        assert client.post(undo_of(over), {"_go": 1, "reason": "x"}).status_code == 404

    def test_tell_the_buckets_in_words_and_lead_on_to_the_undo_of_the_undo(self, client, person):
        region = RegionFactory()
        first, second = CustomerFactory(region=region), CustomerFactory(region=region)
        with act() as over:
            Customer.objects.filter(pk__in=[first.pk, second.pk]).update(city="Malmö")
            CustomerFactory(region=region)
        changed(second, UserFactory(username="berta"), phone="1")
        plan = planned(person, over[0])
        client.force_login(person)
        url = reverse("admin:plans_plan_change", args=[plan.pk])
        text = client.get(url).content.decode()
        assert "To be restored" in text and "1 changed back, 1 deleted." in text
        assert "Kept" in text and "berta" in text
        plan = applied(plan)
        again = plan.applying.change_set
        assert undo_of(again) in client.get(url).content.decode()
        assert undo_of(again) in client.get(reverse("admin:jobs_job_change", args=[plan.applying_id])).content.decode()
        assert page_of(again) in client.get(page_of(over[0])).content.decode()
        told = client.get(page_of(again)).content.decode()
        assert "Undoes" in told and page_of(over[0]) in told


class TestValuesThatAreNotTheReaders:
    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_are_neither_told_nor_written(self, client, person, kind):
        customer = CustomerFactory(city="Lund", tax_number=CANARY)
        both = changed(customer, city="Malmö", tax_number="Other")
        policed = police(person, TAX, kind)
        plan = undone(policed, both)
        assert plan.counts == {"refused": 1}
        assert said(plan) == "The act changed something of it that is not yours to change."
        customer.refresh_from_db()
        assert (customer.city, customer.tax_number) == ("Malmö", "Other")
        client.force_login(policed)
        assert CANARY not in client.get(reverse("admin:plans_plan_change", args=[plan.pk])).content.decode()

    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_come_back_unseen_with_a_row_that_was_deleted(self, client, person, kind):
        customer = CustomerFactory(city="Lund", tax_number=CANARY)
        key = customer.pk
        with act() as over:
            Customer.objects.get(pk=key).delete()
        policed = police(person, TAX, kind)
        plan = planned(policed, over[0])
        client.force_login(policed)
        text = client.get(reverse("admin:plans_plan_change", args=[plan.pk])).content.decode()
        assert "Lund" in text and CANARY not in text
        applied(plan)
        assert Customer.objects.get(pk=key).tax_number == CANARY

    def test_read_only_stays_what_it_is(self, person):
        customer = CustomerFactory(tax_number="Then")
        over = changed(customer, tax_number="Now")
        plan = undone(police(person, TAX, "read_only"), over)
        assert said(plan) == "Tax number is not yours to change."
        customer.refresh_from_db()
        assert customer.tax_number == "Now"


def test_the_parent_of_an_undo_is_what_it_undoes(person, customer):
    over = changed(customer, city="Malmö")
    undone(person, over)
    with change_set(actor=None, door="shell", verb="tests.look", reason="x"):
        assert ChangeSet.objects.get(parent=over.pk).door == "undo"

"""Bulk verbs and bulk edits: seen first, done as a job, with an outcome for each row."""

from __future__ import annotations

import pytest
from django.core import signing
from django.urls import reverse

from admin_ext.admin.bulk import SALT
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.making import submit_plan
from apps.customers.models import Customer
from tests.contracts.world import person_for, rights_on
from tests.factories import CustomerFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.hold_customer")


def held(actor, **selection):
    return submit_plan(
        actor=actor,
        source="verb",
        title="Hold",
        model="customers.Customer",
        parameters={
            "selection": Selection(model="customers.Customer", **selection).to_json(),
            "verb": "customers.hold",
            "arguments": {"reason": "Chargeback"},
            "reason": "Chargeback",
        },
    )


def edited(actor, **change):
    return submit_plan(
        actor=actor,
        source="edit",
        title="Edit",
        model="customers.Customer",
        parameters={
            "selection": Selection(model="customers.Customer").to_json(),
            "changes": {"credit_limit": change},
            "reason": "Spring",
        },
    )


def made(plan):
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def applied(plan):
    plan = apply_plan(actor=plan.created_by, plan=plan, mode="keep_good")
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


class TestABulkVerb:
    def test_is_rehearsed_so_that_every_value_is_seen_and_nothing_is_changed(self, person):
        CustomerFactory(code="A1")
        CustomerFactory(code="A2", status="closed")
        plan = made(held(person))
        assert plan.counts == {"update": 1, "refused": 1}
        seen = plan.rows.get(action="update")
        assert (seen.before, seen.after) == ({"status": "active"}, {"status": "on_hold"})
        assert "closed" in plan.rows.get(action="refused").errors[0]["message"]
        assert not Customer.objects.filter(status="on_hold").exists()

    def test_calls_the_service_row_by_row_under_one_change_set(self, person):
        customers = [CustomerFactory() for _ in range(3)]
        plan = applied(made(held(person)))
        assert plan.counts == {"update": 3}
        acts = {customer.history.first().change_set for customer in customers}
        assert acts == {plan.applying.change_set}
        act = acts.pop()
        assert (act.door, act.verb, act.reason, act.rows) == ("bulk", "customers.hold", "Chargeback", 3)

    def test_leaves_a_row_that_moved_since(self, person):
        customer = CustomerFactory()
        plan = made(held(person))
        with change_set(actor=None, door="shell"):
            Customer.objects.filter(pk=customer.pk).update(city="Lund")
        assert applied(plan).counts == {"drifted": 1}
        assert Customer.objects.get(pk=customer.pk).status == "active"

    def test_touches_only_what_the_person_may_touch(self):
        mine, theirs = CustomerFactory(), CustomerFactory()
        person = give_role(
            UserFactory(), *rights_on(Customer)[:1], "customers.view_customer", "customers.hold_customer"
        )
        person = grant(person, "access_region", mine.region)
        plan = applied(made(held(person, keys=[mine.pk, theirs.pk])))
        assert plan.counts == {"update": 1}
        assert Customer.objects.get(pk=theirs.pk).status == "active"


class TestABulkEdit:
    def test_by_percent_rounds_and_shows_old_and_new(self, person):
        CustomerFactory(code="A1", credit_limit="100.10")
        CustomerFactory(code="A2", credit_limit="0")
        plan = made(edited(person, operation="percent", value="4"))
        assert plan.counts == {"update": 1, "unchanged": 1}
        row = plan.rows.get(action="update")
        assert (row.before, row.after) == ({"credit_limit": "100.10"}, {"credit_limit": "104.10"})
        applied(plan)
        assert str(Customer.objects.get(code="A1").credit_limit) == "104.10"

    def test_a_value_that_breaks_a_rule_is_invalid(self, person):
        CustomerFactory(credit_limit=100)
        assert made(edited(person, operation="amount", value="-200")).counts == {"invalid": 1}


class TestThePages:
    def test_an_action_goes_on_to_the_verb_with_the_selection_as_data(self, person, client):
        customer = CustomerFactory()
        client.force_login(person)
        address = reverse("admin:customers_customer_changelist")
        response = client.post(address, {"action": "hold", "_selected_action": [customer.pk]})
        assert response.status_code == 302
        page = client.get(response.url)
        assert str(customer) in page.text
        posted = {"selection": page.context["selection"], "_go": "1", "reason": "Chargeback"}
        response = client.post(response.url, posted)
        assert response.url.startswith("/plans/plan/")
        assert client.get(response.url).status_code == 200

    def test_a_verb_without_right_and_a_forged_selection_are_refused(self, client):
        client.force_login(person_for(Customer, "customers.view_customer"))
        selection = signing.dumps(Selection(model="customers.Customer").to_json(), salt=SALT)
        address = reverse("admin:customers_customer_bulk", args=["hold"])
        assert client.post(address, {"selection": selection, "_go": "1", "reason": "x"}).status_code == 403
        assert client.get(address, {"selection": "forged"}).status_code == 404

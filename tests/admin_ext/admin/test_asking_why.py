"""Every page through which a change comes in asks why where the change asks for it, and keeps what was typed."""

from __future__ import annotations

import io
import json

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.urls import reverse

from admin_ext.admin.bulk_edit_form import EditForm
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.services import ReasonMissing
from admin_ext.transfers.importing import submit_import
from apps.customers.admin import ContactInline
from apps.customers.models import Contact, Customer
from tests import databases
from tests.admin_ext.admin.test_stale_save import opened, save
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory, give_role

pytestmark = pytest.mark.django_db
BESIDE = '<p id="id__reason_help"'


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.hold_customer", "customers.view_region")


@pytest.fixture
def customer():
    return CustomerFactory(code="A1", name="Old", credit_limit=100)


class TestTheForm:
    def test_says_what_asks_for_a_reason(self, client, person, customer):
        client.force_login(person)
        change = client.get(reverse("admin:customers_customer_change", args=[customer.pk])).text
        assert "Asked for by a change of credit limit." in change
        assert BESIDE not in client.get(reverse("admin:customers_customer_add")).text

    def test_refuses_silence_beside_the_field_and_keeps_what_was_typed(self, client, person, customer):
        response = save(client, customer, opened(client, person, customer) | {"credit_limit": "250", "name": "New"})
        assert response.status_code == 200
        assert 'value="250"' in response.text and 'value="New"' in response.text
        assert 'aria-invalid="true" autofocus' in response.text
        assert response.context["reason_errors"] and "asks for a reason" in response.context["reason_errors"][0]
        assert "was changed successfully" not in response.text
        assert Customer.objects.get(pk=customer.pk).credit_limit == 100

        assert save(client, customer, opened(client, person, customer) | {
            "credit_limit": "250", "_reason": "Agreed with finance"
        }).status_code == 302  # fmt: skip
        assert customer.history.latest().change_set.reason == "Agreed with finance"

    def test_keeps_the_reason_where_something_else_is_wrong(self, client, person, customer):
        posted = opened(client, person, customer) | {"credit_limit": "-1", "_reason": "Long thought about"}
        assert 'value="Long thought about"' in save(client, customer, posted).text

    def test_asks_nothing_for_other_columns(self, client, person, customer):
        assert save(client, customer, opened(client, person, customer) | {"name": "New"}).status_code == 302


@pytest.mark.django_db(transaction=True)
class TestAPartThatAsksAlways:
    @pytest.fixture(autouse=True)
    def asks(self, monkeypatch):
        monkeypatch.setattr(Contact, "reason_required", True)
        monkeypatch.setattr(ContactInline, "model", Contact)

    @pytest.fixture
    def contact(self):
        contact = ContactFactory()
        with databases.owner_connection() as owner:
            owner.execute(
                "INSERT INTO audit_reasonrule VALUES ('customers_contact', 'customers_historicalcontact', NULL)"
            )
        return contact

    def test_is_asked_about_on_the_page_of_the_whole(self, client, person, contact):
        whole = contact.customer
        posted = opened(client, person, whole)
        assert (
            "every change of contacts" in client.get(reverse("admin:customers_customer_change", args=[whole.pk])).text
        )
        name = next(key for key, value in posted.items() if key.endswith("-name") and value == contact.name)
        refused = save(client, whole, posted | {name: "Renamed"})
        assert refused.context["reason_errors"] and 'value="Renamed"' in refused.text
        assert save(client, whole, posted | {name: "Renamed", "_reason": "Married"}).status_code == 302
        assert Contact.objects.get().name == "Renamed"

    def test_a_whole_that_takes_it_along_is_deleted_with_a_reason(self, client, person, contact):
        client.force_login(person)
        address = reverse("admin:customers_customer_delete", args=[contact.customer_id])
        refused = client.post(address, {"post": "yes"})
        page = client.get(refused.url)
        assert "Nothing was deleted: say why." in page.text and Contact.objects.exists()
        assert "deleted successfully" not in page.text
        client.post(address, {"post": "yes", "_reason": "Made by mistake"})
        assert not Customer.objects.exists()
        assert Customer.history.latest().change_set.reason == "Made by mistake"


class TestAVerb:
    def test_requires_it_on_the_page_of_a_row_and_in_a_list(self, client, person, customer):
        client.force_login(person)
        one = client.post(reverse("admin:customers_customer_do", args=[customer.pk, "hold"]), {"reason": " "})
        assert one.status_code == 200 and one.context["form"].errors["reason"]
        listed = reverse("admin:customers_customer_changelist")
        page = client.get(client.post(listed, {"action": "hold", "_selected_action": [customer.pk]}).url)
        posted = {"selection": page.context["selection"], "_go": "1", "reason": ""}
        refused = client.post(page.request["PATH_INFO"], posted)
        assert refused.context["form"].errors["reason"] and not Plan.objects.exists()


class TestABulkEdit:
    def test_requires_it_where_the_column_asks(self):
        silent = {"do-credit_limit": "set", "value-credit_limit": "1"}
        form = EditForm(Customer, ["credit_limit", "city"], silent)
        assert list(form.errors) == ["reason"]
        assert EditForm(Customer, ["credit_limit", "city"], {"do-city": "set", "value-city": "1"}).is_valid()
        assert EditForm(Customer, ["credit_limit"], {**silent, "reason": "Why"}).is_valid()


def planned(actor, text):
    plan = submit_import(actor=actor, source=ContentFile(text.encode()), name="file.csv", resource="customers.Customer")
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


class TestAnImport:
    def test_asks_on_the_review_when_its_rows_ask(self, client, person, customer):
        client.force_login(person)
        plan = planned(person, "code,credit_limit\nA1,250\n")
        review, apply = (reverse(f"admin:plans_plan_{name}", args=[plan.pk]) for name in ("change", "apply"))
        assert "Asked for by a change of credit limit." in client.get(review).text
        refused = client.post(apply, {"mode": "keep_good", "_reason": " "})
        assert refused.url == f"{review}?silent=1"
        assert "Nothing was applied yet: say why." in client.get(refused.url).text
        client.post(apply, {"mode": "keep_good", "_reason": "Yearly review"})
        plan.refresh_from_db()
        run_job(plan.applying_id)
        assert Customer.objects.get().credit_limit == 250
        assert customer.history.latest().change_set.reason == "Yearly review"

    def test_does_not_ask_when_they_do_not(self, person, customer):
        plan = planned(person, "code,name,credit_limit\nA1,New,100\nA2,Made,77\n")
        assert not plan.asks_reason
        plan = apply_plan(actor=person, plan=plan, mode="all_or_nothing")
        run_job(plan.applying_id)
        assert Customer.objects.get(code="A2").credit_limit == 77

    def test_without_a_reason_is_not_applied_by_whatever_calls(self, person, customer):
        plan = planned(person, "code,credit_limit\nA1,250\n")
        with pytest.raises(ReasonMissing, match="credit limit"):
            apply_plan(actor=person, plan=plan, mode="keep_good")
        plan.refresh_from_db()
        assert plan.state == "ready"


@pytest.mark.django_db(transaction=True)
def test_the_command_takes_a_reason_and_says_where_it_is_missing(person, customer, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("code,credit_limit\nA1,250\n")
    call = ["import_file", str(file), "--resource", "customers.Customer", "--user", person.username]
    said = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*call, stderr=said)
    assert ended.value.code == 2 and "--reason" in said.getvalue()
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*call, "--reason", "Yearly review", "--json", stdout=out)
    assert ended.value.code == 0 and json.loads(out.getvalue())["update"] == 1
    assert customer.history.latest().change_set.reason == "Yearly review"

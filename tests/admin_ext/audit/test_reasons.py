"""A change that asks for a reason is not to be had without one, whatever path it takes."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection
from django.db.models import F

from admin_ext.audit.checks import every_reason_asked_for_is_about_a_column
from admin_ext.audit.context import change_set, finish_change_set, open_change_set, resume_change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.reasons import CONSTRAINT, asks_reason, is_missing_reason, told_rule
from admin_ext.services import ReasonMissing, registry, service
from apps.customers.models import Contact, Customer
from apps.customers.services import hold_customer
from tests import databases
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customers():
    return [CustomerFactory(credit_limit=100) for _ in range(3)]


def _bulk_update(rows):
    for row in rows:
        row.credit_limit = 9
    Customer.objects.bulk_update(rows, ["credit_limit"])


def _execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _save(row):
    row.credit_limit = 7
    row.save()


WRITES = {
    "save": lambda rows: _save(rows[0]),
    "update": lambda rows: Customer.objects.update(credit_limit=F("credit_limit") + 1),
    "bulk_update": _bulk_update,
    "upsert": lambda rows: Customer.objects.bulk_create(
        [Customer(code=row.code, name="x", credit_limit=3) for row in rows],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["credit_limit"],
    ),
    "raw SQL": lambda rows: _execute("UPDATE customers_customer SET credit_limit = credit_limit + 1"),
    "data-modifying CTE": lambda rows: _execute(
        "WITH moved AS (UPDATE customers_customer SET credit_limit = 2 RETURNING id) SELECT count(*) FROM moved"
    ),
}
every_path = pytest.mark.parametrize("path", WRITES)


class TestTheDatabase:
    @every_path
    def test_refuses_a_change_of_the_column_without_a_reason_and_keeps_nothing(self, path, customers):
        with pytest.raises(IntegrityError, match=CONSTRAINT), change_set(actor=None, door="shell"):
            WRITES[path](customers)
        assert set(Customer.objects.values_list("credit_limit", flat=True)) == {100}

    @every_path
    def test_takes_it_with_one(self, path, customers):
        with change_set(actor=None, door="shell", reason="Agreed with finance") as act:
            WRITES[path](customers)
        assert ChangeSet.objects.get(pk=act.id).asks_reason

    def test_takes_a_reason_that_is_said_late(self, customers):
        with change_set(actor=None, door="shell") as act:
            _save(customers[0])
            act.describe(reason="Said last")
        assert ChangeSet.objects.get(pk=act.id).reason == "Said last"

    def test_takes_no_blanks_for_a_reason(self, customers):
        with pytest.raises(IntegrityError, match=CONSTRAINT), change_set(actor=None, door="shell", reason=" \t") as act:
            _save(customers[0])
            act.describe(reason="  ")

    def test_asks_nothing_for_other_columns_and_for_values_that_stay(self, customers):
        with change_set(actor=None, door="shell") as act:
            Customer.objects.update(city="Lund", credit_limit=F("credit_limit"))
        assert not ChangeSet.objects.get(pk=act.id).asks_reason

    def test_refuses_a_chunk_of_a_job_at_once(self, customers):
        silent = open_change_set(actor=None, door="task", verb="tests.silent")
        with pytest.raises(IntegrityError) as refused, resume_change_set(silent):
            Customer.objects.update(credit_limit=1)
        assert is_missing_reason(refused.value)
        told = open_change_set(actor=None, door="task", verb="tests.told", reason="Yearly review")
        with resume_change_set(told):
            Customer.objects.update(credit_limit=1)
        finish_change_set(told, rows=3, counts={})
        assert set(Customer.objects.values_list("credit_limit", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
class TestAModelThatAsksAlways:
    @pytest.fixture
    def contact(self):
        contact = ContactFactory()
        with databases.owner_connection() as owner:  # as `migrate` does for a model with reason_required = True
            owner.execute(
                "INSERT INTO audit_reasonrule VALUES ('customers_contact', 'customers_historicalcontact', NULL)"
            )
        return contact

    @pytest.mark.parametrize(
        "write",
        [
            lambda contact: Contact.objects.update(title="x"),
            lambda contact: contact.delete(),
            lambda contact: Contact.objects.create(customer=contact.customer, name="New"),
        ],
        ids=["change", "delete", "make"],
    )
    def test_is_changed_made_and_deleted_with_a_reason_alone(self, write, contact):
        with pytest.raises(IntegrityError, match=CONSTRAINT), change_set(actor=None, door="shell"):
            write(contact)
        contact = Contact.objects.get()
        with change_set(actor=None, door="shell", reason="Because"):
            write(contact)


class TestAService:
    @pytest.fixture
    def person(self):
        return person_for(Customer, "customers.change_customer", "customers.hold_customer")

    def test_that_requires_a_reason_says_so_before_it_does_anything(self, person, customers):
        with pytest.raises(ReasonMissing, match=r"customers\.hold asks for a reason"):
            hold_customer(actor=person, customer=customers[0], reason="  ")
        assert Customer.objects.get(pk=customers[0].pk).status == "active"

    def test_takes_the_reason_of_the_act_it_joins(self, person, customers):
        with change_set(actor=person, door="form", reason="Two invoices overdue"):
            hold_customer(actor=person, customer=customers[0], reason="")
        assert customers[0].history.latest().change_set.reason == "Two invoices overdue"

    def test_without_the_mark_is_refused_by_what_it_changes(self, person, customers):
        @service("tests.double", right="change")
        def double_limit(*, actor, customer):
            customer.credit_limit *= 2
            customer.save()

        registry.pop("tests.double")
        with pytest.raises(ReasonMissing, match="Say why"):
            double_limit(actor=person, customer=customers[0])
        with change_set(actor=person, door="shell", reason="Spring campaign"):
            double_limit(actor=person, customer=customers[0])


class TestTheRule:
    def test_is_told_by_columns(self):
        assert asks_reason(Customer, {"credit_limit"}) and not asks_reason(Customer, {"city"})
        assert not asks_reason(Customer)
        assert told_rule(Customer) == "a change of credit limit" and told_rule(Contact) == ""

    def test_about_a_foreign_key_goes_by_field_and_by_column(self, monkeypatch):
        monkeypatch.setattr(Customer, "reason_required", ("region",))
        assert asks_reason(Customer, {"region"}) and asks_reason(Customer, {"region_id"})

    @pytest.mark.parametrize("rule", [("no_such_field",), "credit_limit"])
    def test_that_names_no_column_is_found_before_anything_is_served(self, rule, monkeypatch):
        assert every_reason_asked_for_is_about_a_column(None) == []
        monkeypatch.setattr(Customer, "reason_required", rule)
        assert [each.id for each in every_reason_asked_for_is_about_a_column(None)] == ["audit.E004"]

"""Who sees, reads and writes which field: roles add, what no role reaches is treated most strictly."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from admin_ext.access.fields import fields, treatment_of, veil
from admin_ext.access.models import FieldPolicy
from admin_ext.access.naming import named_by, why_not_policed
from admin_ext.access.veils import DOTS, MASKED
from apps.accounts.models import Membership, User
from apps.catalogue.models import Price
from apps.customers.models import Address, Contact, Customer
from apps.inventory.models import StockLevel
from apps.orders.models import Order, OrderLine
from tests.factories import CustomerFactory, FieldPolicyFactory, UserFactory, give_role, grant, police

pytestmark = pytest.mark.django_db
TAX = "customers.Customer:tax_number"
RIGHTS = ("customers.view_customer", "customers.change_customer", "customers.export_customer")


def role_of(person, number=0):
    return person.groups.order_by("pk")[number]


def policy(role, field, kind):
    model, _, name = field.partition(":")
    return FieldPolicyFactory(role=role, model=model, field=name, kind=kind)


class TestOneRole:
    @pytest.mark.parametrize(
        ("kind", "visible", "readable", "writable"),
        [("hidden", False, False, False), ("masked", True, False, False), ("read_only", True, True, False)],
    )
    def test_treats_the_field_as_its_policy_says(self, kind, visible, readable, writable):
        person = police(give_role(UserFactory(), *RIGHTS), TAX, kind)
        rights = fields(person, "change", Customer)
        assert ("tax_number" in rights.visible) == visible
        assert ("tax_number" in rights.readable) == readable
        assert ("tax_number" in rights.writable) == writable
        assert {"city", "phone"} <= rights.writable & rights.readable

    def test_without_a_policy_writes_what_forms_write(self):
        rights = fields(give_role(UserFactory(), *RIGHTS), "change", Customer)
        assert "tax_number" in rights.writable and "status" in rights.controlled - rights.writable
        assert not rights.masked | rights.hidden | rights.kept

    def test_a_superuser_has_none(self):
        person = police(give_role(UserFactory(is_superuser=True), *RIGHTS), TAX, "hidden")
        assert "tax_number" in fields(person, "change", Customer).writable


class TestSeveralRoles:
    def test_the_most_generous_of_those_that_give_the_right_counts(self):
        person = give_role(give_role(UserFactory(), *RIGHTS), *RIGHTS)
        policy(role_of(person), TAX, "hidden")
        assert "tax_number" in fields(person, "view", Customer).readable
        person = User.objects.get(pk=person.pk)
        policy(role_of(person, 1), TAX, "masked")
        rights = fields(person, "view", Customer)
        assert "tax_number" in rights.masked

    def test_a_role_that_does_not_give_the_right_does_not_count(self):
        person = give_role(give_role(UserFactory(), "customers.view_customer"), "orders.view_order")
        policy(role_of(person), TAX, "hidden")
        assert "tax_number" not in fields(person, "view", Customer).visible

    def test_each_action_asks_the_roles_that_give_it(self):
        person = give_role(give_role(UserFactory(), "customers.view_customer"), *RIGHTS[1:])
        policy(role_of(person, 1), TAX, "read_only")
        assert "tax_number" in fields(person, "view", Customer).writable
        assert "tax_number" not in fields(person, "change", Customer).writable

    @pytest.mark.parametrize("number", [0, 1])
    def test_only_what_is_both_seen_and_exported_is_exported(self, number):
        person = give_role(give_role(UserFactory(), "customers.view_customer"), *RIGHTS[1:])
        policy(role_of(person, number), TAX, "masked")
        assert "tax_number" not in fields(person, "export", Customer).readable
        assert ("tax_number" in fields(person, "view", Customer).readable) == (number == 1)


class TestWithoutARole:
    def test_who_reaches_a_row_by_a_grant_is_treated_as_strictly_as_any_role_is(self):
        policy(role_of(give_role(UserFactory(), *RIGHTS)), TAX, "read_only")
        policy(role_of(give_role(UserFactory(), *RIGHTS)), TAX, "masked")
        person = grant(UserFactory(), "view", CustomerFactory())
        assert "tax_number" in fields(person, "view", Customer).masked
        assert "tax_number" not in fields(person, "change", Customer).writable


class TestParts:
    def test_have_policies_of_their_own_under_the_role_of_their_whole(self):
        person = police(give_role(UserFactory(), *RIGHTS), "customers.Contact:email", "hidden")
        assert "email" not in fields(person, "view", Contact).visible
        assert "email" in fields(person, "view", Customer).visible


class TestPaths:
    @pytest.fixture
    def person(self):
        return police(give_role(UserFactory(), "customers.view_customer", "orders.view_order"), TAX, "masked")

    @pytest.mark.parametrize(
        ("model", "path", "kind"),
        [
            (Customer, "tax_number", "masked"),
            (Customer, "-tax_number", "masked"),
            (Order, "customer__tax_number", "masked"),
            (OrderLine, "order__customer__tax_number__startswith", "masked"),
            (Order, "customer__code", ""),
            (Customer, "pk", ""),
            (Customer, "nothing_of_the_kind", ""),
        ],
    )
    def test_are_as_strict_as_their_strictest_step(self, person, model, path, kind):
        assert treatment_of(person, model, path) == kind

    def test_a_hidden_foreign_key_hides_what_is_behind_it(self):
        person = police(give_role(UserFactory(), "orders.view_order"), "orders.Order:customer", "hidden")
        assert treatment_of(person, Order, "customer__code") == "hidden"
        # Backwards: who may not see whose order it is finds no customer by their orders.
        assert treatment_of(person, Customer, "orders__number") == "hidden"


class TestWhatIsWorkedOut:
    @pytest.fixture
    def person(self):
        return give_role(UserFactory(), "orders.view_order", "orders.change_order", "customers.view_customer")

    def test_is_not_told_where_its_source_is_not(self, person):
        person = police(person, "orders.OrderLine:unit_price", "masked")
        assert {"amount", "unit_price"} == fields(person, "view", OrderLine).masked
        # One from another: the discount from both totals, those from the lines.
        assert {"gross_total", "net_total", "discount_total"} == fields(person, "view", Order).masked

    def test_is_as_strict_as_the_strictest_of_its_sources(self, person):
        person = police(person, "orders.OrderLine:unit_price", "masked")
        person = police(person, "orders.OrderLine:discount", "hidden")
        rights = fields(person, "change", OrderLine)
        assert "amount" in rights.hidden and "amount" not in rights.visible | rights.masked
        assert {"net_total", "discount_total"} == fields(person, "view", Order).hidden

    def test_a_copy_is_treated_as_what_it_copies(self, person):
        person = police(person, "customers.Customer:region", "hidden")
        assert "region" in fields(person, "view", Order).hidden
        assert treatment_of(person, Order, "region__code") == "hidden"

    def test_what_a_queryset_adds_follows_too(self, person):
        person = police(person, "orders.Order:state", "masked")
        assert treatment_of(person, Order, "late_by") == "masked"


class TestCost:
    def test_one_query_for_each_request_however_often_it_is_asked(self):
        person = police(give_role(UserFactory(), *RIGHTS), TAX, "masked")
        with CaptureQueriesContext(connection) as queries:
            for _ in range(3):
                for model in (Customer, Contact, Order, StockLevel):
                    fields(person, "view", model)
        assert len([q for q in queries if "access_fieldpolicy" in q["sql"]]) == len(queries) == 1

    def test_is_asked_anew_of_the_next_request(self):
        person = police(give_role(UserFactory(), *RIGHTS), TAX, "masked")
        assert "tax_number" in fields(person, "view", Customer).masked
        from admin_ext.audit.context import change_set

        with change_set(actor=None, door="shell", reason="taken"):
            Membership.objects.filter(user=person).delete()
            FieldPolicy.objects.all().delete()
        assert "tax_number" in fields(User.objects.get(pk=person.pk), "view", Customer).readable


class TestVeiling:
    def test_takes_the_values_and_what_is_worked_out_from_them(self):
        person = police(give_role(UserFactory(), *RIGHTS), "customers.Customer:credit_limit", "masked")
        person = police(person, "customers.Customer:region", "hidden")
        customer = CustomerFactory(credit_limit=7531)
        veil([customer], person)
        assert str(customer.credit_limit) == DOTS
        assert f"{customer.credit_limit * 2 - 1:,.2f}" == DOTS
        assert str(customer.region) == "" and customer.city == Customer.objects.get(pk=customer.pk).city

    def test_no_rows_are_veiled_as_well(self):
        veil([], UserFactory())

    def test_a_veiled_value_is_neither_more_nor_less_than_anything(self):
        assert not MASKED < 5 and not MASKED >= 5
        assert str(MASKED.quantize(1)) == DOTS
        assert str(MASKED.days) == str(MASKED.customer.name) == DOTS
        assert not hasattr(MASKED, "resolve_expression") and not hasattr(MASKED, "__html__")


class TestWhatCanBePoliced:
    def test_names_and_keys_cannot_be_hidden_but_kept_from_being_written(self):
        for model, name in ((Customer, "code"), (Customer, "name"), (Address, "city"), (Price, "amount")):
            label = model._meta.label
            assert "part of the name" in why_not_policed(label, name, "hidden")
            assert "part of the name" in why_not_policed(label, name, "masked")
            assert why_not_policed(label, name, "read_only") == ""
        assert named_by(Contact) == {"customer", "name"}

    @pytest.mark.parametrize(
        ("model", "field"),
        [
            ("customers.Customer", "nothing"),
            ("customers.Customer", "id"),
            ("customers.Customer", "version"),
            ("accounts.User", "password"),
            ("auth.Permission", "name"),
            ("nope.Nope", "name"),
        ],
    )
    def test_there_is_no_policy_for_what_is_no_field_of_a_record(self, model, field):
        with pytest.raises(ValidationError):
            FieldPolicy(role_id=1, model=model, field=field, kind="read_only").clean()

    def test_the_database_refuses_nonsense_and_two_policies_for_one_field(self):
        first = FieldPolicyFactory()
        for said in ({"kind": "secret"}, {"field": "Tax Number"}, {"model": "Customer"}):
            with pytest.raises(IntegrityError):
                FieldPolicyFactory(**said)
            connection.rollback() if not connection.in_atomic_block else None
        with pytest.raises(IntegrityError):
            FieldPolicyFactory(role=first.role)

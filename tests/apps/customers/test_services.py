"""What can be done to a customer, by whom, and what stands in the record afterwards."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from admin_ext.access.rights import NotPermitted
from apps.customers import services
from apps.customers.models import Customer
from tests.factories import CustomerFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

VERBS = [f"customers.{verb}_customer" for verb in ("hold", "release", "close", "change_credit_limit")]


@pytest.fixture
def actor():
    return give_role(UserFactory(), *VERBS, "customers.access_all_region")


def status_of(customer):
    return Customer.objects.get(pk=customer.pk).status


class TestHoldCustomer:
    def test_stops_an_active_customer_and_says_who_and_why(self, actor):
        customer = CustomerFactory()
        services.hold_customer(actor=actor, customer=customer, reason="Unpaid since March")
        row = customer.history.latest()
        assert (row.status, row.changed, row.history_user) == ("on_hold", ["status"], actor)
        assert (row.change_set.verb, row.change_set.reason) == ("customers.hold", "Unpaid since March")

    @pytest.mark.parametrize("status", ["on_hold", "closed"])
    def test_refuses_one_that_is_not_active(self, actor, status):
        customer = CustomerFactory(status=status)
        with pytest.raises(services.CustomerNotActive, match="only an active one"):
            services.hold_customer(actor=actor, customer=customer, reason="Again")
        assert status_of(customer) == status

    def test_looks_at_the_customer_as_it_is_now(self, actor):
        read_earlier = CustomerFactory()
        services.close_customer(actor=actor, customer=read_earlier, reason="Bankrupt")
        with pytest.raises(services.CustomerNotActive):
            services.hold_customer(actor=actor, customer=read_earlier, reason="Unpaid")

    def test_is_done_only_in_regions_where_the_person_works(self):
        customer = CustomerFactory()
        person = give_role(UserFactory(), *VERBS)
        with pytest.raises(NotPermitted):
            services.hold_customer(actor=person, customer=customer, reason="Unpaid")
        services.hold_customer(
            actor=grant(person, "access_region", customer.region), customer=customer, reason="Unpaid"
        )
        assert status_of(customer) == "on_hold"

    def test_needs_its_own_right_or_a_grant_of_it_on_the_one_customer(self):
        customer, other = CustomerFactory(), CustomerFactory()
        person = grant(UserFactory(), "hold", customer)
        services.hold_customer(actor=person, customer=customer, reason="Unpaid")
        with pytest.raises(NotPermitted):
            services.hold_customer(actor=person, customer=other, reason="Unpaid")


class TestReleaseCustomer:
    def test_takes_orders_again_from_a_held_one_alone(self, actor):
        customer = CustomerFactory(status="on_hold")
        services.release_customer(actor=actor, customer=customer)
        assert status_of(customer) == "active"
        with pytest.raises(services.CustomerNotOnHold, match="nothing to release"):
            services.release_customer(actor=actor, customer=customer)


class TestCloseCustomer:
    def test_is_for_good(self, actor):
        customer = CustomerFactory(status="on_hold")
        services.close_customer(actor=actor, customer=customer, reason="Moved away")
        for verb in (services.hold_customer, services.release_customer, services.close_customer):
            with pytest.raises(
                (services.CustomerNotActive, services.CustomerNotOnHold, services.CustomerAlreadyClosed)
            ):
                verb(actor=actor, customer=customer, reason="Back again")
        assert status_of(customer) == "closed"


class TestChangeCreditLimit:
    def test_writes_the_limit(self, actor):
        customer = CustomerFactory()
        services.change_credit_limit(actor=actor, customer=customer, credit_limit=Decimal("2500.50"), reason="Grew")
        assert customer.history.latest().credit_limit == Decimal("2500.50")

    def test_refuses_a_negative_one(self, actor):
        customer = CustomerFactory(credit_limit=100)
        with pytest.raises(ValidationError):
            services.change_credit_limit(actor=actor, customer=customer, credit_limit=Decimal(-1), reason="Slip")
        assert Customer.objects.get(pk=customer.pk).credit_limit == 100

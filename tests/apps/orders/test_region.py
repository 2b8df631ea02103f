"""An order is where its customer is, whoever moves and when."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from admin_ext.access.rights import can
from admin_ext.audit.context import change_set
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.apps.orders.factories import OrderFactory
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


def moving(**fields):
    return change_set(actor=None, door="shell", verb="tests.move", **fields)


@pytest.fixture
def north():
    return RegionFactory(code="NORTH")


@pytest.fixture
def south():
    return RegionFactory(code="SOUTH")


def region_of(order):
    return Order.objects.values_list("region__code", flat=True).get(pk=order.pk)


def test_an_order_is_in_the_region_of_its_customer(north):
    assert region_of(OrderFactory(customer=CustomerFactory(region=north))) == "NORTH"
    assert region_of(OrderFactory(customer=CustomerFactory(region=None))) is None


def test_it_follows_when_the_customer_moves(north, south):
    customer = CustomerFactory(region=north)
    order, other = OrderFactory(customer=customer), OrderFactory(customer=CustomerFactory(region=north))
    version = Order.objects.get(pk=order.pk).version
    with moving() as act:
        Customer.objects.filter(pk=customer.pk).update(region=south)
    assert (region_of(order), region_of(other)) == ("SOUTH", "NORTH")
    told = order.history.first()
    assert (told.change_set_id, told.changed, told.version) == (act.id, ["region_id"], version + 1)
    assert other.history.count() == 1


def test_it_follows_when_it_is_given_to_another_customer(north, south):
    order = OrderFactory(customer=CustomerFactory(region=north))
    with moving():
        Order.objects.filter(pk=order.pk).update(customer=CustomerFactory(region=south))
    assert region_of(order) == "SOUTH"
    assert order.version + 1 == Order.objects.get(pk=order.pk).version


def test_nobody_puts_it_elsewhere(north, south):
    order = OrderFactory(customer=CustomerFactory(region=north))
    with moving():
        Order.objects.filter(pk=order.pk).update(region=south)
    assert region_of(order) == "NORTH"
    assert order.history.count() == 1
    with moving():
        made = Order.objects.create(customer=order.customer, region=south)
    assert region_of(made) == "NORTH"


def test_who_works_there_sees_it_from_then_on(north, south):
    person = grant(
        give_role(UserFactory(), "orders.view_order", "inventory.access_all_warehouse"), "access_region", south
    )
    customer = CustomerFactory(region=north)
    order = OrderFactory(customer=customer)
    assert not can(person, "view", order)
    with moving():
        Customer.objects.filter(pk=customer.pk).update(region=south)
    assert can(type(person).objects.get(pk=person.pk), "view", order)


@pytest.mark.django_db(transaction=True)
def test_an_order_that_comes_in_while_its_customer_moves_is_where_the_customer_is_then(north, south):
    customer = CustomerFactory(region=north)
    taken, moved = threading.Event(), threading.Event()
    made = []

    def take_order():
        with moving():
            made.append(Order.objects.create(customer_id=customer.pk))
            taken.set()
            # The move must be waiting by now; without the lock it would go through, and miss this order.
            moved.wait(timeout=1.5)
        connections.close_all()

    def move():
        taken.wait(timeout=10)
        with moving():
            Customer.objects.filter(pk=customer.pk).update(region=south)
        moved.set()
        connections.close_all()

    threads = [threading.Thread(target=take_order), threading.Thread(target=move)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert region_of(made[0]) == "SOUTH"

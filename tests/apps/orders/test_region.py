"""An order is where its customer is, whoever moves and when."""

from __future__ import annotations

import threading
import time
from datetime import date

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, connections

from admin_ext.access.rights import can
from admin_ext.audit.context import change_set
from admin_ext.jobs import services
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.transfers.importing import submit_import
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.apps.inventory.factories import WarehouseFactory
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


def test_nobody_makes_it_elsewhere(north, south):
    customer, nowhere = CustomerFactory(region=north), CustomerFactory(region=None)
    brought = {"number": "O-1", "ordered_on": date(2026, 3, 1)}
    for where, region in ((customer, south), (nowhere, north)):
        with pytest.raises(IntegrityError, match="brings a region_id that is not that of its customer_id"), moving():
            Order.objects.create(customer=where, region=region)
        with pytest.raises(IntegrityError, match="brings a region_id"), moving():
            fine = Order(customer=customer, region=north, number="O-0", ordered_on=date(2026, 3, 1))
            Order.objects.bulk_create([fine, Order(customer=where, region=region, **brought)])
    assert not Order.objects.exists()
    with moving():
        right, empty = Order(customer=customer, region=north, **brought), Order(customer=customer, number="O-2")
        Order.objects.bulk_create([right, empty])
    assert {region_of(each) for each in Order.objects.all()} == {"NORTH"}


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


def test_who_works_in_a_region_brings_in_orders_of_its_customers_and_no_others(north, south):
    person = give_role(UserFactory(), *(f"orders.{action}_order" for action in ("view", "add", "change", "import")))
    person = give_role(person, "customers.view_customer", "inventory.access_all_warehouse")
    person = grant(give_role(person, "inventory.view_warehouse"), "access_region", north)
    ours, theirs = CustomerFactory(code="OURS", region=north), CustomerFactory(code="THEIRS", region=south)
    warehouse = WarehouseFactory()
    lines = [f"I-{n},{each.code},2026-03-01,{warehouse.code},EUR\n" for n, each in enumerate((ours, theirs))]
    plan = submit_import(
        actor=person,
        source=ContentFile(("number,customer,ordered_on,warehouse,currency\n" + "".join(lines)).encode()),
        name="orders.csv",
        resource="orders.Order",
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert {row.key: row.action for row in plan.rows.all()} == {"I-0": "create", "I-1": "invalid"}, [
        row.errors for row in plan.rows.all()
    ]
    apply_plan(actor=person, plan=plan, mode="keep_good")
    plan.refresh_from_db()
    run_job(plan.applying_id)
    assert region_of(Order.objects.get(number="I-0")) == "NORTH"
    assert can(person, "change", Order.objects.get(number="I-0"))


@pytest.mark.django_db(transaction=True)
def test_an_order_that_is_imported_while_its_customer_moves_is_where_it_is_then(monkeypatch, north, south):
    monkeypatch.setattr(services, "wake", lambda job_id: None)
    person = give_role(UserFactory(), *(f"orders.{action}_order" for action in ("view", "add", "change", "import")))
    person = give_role(
        person, "customers.view_customer", "inventory.access_all_warehouse", "customers.access_all_region"
    )
    customer = CustomerFactory(code="MOVES", region=north)
    plan = submit_import(
        actor=person,
        source=ContentFile(b"number,customer,ordered_on,currency\nI-1,MOVES,2026-03-01,EUR\n"),
        name="orders.csv",
        resource="orders.Order",
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    apply_plan(actor=person, plan=plan, mode="keep_good")
    plan.refresh_from_db()

    def apply():
        run_job(plan.applying_id)
        connections.close_all()

    thread = threading.Thread(target=apply)
    with moving():
        Customer.objects.filter(pk=customer.pk).update(region=south)
        thread.start()
        waited = waits_for_us()
    thread.join(timeout=60)
    assert waited
    plan.refresh_from_db()
    assert plan.counts == {"create": 1}
    assert region_of(Order.objects.get(number="I-1")) == "SOUTH"


def waits_for_us():
    """Does somebody wait for what this transaction holds, within a minute?"""
    for _ in range(1200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.05)
    return False

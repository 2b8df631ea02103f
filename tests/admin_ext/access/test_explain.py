"""Explain tells what was decided, and why: for people, roles, places, grants and rows put together at random.

The decision (`can`) asks the database one question; the explanation reads the facts one by one. They must agree, today and
for a day that is over.
"""

from __future__ import annotations

import datetime

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from admin_ext.access.explain import explain
from admin_ext.access.facts import Facts, PastNotKept
from admin_ext.access.rights import can
from admin_ext.access.who import who_may
from admin_ext.audit.context import change_set
from apps.accounts.models import Membership, Role, RolePermission, User
from apps.customers.models import Customer, Region
from apps.inventory.models import Warehouse
from apps.orders.models import Order, Shipment
from tests.apps.inventory.factories import WarehouseFactory
from tests.apps.orders.factories import OrderFactory, OrderLineFactory, ShipmentFactory
from tests.factories import (
    ContactFactory,
    CustomerFactory,
    JobFactory,
    RegionFactory,
    RoleFactory,
    TeamFactory,
    UserFactory,
    give_role,
    grant,
)

pytestmark = pytest.mark.django_db

PEOPLE, ROLES, PLACES = 4, 3, 5
RIGHTS = [
    *(f"orders.{action}_order" for action in ("view", "change", "ship", "delete")),
    *(f"customers.{action}_customer" for action in ("view", "change", "hold")),
    "customers.view_region", "customers.access_all_region", "inventory.access_all_warehouse",
    "orders.view_shipment", "accounts.view_team", "jobs.view_job",
]  # fmt: skip
ACTIONS = ("view", "change", "ship", "delete", "hold", "add", "export")
ROWS = 12
QUESTIONS = 12

people, roles, places = (st.integers(0, n - 1) for n in (PEOPLE, ROLES, PLACES))
grants = st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, PLACES - 1))
arrangements = st.fixed_dictionaries(
    {
        "rights": st.lists(st.tuples(roles, st.sampled_from(RIGHTS)), max_size=14, unique=True),
        "held": st.lists(st.tuples(people, roles), max_size=6, unique=True),
        # To whom (a person or a role, by number), and which place, customer or order.
        "regions": st.lists(grants, max_size=4, unique=True),
        "warehouses": st.lists(grants, max_size=4, unique=True),
        "rows": st.lists(st.tuples(grants, st.sampled_from(("view", "change", "ship"))), max_size=3, unique=True),
        # What each place lies in: one of those before it, or nothing.
        "trees": st.lists(st.integers(0, PLACES - 1), min_size=2 * PLACES, max_size=2 * PLACES),
        "marks": st.lists(st.sampled_from(["", "", "", "", "inactive", "superuser", "no staff"]), min_size=PEOPLE),
        "moved": st.lists(st.tuples(st.integers(0, 3), st.integers(0, PLACES)), max_size=4),
    }
)
questions = st.lists(
    st.tuples(people, st.sampled_from(ACTIONS), st.integers(0, ROWS - 1)), min_size=QUESTIONS, max_size=QUESTIONS
)


class World:
    """People, places and rows that an arrangement puts into relation to each other."""

    def __init__(self):
        self.people = [UserFactory() for _ in range(PEOPLE)]
        self.roles = [RoleFactory() for _ in range(ROLES)]
        self.regions = [RegionFactory() for _ in range(PLACES)]
        self.warehouses = [WarehouseFactory() for _ in range(PLACES)]
        self.customers = [CustomerFactory(region=region) for region in [*self.regions[:3], None]]
        self.orders = [OrderFactory(customer=self.customers[n], warehouse=self.warehouses[n]) for n in (0, 1, 2)]
        self.orders.append(OrderFactory(customer=self.customers[3], warehouse=None))
        self.rows = [
            *self.orders, *self.customers[2:], ContactFactory(customer=self.customers[0]),
            OrderLineFactory(order=self.orders[1]), self.regions[4], ShipmentFactory(order=self.orders[0]),
            TeamFactory(), JobFactory(requested_by=self.people[0]),
        ]  # fmt: skip
        assert len(self.rows) == ROWS
        self.permissions = {
            f"{p.content_type.app_label}.{p.codename}": p for p in Permission.objects.select_related("content_type")
        }

    def arrange(self, said):
        with change_set(actor=None, door="shell", verb="tests.arrange", reason="Arranged"):
            for model in (Region, Warehouse, Customer, Order):
                model.user_grants_model.objects.all().delete()
                model.group_grants_model.objects.all().delete()
            RolePermission.objects.filter(group__in=self.roles).delete()
            Membership.objects.all().delete()
            for role, right in said["rights"]:
                RolePermission.objects.create(group_id=self.roles[role].pk, permission=self.permissions[right])
            for person, role in said["held"]:
                Membership.objects.create(user=self.people[person], group_id=self.roles[role].pk)
            for whom in said["regions"]:
                self.grant("customers.access_region", self.regions, *whom)
            for whom in said["warehouses"]:
                self.grant("inventory.access_warehouse", self.warehouses, *whom)
            for whom, action in said["rows"]:
                self.grant(f"orders.{action}_order", self.orders, *whom)
            for tree, parents in (("regions", said["trees"][:PLACES]), ("warehouses", said["trees"][PLACES:])):
                for n, row in enumerate(getattr(self, tree)):
                    parent = getattr(self, tree)[parents[n]] if parents[n] < n else None
                    type(row).objects.filter(pk=row.pk).update(parent=parent)
            for person, mark in zip(self.people, said["marks"], strict=False):
                User.objects.filter(pk=person.pk).update(
                    is_active=mark != "inactive", is_superuser=mark == "superuser", is_staff=mark != "no staff"
                )
            for customer, region in said["moved"]:
                row = self.regions[region] if region < PLACES else None
                Customer.objects.filter(pk=self.customers[customer].pk).update(region=row)

    def grant(self, right, rows, to_role, whom, row):
        row = rows[row % len(rows)]
        holder = {"group_id": self.roles[whom % ROLES].pk} if to_role else {"user": self.people[whom]}
        table = row.group_grants_model if to_role else row.user_grants_model
        table.objects.get_or_create(content_object=row, permission=self.permissions[right], **holder)

    def decide(self, asked):
        """What is decided, by question."""
        now = [User.objects.get(pk=person.pk) for person in self.people]
        return {(p, action, row): can(now[p], action, self.rows[row]) for p, action, row in asked}

    def told(self, asked, instant=None):
        """What is explained, by question; and that it says what is missing when it is refused."""
        now = [User.objects.get(pk=person.pk) for person in self.people]
        answers = {}
        for person, action, row in asked:
            told = explain(now[person], action, self.rows[row], instant=instant)
            assert bool(told.missing) == (not told.allowed), (told, told.missing)
            assert bool(told.holding) == told.allowed, told
            answers[person, action, row] = told.allowed
        return answers

    def named(self, asked, instant=None):
        """Who is named as able to, by question."""
        found = {(a, r): {who.person for who in who_may(a, self.rows[r], instant=instant)} for _, a, r in asked}
        return {(p, a, r): self.people[p].pk in found[a, r] for p, a, r in asked}


@pytest.fixture
def world(db):
    return World()


class _Undone(Exception):
    pass


def clock():
    """The instant at which the database is: the time of the record, which is that of statements."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


asked_so_far = {"now": 0, "then": 0, "allowed": 0}


def compare(world, before, after, asked):
    """Explain agrees with the decision in one arrangement and in the next; and then still tells the first one."""
    try:
        with transaction.atomic():
            world.arrange(before)
            decided = world.decide(asked)
            assert world.told(asked) == decided
            assert world.named(asked) == decided
            instant = clock()
            world.arrange(after)
            assert world.told(asked) == world.decide(asked)
            kept = [question for question in asked if question[2] != ROWS - 1]  # a job has no past
            assert world.told(kept, instant) == {question: decided[question] for question in kept}
            assert world.named(kept, instant) == {question: decided[question] for question in kept}
            asked_so_far["now"] += 2 * len(decided)
            asked_so_far["then"] += len({*kept})
            asked_so_far["allowed"] += sum(decided.values())
            raise _Undone
    except _Undone:
        pass


def agreement(examples):
    return lambda test: settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )(given(arrangements, arrangements, questions)(test))


class TestAgreement:
    @agreement(14)
    def test_explain_is_the_decision(self, world, before, after, asked):
        compare(world, before, after, asked)

    @pytest.mark.matrix
    @agreement(480)
    def test_explain_is_the_decision_ten_thousand_times(self, world, before, after, asked):
        compare(world, before, after, asked)

    @pytest.mark.matrix
    def test_so_many_were_asked(self):
        print(f"\nexplained and decided alike: {asked_so_far}")
        assert asked_so_far["now"] >= 10_000
        assert asked_so_far["allowed"] >= 1_000

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

from admin_ext.access.explain import Step, explain
from admin_ext.access.facts import Facts, PastNotKept
from admin_ext.access.rights import can
from admin_ext.access.roles import elevate
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
    "customers.view_region",
    "orders.view_shipment", "accounts.view_team", "jobs.view_job",
]  # fmt: skip
EVERYWHERE = ["customers.access_all_region", "inventory.access_all_warehouse"]
ACTIONS = ("view", "view", "change", "ship", "delete", "hold", "export")
ROWS = 12
QUESTIONS = 24

people, roles, places = (st.integers(0, n - 1) for n in (PEOPLE, ROLES, PLACES))
grants = st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, PLACES - 1))
arrangements = st.fixed_dictionaries(
    {
        # Enough of each that places decide often, and neither nothing nor everything is allowed.
        "rights": st.lists(st.tuples(roles, st.sampled_from(RIGHTS)), min_size=10, max_size=24, unique=True),
        "everywhere": st.lists(st.tuples(roles, st.sampled_from(EVERYWHERE)), max_size=1),
        "held": st.lists(st.tuples(people, roles), min_size=3, max_size=7, unique=True),
        # To whom (a person or a role, by number), and which place, customer or order.
        "regions": st.lists(grants, min_size=2, max_size=7, unique=True),
        "warehouses": st.lists(grants, min_size=2, max_size=7, unique=True),
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
            for role, right in [*said["rights"], *said["everywhere"]]:
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
            later = world.decide(asked)
            assert world.told(asked) == later
            kept = [question for question in asked if question[2] != ROWS - 1]  # a job has no past
            assert world.told(kept, instant) == {question: decided[question] for question in kept}
            assert world.named(kept, instant) == {question: decided[question] for question in kept}
            asked_so_far["now"] += 2 * len(decided)
            asked_so_far["then"] += len({*kept})
            asked_so_far["allowed"] += sum(decided.values()) + sum(later.values())
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
    @agreement(7)
    def test_explain_is_the_decision(self, world, before, after, asked):
        compare(world, before, after, asked)

    @pytest.mark.rights
    @agreement(235)
    def test_explain_is_the_decision_ten_thousand_times(self, world, before, after, asked):
        compare(world, before, after, asked)

    @pytest.mark.rights
    def test_so_many_were_asked(self):
        print(f"\nexplained and decided alike: {asked_so_far}")
        assert asked_so_far["now"] >= 10_000
        assert asked_so_far["allowed"] >= 1_000


@pytest.fixture
def iberia(db):
    """An order in Iberia, which lies in Europe, delivered from a warehouse that everybody here may enter."""
    europe = RegionFactory(name="Europe")
    region = RegionFactory(name="Iberia", parent=europe)
    return OrderFactory(customer=CustomerFactory(region=region), warehouse=WarehouseFactory(name="Depot"))


def ann(*rights, **marks):
    return give_role(UserFactory(first_name="Ann", last_name="", **marks), *rights)


def said(explanation):
    return " ".join(step.said for step in explanation.missing)


def todo(explanation):
    return " ".join(step.todo for step in explanation.missing)


class TestWhatIsMissing:
    def test_is_told_where_it_ends(self):
        end, fine = Step("no place", False), Step("a role", True)
        inner = Step("both", False, steps=(end, fine))
        assert list(Step("a way", False, steps=(inner,)).missing()) == [end]
        assert list(fine.missing()) == []

    def test_the_role(self, iberia):
        other = give_role(UserFactory(), "orders.ship_order").groups.get()
        told = explain(ann("orders.view_order"), "ship", iberia)
        assert f"No role of Ann's gives “ship” on orders: {other.name} would." in said(told)
        assert "Give Ann one of these roles" in todo(told)

    def test_the_place(self, iberia):
        person = grant(ann("orders.view_order"), "access_region", RegionFactory(name="Nordics"))
        told = explain(person, "view", iberia)
        assert "The order hangs from Iberia; Ann works in Nordics." in said(told)
        assert "Let Ann into Iberia or a place above it (Europe)." in todo(told)

    def test_one_place_of_two(self, iberia):
        person = grant(ann("orders.view_order"), "access_region", iberia.customer.region.parent)
        told = explain(person, "view", iberia)
        assert "hangs from Depot; Ann was let into no warehouse." in said(told)
        assert "Iberia" not in said(told)

    def test_a_row_that_hangs_from_nothing(self, iberia):
        with change_set(actor=None, door="shell", reason="Moved"):
            Customer.objects.filter(pk=iberia.customer_id).update(region=None)
        told = explain(ann("orders.view_order", "inventory.access_all_warehouse"), "view", iberia)
        assert "hangs from no region; only a role that opens every region reaches it" in said(told)

    def test_an_account_that_is_closed(self, iberia):
        person = ann(
            "orders.view_order", "customers.access_all_region", "inventory.access_all_warehouse", is_active=False
        )
        told = explain(person, "view", iberia)
        assert (said(told), todo(told)) == ("Ann's account is closed.", "Reactivate the account.")

    def test_a_mark_that_opens_the_pages(self, iberia):
        assert "not marked as staff" in explain(ann(is_staff=False), "view", iberia).notes[0]

    def test_a_row_that_is_not_there(self):
        told = explain(ann(), "view", Order(pk=999_999_999))
        assert "There is no order with the number 999999999." in said(told)

    def test_places_are_named_within_the_rights_of_the_reader(self, iberia):
        person = grant(ann("orders.view_order"), "access_region", RegionFactory(name="Nordics"))
        reader = grant(ann("customers.view_region"), "access_region", iberia.customer.region.parent)
        told = explain(person, "view", iberia, told_to=reader)
        assert "hangs from Iberia; Ann works in region #" in said(told)
        assert "Nordics" not in str(told)


class TestWhatLetThemIn:
    def ways(self, told):
        assert told.allowed
        return " ".join(step.said for way in told.holding for step in (way, *way.steps))

    def test_role_and_places(self, iberia):
        person = grant(ann("orders.view_order"), "access_region", iberia.customer.region.parent)
        person = grant(person, "access_warehouse", iberia.warehouse)
        told = self.ways(explain(person, "view", iberia))
        assert "The order hangs from Iberia, which lies in Europe; Ann was let in there." in told
        assert "The order hangs from Depot; Ann was let in there." in told

    def test_a_place_granted_to_a_role(self, iberia):
        person = ann("orders.view_order", "customers.access_all_region")
        role = person.groups.get()
        with change_set(actor=None, door="shell", reason="Granted"):
            permission = Permission.objects.get(codename="access_warehouse")
            Warehouse.group_grants_model.objects.create(
                group=role, permission=permission, content_object=iberia.warehouse
            )
        told = self.ways(explain(person, "view", iberia))
        assert f"{role.name} opens every region." in told
        assert f"everybody with the role {role.name} was let in there" in told

    def test_a_grant_on_the_row(self, iberia):
        told = self.ways(explain(grant(ann(), "view", iberia), "view", iberia))
        assert told == "Ann was granted “view” on this order."

    def test_owning_it(self):
        person = ann()
        told = self.ways(explain(person, "view", JobFactory(requested_by=person)))
        assert told == "The job is Ann's own."

    def test_being_a_superuser(self, iberia):
        assert "is a superuser" in self.ways(explain(ann(is_superuser=True), "delete", iberia))

    def test_an_elevated_session(self, iberia):
        role = give_role(UserFactory(), "orders.view_order", *EVERYWHERE).groups.get()
        person, began = ann(), timezone.now()
        elevate(person, role.pk)
        told = explain(person, "view", iberia)
        assert f"Ann has an elevated session with the role {role.name}." in told.notes and role.name in self.ways(told)
        assert not explain(person, "view", iberia, instant=began).allowed
        assert not explain(User.objects.get(pk=person.pk), "view", iberia).notes

    def test_a_part_follows_its_whole(self, iberia):
        line = OrderLineFactory(order=iberia)
        told = explain(grant(ann(), "change", iberia), "delete", line)
        assert "granted “change” on this order" in self.ways(told)
        assert "to delete it, one must be able to change that" in told.notes[0]

    def test_a_kind_of_record_instead_of_a_row(self, iberia):
        person = grant(ann(), "view", iberia)
        for action in ("view", "change"):
            assert explain(person, action, Order).allowed == can(person, action, Order) == (action == "view")
        placeless = ann("orders.view_order")
        assert explain(placeless, "view", Order).allowed and can(placeless, "view", Order)
        assert not explain(placeless, "view", iberia).allowed

    def test_only_ways_that_there_are(self):
        told = explain(ann(), "view", JobFactory())
        assert not told.allowed and len(told.ways) == 2 and "granted" not in said(told)


class TestThen:
    """Rights change over time; each moment is asked back."""

    def test_each_fact_is_that_of_its_moment(self, iberia):
        person = UserFactory(first_name="Ann", last_name="")
        moments = [("before anything", clock(), False)]

        def after(what, allowed):
            moments.append((what, clock(), allowed))

        person = give_role(person, "orders.view_order", "inventory.access_all_warehouse")
        after("a role alone", False)
        person = grant(person, "access_region", iberia.customer.region.parent)
        after("role and a place above", True)
        with change_set(actor=None, door="shell", reason="Moved"):
            Region.objects.filter(pk=iberia.customer.region_id).update(parent=None)
        after("the place moved away in the tree", False)
        with change_set(actor=None, door="shell", reason="Moved"):
            Region.objects.filter(pk=iberia.customer.region_id).update(parent=iberia.customer.region.parent)
        after("and back", True)
        with change_set(actor=None, door="shell", reason="Moved"):
            Customer.objects.filter(pk=iberia.customer_id).update(region=RegionFactory())
        after("its customer moved elsewhere", False)
        person = grant(person, "view", iberia)
        after("granted the row", True)
        with change_set(actor=None, door="shell", reason="Taken"):
            Order.user_grants_model.objects.all().delete()
            Membership.objects.filter(user=person).delete()
        after("everything taken", False)
        with change_set(actor=None, door="shell", reason="Made"):
            User.objects.filter(pk=person.pk).update(is_superuser=True)
        after("made a superuser", True)
        with change_set(actor=None, door="shell", reason="Closed"):
            User.objects.filter(pk=person.pk).update(is_active=False)
        after("closed", False)
        for what, instant, allowed in moments:
            assert explain(person, "view", iberia, instant=instant).allowed == allowed, what
            named = {who.person for who in who_may("view", iberia, instant=instant)}
            assert (person.pk in named) == allowed, what

    def test_before_there_was_an_account(self, iberia):
        told = explain(UserFactory(), "view", iberia, instant=timezone.now() - datetime.timedelta(days=400))
        assert "had no account" in said(told)

    def test_what_has_no_past_says_so(self):
        job = JobFactory()
        with pytest.raises(PastNotKept, match="not kept how jobs were"):
            explain(job.requested_by, "view", job, instant=timezone.now())


def test_the_past_is_read_from_proxies_where_the_history_is(db):
    """Rights of roles have their history through a proxy of Django's own table."""
    person = give_role(UserFactory(), "orders.view_order")
    assert Facts(clock()).roles_giving("orders.view_order") == Facts().roles_giving("orders.view_order") != set()
    assert Facts(clock()).roles_of(person.pk) == Facts().roles_of(person.pk) != set()
    assert Role.history.exists()
    assert Shipment.scopes

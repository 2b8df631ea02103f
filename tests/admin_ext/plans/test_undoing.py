"""An act taken back as a whole: each row restored, kept, or impossible, and the plan says which and why."""

from __future__ import annotations

import datetime

import pytest

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set, open_change_set
from admin_ext.plans.models import Plan
from admin_ext.plans.undoing import NotFinished, NothingToUndo, can_undo, undo_change_set
from admin_ext.services import ReasonMissing, add_note
from apps.accounts.models import RolePermission, User
from apps.catalogue.models import Price, Product
from apps.customers.models import Customer, Region
from apps.inventory.models import StockMovement
from apps.orders.models import Order, OrderLine
from tests.admin_ext.plans.undos import act, applied, planned, said, undone
from tests.apps.catalogue.factories import PriceFactory, ProductFactory
from tests.apps.inventory.factories import StockMovementFactory
from tests.apps.orders.factories import OrderFactory, OrderLineFactory
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.view_region", "audit.view_changeset")


@pytest.fixture
def region():
    return RegionFactory()


def somebody(*models):
    """A person who may do everything with these, and see every change set."""
    found = give_role(UserFactory(), "audit.view_changeset")
    for model in models:
        rights = person_for(model)
        found = give_role(found, *rights.get_all_permissions())
    return found


def changed(row, actor=None, **values):
    with act(actor) as over:
        type(row).objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return over[0]


def values(model, key):
    """A row without what says when and how often it was written."""
    row = model.objects.filter(pk=key).values().get()
    return {name: value for name, value in row.items() if name not in ("version", "updated_at")}


class TestARowThatNobodyTouchedSince:
    def test_is_changed_back_under_a_change_set_that_names_what_it_undoes(self, person):
        customer = CustomerFactory(city="Lund", credit_limit=100)
        over = changed(customer, city="Malmö", credit_limit=250)
        plan = planned(person, over)
        assert plan.counts == {"update": 1}
        row = plan.rows.get()
        assert (row.before, row.after) == (
            {"city": "Malmö", "credit_limit": "250.00"},
            {"city": "Lund", "credit_limit": "100.00"},
        )
        assert row.key == f"{customer.code} {customer.name}"
        customer.refresh_from_db()
        assert customer.city == "Malmö"
        applied(plan)
        customer.refresh_from_db()
        assert (customer.city, customer.credit_limit) == ("Lund", 100)
        again = customer.history.first().change_set
        assert (again.actor, again.door, again.verb, again.reason) == (
            person,
            "undo",
            "customers.undo_customer",
            "It was wrong",
        )
        assert (again.parent_id, again.counts) == (over.pk, {"update": 1})

    def test_is_deleted_when_the_act_made_it(self, person, region):
        with act() as over:
            customer = CustomerFactory(region=region)
        assert undone(person, over[0]).counts == {"delete": 1}
        assert not Customer.objects.filter(pk=customer.pk).exists()
        assert Customer.history.filter(id=customer.pk).first().history_type == "-"

    def test_comes_back_under_its_old_key_when_the_act_deleted_it(self, person):
        customer = CustomerFactory(name="  Spaces stay ", status="on_hold")
        contact = ContactFactory(customer=customer, name="Anna")
        before, version = values(Customer, customer.pk), Customer.objects.get(pk=customer.pk).version
        key = customer.pk
        with act() as over:
            Customer.objects.get(pk=key).delete()
        assert undone(person, over[0]).counts == {"create": 2}
        assert values(Customer, key) == before
        assert Customer.objects.get(pk=key).version > version
        assert Customer.objects.get(pk=key).contacts.get() == contact

    def test_goes_back_to_before_the_first_of_several_writes_of_the_act(self, person):
        customer = CustomerFactory(city="Lund", phone="1")
        with act() as over:
            Customer.objects.filter(pk=customer.pk).update(city="Malmö")
            Customer.objects.filter(pk=customer.pk).update(city="Ystad", phone="2")
        assert undone(person, over[0]).counts == {"update": 1}
        customer.refresh_from_db()
        assert (customer.city, customer.phone) == ("Lund", "1")

    def test_that_the_act_made_and_deleted_is_as_it_was_already(self, person, region):
        other = CustomerFactory(region=region)
        with act() as over:
            CustomerFactory(region=region).delete()
            Customer.objects.filter(pk=other.pk).update(city="Ystad")
        assert planned(person, over[0]).counts == {"update": 1, "unchanged": 1}


class TestARowThatWasEditedSince:
    def test_is_kept_and_told_by_whom_when_and_in_which_act(self, person):
        customer = CustomerFactory(city="Lund", phone="1")
        over = changed(customer, city="Malmö")
        colleague = UserFactory(username="berta")
        since = changed(customer, actor=colleague, phone="2")
        plan = undone(person, over)
        assert plan.counts == {"drifted": 1}
        assert said(plan).startswith(f"Kept: {colleague} changed it on 20")
        assert said(plan).endswith(f"(change set #{since.pk}).")
        customer.refresh_from_db()
        assert (customer.city, customer.phone) == ("Malmö", "2")

    def test_and_put_back_as_the_act_left_it_is_restored(self, person):
        customer = CustomerFactory(city="Lund", phone="1")
        over = changed(customer, city="Malmö")
        changed(customer, phone="2")
        changed(customer, phone="1")
        assert undone(person, over).counts == {"update": 1}

    def test_and_back_to_what_it_was_needs_nothing(self, person):
        customer = CustomerFactory(city="Lund")
        over = changed(customer, city="Malmö")
        changed(customer, city="Lund")
        assert planned(person, over).counts == {"unchanged": 1}

    def test_between_two_writes_of_a_long_act_is_kept(self, person):
        """A job writes in many transactions, and people work meanwhile."""
        from admin_ext.audit.context import finish_change_set, resume_change_set

        customer = CustomerFactory(city="Lund", phone="1")
        job = open_change_set(actor=None, door="task", verb="tests.job", reason="Because")
        with resume_change_set(job):
            Customer.objects.filter(pk=customer.pk).update(city="Malmö")
        changed(customer, phone="2")
        with resume_change_set(job):
            Customer.objects.filter(pk=customer.pk).update(city="Ystad")
        finish_change_set(job, rows=2, counts={})
        job.refresh_from_db()
        assert undone(person, job).counts == {"drifted": 1}
        customer.refresh_from_db()
        assert (customer.city, customer.phone) == ("Ystad", "2")

    def test_after_the_plan_is_left_as_it_is(self, person):
        customer = CustomerFactory(city="Lund")
        plan = planned(person, changed(customer, city="Malmö"))
        changed(customer, city="Ystad")
        assert applied(plan).counts == {"drifted": 1}
        customer.refresh_from_db()
        assert customer.city == "Ystad"

    def test_that_the_act_made_stays_when_it_was_changed_after_the_plan(self, person, region):
        with act() as over:
            customer = CustomerFactory(region=region)
        plan = planned(person, over[0])
        changed(customer, city="Ystad")
        assert applied(plan).counts == {"drifted": 1}
        assert Customer.objects.get(pk=customer.pk).city == "Ystad"

    def test_is_kept_when_it_was_made_again(self, person, region):
        customer = CustomerFactory(region=region)
        key = customer.pk
        with act() as over:
            Customer.objects.get(pk=key).delete()
        with act():
            Customer.objects.create(pk=key, code="NEW", name="Another", region=region)
        plan = planned(person, over[0])
        assert plan.counts == {"drifted": 1}
        assert "made it again" in said(plan)


class TestWhatCannotBe:
    def test_a_ledger_stays_as_it_was_written(self):
        with act() as over:
            movement = StockMovementFactory(quantity=5)
        person = somebody(StockMovement, Product)
        plan = undone(person, over[0])
        row = plan.rows.get(model="inventory.StockMovement")
        assert (row.action, row.errors[0]["message"]) == ("refused", "Stock movements stay as they were written.")
        assert StockMovement.objects.filter(pk=movement.pk).exists()

    def test_a_changed_row_that_is_gone(self, person):
        customer = CustomerFactory(city="Lund")
        over = changed(customer, city="Malmö")
        colleague = UserFactory(username="berta")
        with act(colleague):
            Customer.objects.get(pk=customer.pk).delete()
        plan = planned(person, over)
        assert plan.counts == {"refused": 1}
        assert said(plan).startswith(f"The row is gone: {colleague} deleted it on ")

    def test_a_row_that_others_refer_to_by_now(self, region):
        with act() as over:
            customer = CustomerFactory(region=region)
        OrderFactory(customer=customer)
        sees, sees_not = somebody(Customer, Order), somebody(Customer)
        assert said(planned(sees, over[0])) == "1 order of others refers to it."
        plan = undone(sees_not, over[0])
        assert plan.counts == {"refused": 1}
        assert said(plan) == "1 other row of others refers to it."
        assert Customer.objects.filter(pk=customer.pk).exists()

    def test_a_state_that_verbs_move(self, person):
        customer = CustomerFactory(status="active", city="Lund")
        plan = undone(person, changed(customer, status="on_hold", city="Malmö"))
        assert plan.counts == {"refused": 1}
        assert said(plan) == "Status is moved by the record's own verbs alone."
        customer.refresh_from_db()
        assert (customer.status, customer.city) == ("on_hold", "Malmö")

    def test_parts_that_their_whole_keeps(self):
        order = OrderFactory()
        with act() as over:
            OrderLineFactory(order=order)
        changed(order, state="confirmed")
        plan = planned(somebody(Order, Product), over[0])
        assert plan.rows.get(model="orders.OrderLine").errors[0]["message"] == (
            "The order keeps its order lines in the state it is in."
        )

    def test_what_the_database_forbids_is_known_at_the_review(self):
        """Orders under way are not deleted: that stands in a trigger alone."""
        customer = CustomerFactory()
        with act() as over:
            order = OrderFactory(customer=customer, warehouse=None)
            Order.objects.filter(pk=order.pk).update(state="confirmed")
        plan = planned(somebody(Order), over[0])
        assert plan.counts == {"refused": 1}
        assert said(plan) == f"Order {order.number} is confirmed and is not deleted. Cancel it instead."

    def test_people_are_not_deleted(self):
        with act() as over:
            colleague = UserFactory()
        plan = undone(somebody(User), over[0])
        assert plan.counts == {"refused": 1}
        assert User.objects.filter(pk=colleague.pk).exists()

    def test_a_name_that_another_row_has_by_now(self, person):
        customer = CustomerFactory(code="A1")
        over = changed(customer, code="A2")
        CustomerFactory(code="A1")
        plan = planned(person, over)
        assert plan.counts == {"refused": 1}
        assert said(plan) == "Another customer has this code. Change that one first."


class TestAcrossModels:
    def test_parts_go_before_their_whole_and_what_follows_from_them_is_no_edit(self):
        customer, product = CustomerFactory(), ProductFactory()
        with act() as over:
            order = OrderFactory(customer=customer, warehouse=None)
            for _ in range(3):
                OrderLineFactory(order=order, product=product)
        plan = undone(somebody(Order), over[0])
        assert plan.counts == {"delete": 4}
        assert [row.model for row in plan.rows.order_by("number")] == ["orders.OrderLine"] * 3 + ["orders.Order"]
        assert not Order.objects.filter(pk=order.pk).exists()
        plan = undone(somebody(Order, Customer, Product), plan.applying.change_set)
        assert plan.counts == {"create": 4}
        again = Order.objects.get(pk=order.pk)
        assert (again.lines.count(), again.net_total) == (3, 60)

    def test_an_order_and_its_lines_changed_in_one_act_go_back_together(self):
        line = OrderLineFactory(quantity=2, unit_price=10)
        with act() as over:
            Order.objects.filter(pk=line.order.pk).update(customer_reference="PO 1")
            OrderLine.objects.filter(pk=line.pk).update(quantity=5)
        assert undone(somebody(Order), over[0]).counts == {"update": 2}
        line.refresh_from_db()
        order = Order.objects.get(pk=line.order.pk)
        assert (order.customer_reference, line.quantity, order.net_total) == ("", 2, 20)

    def test_new_rows_make_room_for_the_old(self):
        """A reprice ends one price and begins another: the old one cannot go on while the new one is there."""
        price = PriceFactory(amount=10, valid_from=datetime.date(2026, 1, 1))
        with act() as over:
            Price.objects.filter(pk=price.pk).update(valid_until=datetime.date(2026, 5, 31))
            PriceFactory(product=price.product, amount=12, valid_from=datetime.date(2026, 6, 1))
        assert undone(somebody(Product), over[0]).counts == {"update": 1, "delete": 1}
        price.refresh_from_db()
        assert price.valid_until is None
        assert Price.objects.filter(product=price.product).get() == price

    def test_what_was_moved_to_a_new_row_moves_back_before_that_goes(self, region):
        old = CustomerFactory(region=region)
        order = OrderFactory(customer=old, warehouse=None)
        with act() as over:
            new = CustomerFactory(region=region)
            Order.objects.filter(pk=order.pk).update(customer=new)
            Customer.objects.get(pk=old.pk).delete()
        plan = undone(somebody(Order, Customer, Region), over[0])
        assert plan.counts == {"create": 1, "update": 1, "delete": 1}
        order.refresh_from_db()
        assert order.customer_id == old.pk
        assert not Customer.objects.filter(pk=new.pk).exists()

    def test_notes_stay_and_the_plan_says_so(self, person, region):
        with act(person) as over:
            customer = CustomerFactory(region=region)
            add_note(actor=person, record=customer, text="Pays late")
        plan = planned(person, over[0])
        assert "1 note written by it stay." in plan.notes


class TestUndoOfAnUndo:
    def test_brings_back_what_was_undone(self, person):
        customer = CustomerFactory(city="Lund")
        over = changed(customer, city="Malmö")
        plan = undone(person, over)
        plan = undone(person, plan.applying.change_set)
        customer.refresh_from_db()
        assert (plan.counts, customer.city) == ({"update": 1}, "Malmö")
        plan = undone(person, plan.applying.change_set)
        customer.refresh_from_db()
        assert customer.city == "Lund"

    def test_an_act_undone_twice_is_as_it_was_already(self, person, region):
        customer = CustomerFactory(city="Lund", region=region)
        with act() as over:
            Customer.objects.filter(pk=customer.pk).update(city="Malmö")
            CustomerFactory(region=region)
        undone(person, over[0])
        assert planned(person, over[0]).counts == {"unchanged": 2}


class TestWhoMay:
    def test_a_reason_a_finished_act_and_something_to_undo_are_asked_for(self, person):
        customer = CustomerFactory()
        over = changed(customer, city="Malmö")
        with pytest.raises(ReasonMissing):
            undo_change_set(actor=person, change_set=over, reason=" ")
        going_on = open_change_set(actor=None, door="task", verb="tests.job")
        with pytest.raises(NotFinished):
            undo_change_set(actor=person, change_set=going_on, reason="x")
        with act(person, always=True) as nothing:
            pass
        with pytest.raises(NothingToUndo):
            undo_change_set(actor=person, change_set=nothing[0], reason="x")
        assert not Plan.objects.exists()

    def test_one_who_sees_the_act_and_may_change_something_of_it(self, person):
        over = changed(CustomerFactory(), city="Malmö")
        reader = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer")
        stranger = person_for(Customer)
        for each in (reader, stranger):
            assert not can_undo(each, over)
            with pytest.raises(NotPermitted):
                undo_change_set(actor=each, change_set=over, reason="x")
        assert can_undo(person, over)

    def test_each_row_asks_for_its_own_right(self, region):
        customer = CustomerFactory(region=region, city="Lund")
        gone = CustomerFactory(region=region)
        with act() as over:
            Customer.objects.filter(pk=customer.pk).update(city="Malmö")
            made = CustomerFactory(region=region)
            Customer.objects.get(pk=gone.pk).delete()
        person = give_role(
            person_for(Customer, "customers.view_customer", "customers.change_customer"),
            "audit.view_changeset",
            "customers.view_region",
        )
        plan = undone(person, over[0])
        assert plan.counts == {"update": 1, "refused": 2}
        assert "right to delete this customer" in plan.rows.get(target_id=made.pk).errors[0]["message"]
        assert "right to add customers" in plan.rows.get(target_id=gone.pk).errors[0]["message"]

    def test_a_right_that_was_lost_after_the_plan_stops_the_job(self, person, region):
        with act() as over:
            CustomerFactory(region=region)
        plan = planned(person, over[0])
        with change_set(actor=None, door="shell", verb="tests.take", reason="Because"):
            RolePermission.objects.filter(
                group__in=person.groups.all(), permission__codename="delete_customer"
            ).delete()
        assert applied(plan).counts == {"refused": 1}
        assert Customer.objects.count() == 1

    def test_what_lies_outside_the_scope_is_counted_and_not_named(self):
        mine, theirs = CustomerFactory(city="Lund"), CustomerFactory(city="Lund", name="Canary")
        gone = CustomerFactory(region=theirs.region, name="Canary too")
        with act() as over:
            Customer.objects.filter(pk__in=[mine.pk, theirs.pk]).update(city="Malmö")
            made = CustomerFactory(region=theirs.region, name="Canary three")
            Customer.objects.get(pk=gone.pk).delete()
        rights = person_for(Customer, scoped=True).get_all_permissions()
        person = give_role(UserFactory(), "audit.view_changeset")
        person = give_role(person, *[f"customers.{each}_customer" for each in ("view", "add", "change", "delete")])
        assert rights
        person = grant(person, "access_region", mine.region)
        plan = undone(person, over[0])
        assert plan.counts == {"update": 1, "left": 3}
        told = [(row.key, row.target_id, row.before, row.after) for row in plan.rows.filter(action="left")]
        assert told == [("", None, None, None)] * 3
        assert "Canary" not in said(plan) + "".join(plan.notes)
        assert values(Customer, theirs.pk)["city"] == "Malmö"
        assert Customer.objects.filter(pk=made.pk).exists()

    def test_it_ends_inside_the_scope_of_who_undoes(self):
        old, now = RegionFactory(), RegionFactory()
        customer = CustomerFactory(region=old)
        over = changed(customer, region=now)
        person = give_role(
            UserFactory(), "audit.view_changeset", "customers.view_customer", "customers.change_customer"
        )
        person = give_role(grant(grant(person, "access_region", now), "view", old), "customers.view_region")
        plan = undone(person, over)
        assert plan.counts == {"refused": 1}
        assert "outside your scope" in said(plan)
        assert values(Customer, customer.pk)["region_id"] == now.pk

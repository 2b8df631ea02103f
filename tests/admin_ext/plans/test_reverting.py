"""A row, or one of its fields, made what it was; a deleted row with its parts made again: planned, then applied."""

from __future__ import annotations

from datetime import date

import pytest

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.models import Note
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.plans.reverting import (
    NeverReverted,
    NotDeleted,
    NotItsHistory,
    restore_row,
    revert_row,
)
from admin_ext.services import ReasonMissing, add_note
from apps.accounts.models import RolePermission, User
from apps.catalogue.models import Product
from apps.customers.models import Address, Contact, Customer, Region
from apps.inventory.models import StockMovement
from apps.orders.models import Order
from tests.apps.catalogue.factories import PriceFactory, ProductFactory
from tests.apps.inventory.factories import StockMovementFactory
from tests.apps.orders.factories import OrderLineFactory
from tests.contracts.world import person_for
from tests.factories import (
    AddressFactory,
    ContactFactory,
    CustomerFactory,
    RegionFactory,
    UserFactory,
    give_role,
    grant,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return give_role(person_for(Customer), "customers.view_region")


def changed(row, **values):
    """Change a row; returns its history as it was before."""
    before = row.history.first()
    with change_set(actor=None, door="shell", verb="tests.change", reason="Because"):
        type(row).objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return before


def deleted(row):
    key = row.pk
    with change_set(actor=None, door="shell", verb="tests.delete", reason="Because"):
        type(row).objects.get(pk=key).delete()
    return key


def without(person, codename):
    """Take one right from a person; the right to hand over stays, which looks at no scope."""
    with change_set(actor=None, door="shell", verb="tests.take", reason="Because"):
        RolePermission.objects.filter(group__in=person.groups.all(), permission__codename=codename).delete()


def applied(plan, mode="keep_good"):
    plan = apply_plan(actor=plan.created_by, plan=plan, mode=mode)
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


def reverted(person, row, to, **kwargs):
    return revert_row(actor=person, row=row, to=to, reason="Typed wrongly", **kwargs)


def restored(person, model, key):
    return restore_row(actor=person, model=model, key=key, reason="Deleted by mistake")


def said(plan):
    return " ".join(error["message"] for row in plan.rows.all() for error in row.errors or ())


class TestARevert:
    def test_is_planned_at_once_with_old_and_new_and_touches_nothing(self, person):
        customer = CustomerFactory(city="Lund", credit_limit=100)
        then = changed(customer, city="Malmö", credit_limit=250)
        before = Customer.history.count()
        plan = reverted(person, customer, then)
        assert (plan.state, plan.counts) == (Plan.State.READY, {"update": 1})
        row = plan.rows.get()
        assert row.before == {"city": "Malmö", "credit_limit": "250.00"}
        assert row.after == {"city": "Lund", "credit_limit": "100.00"}
        assert row.key == f"{customer.code} {customer.name}"
        assert Customer.history.count() == before
        assert not ChangeSet.objects.filter(verb__contains="revert").exists()

    def test_makes_the_row_what_it_was_under_a_change_set_that_says_why(self, person):
        customer = CustomerFactory(name="  Spaces stay ", city="Lund", credit_limit=100)
        then = changed(customer, name="Other", city="", credit_limit=250)
        plan = applied(reverted(person, customer, then))
        customer.refresh_from_db()
        assert (customer.name, customer.city, customer.credit_limit) == ("  Spaces stay ", "Lund", 100)
        act = customer.history.first().change_set
        assert (act.actor, act.door, act.verb, act.reason) == (
            person,
            "undo",
            "customers.revert_customer",
            "Typed wrongly",
        )
        assert plan.counts == {"update": 1}

    def test_of_one_field_leaves_the_others(self, person):
        customer = CustomerFactory(city="Lund", credit_limit=100)
        then = changed(customer, city="Malmö", credit_limit=250)
        applied(reverted(person, customer, then, fields=["city"]))
        customer.refresh_from_db()
        assert (customer.city, customer.credit_limit) == ("Lund", 250)

    def test_of_a_row_that_is_as_it_was_changes_nothing(self, person):
        customer = CustomerFactory()
        assert reverted(person, customer, customer.history.first()).counts == {"unchanged": 1}

    def test_leaves_a_row_that_moved_after_the_plan(self, person):
        customer = CustomerFactory(city="Lund")
        plan = reverted(person, customer, changed(customer, city="Malmö"))
        changed(customer, city="Ystad")
        assert applied(plan).counts == {"drifted": 1}
        customer.refresh_from_db()
        assert customer.city == "Ystad"

    def test_keeps_what_verbs_move_and_says_so(self, person):
        customer = CustomerFactory(status="active", city="Lund")
        plan = reverted(person, customer, changed(customer, status="on_hold", city="Malmö"))
        assert plan.rows.get().after == {"city": "Lund"}
        assert plan.notes == ["Status is changed by its verbs and stays “On hold”."]
        applied(plan)
        customer.refresh_from_db()
        assert (customer.status, customer.city) == ("on_hold", "Lund")

    def test_keeps_what_is_settled_and_what_follows_from_other_rows(self):
        line = OrderLineFactory(quantity=2)
        order = line.order
        then = order.history.last()
        changed(order, customer_reference="PO 1", number="SO-X")
        person = person_for(Order)
        plan = reverted(person, order, then)
        assert plan.rows.get().after == {"customer_reference": ""}
        assert any(note.startswith("Number stays") for note in plan.notes)
        assert any(note.startswith("Gross total follows") for note in plan.notes)

    def test_refuses_a_value_that_is_not_allowed_any_more(self, person):
        customer = CustomerFactory(currency="EUR")
        changed(customer, currency="XXQ")
        then = changed(customer, currency="EUR")
        plan = reverted(person, customer, then)
        assert plan.counts == {"invalid": 1}
        assert "not a valid choice" in said(plan)

    def test_tells_a_name_that_another_row_has_now_before_anything_is_applied(self, person):
        customer = CustomerFactory(code="A1")
        then = changed(customer, code="A2")
        CustomerFactory(code="A1")
        plan = reverted(person, customer, then)
        assert plan.counts == {"refused": 1}
        assert said(plan) == "Another customer has this code. Change that one first."

    def test_points_at_no_row_that_is_gone_or_not_visible(self, person):
        old, now = RegionFactory(), RegionFactory()
        customer = CustomerFactory(region=old)
        then = changed(customer, region=now)
        scoped = give_role(UserFactory(), "customers.view_customer", "customers.change_customer")
        scoped = grant(scoped, "access_region", now)
        hidden = reverted(scoped, customer, then)
        deleted(old)
        gone = reverted(person, customer, then)
        assert hidden.counts == gone.counts == {"invalid": 1}
        assert said(hidden) == said(gone) == "The region of then does not exist any more, or you may not use it."
        assert old.name not in said(hidden) + hidden.title

    def test_ends_inside_the_scope_of_who_reverts(self):
        old, now = RegionFactory(), RegionFactory()
        customer = CustomerFactory(region=old)
        then = changed(customer, region=now)
        scoped = give_role(
            UserFactory(),
            "customers.view_customer",
            "customers.change_customer",
            "customers.view_region",
        )
        scoped = grant(grant(scoped, "access_region", now), "view", old)
        plan = reverted(scoped, customer, then)
        assert plan.counts == {"refused": 1}
        assert "outside your scope" in said(plan)

    def test_needs_the_right_to_change_the_row_then_and_now(self, person):
        customer = CustomerFactory(city="Lund")
        then = changed(customer, city="Malmö")
        reader = person_for(Customer, "customers.view_customer")
        elsewhere = grant(
            person_for(Customer, "customers.view_customer", "customers.change_customer", scoped=True),
            "access_region",
            RegionFactory(),
        )
        for each in (reader, elsewhere):
            with pytest.raises(NotPermitted):
                reverted(each, customer, then)
        plan = reverted(person, customer, then)
        without(person, "change_customer")
        assert applied(plan).counts == {"refused": 1}
        customer.refresh_from_db()
        assert customer.city == "Malmö"

    def test_makes_no_superuser(self):
        colleague = UserFactory(first_name="Ada", is_superuser=True)
        then = changed(colleague, first_name="Eve", is_superuser=False)
        applied(reverted(person_for(User), colleague, then))
        colleague.refresh_from_db()
        assert (colleague.first_name, colleague.is_superuser) == ("Ada", False)

    def test_asks_for_a_reason_and_for_a_moment_of_the_same_row(self, person):
        customer, other = CustomerFactory(), CustomerFactory()
        with pytest.raises(NotItsHistory):
            reverted(person, customer, other.history.first())
        with pytest.raises(ReasonMissing):
            revert_row(actor=person, row=customer, to=customer.history.first(), reason=" ")

    def test_never_touches_a_ledger(self):
        movement = StockMovementFactory()
        with pytest.raises(NeverReverted, match="Post another one"):
            reverted(person_for(StockMovement), movement, movement.history.first())

    def test_of_a_part_is_refused_while_its_whole_keeps_its_parts(self):
        line = OrderLineFactory(quantity=2)
        then = changed(line, quantity=3)
        changed(line.order, state="confirmed")
        plan = reverted(person_for(Order), line, then)
        assert plan.counts == {"refused": 1}
        assert said(plan) == "The order keeps its order lines in the state it is in."


class TestARestore:
    def test_makes_the_row_and_its_parts_again_under_their_keys(self, person):
        customer = CustomerFactory(city="Lund", status="on_hold", credit_limit="12.50")
        contacts = {ContactFactory(customer=customer).pk for _ in range(2)}
        address = AddressFactory(customer=customer)
        version = customer.version
        key = deleted(customer)
        plan = restored(person, Customer, key)
        assert plan.counts == {"create": 4}
        models = [row.model for row in plan.rows.order_by("number")]
        assert models == ["", "customers.Contact", "customers.Contact", "customers.Address"]
        applied(plan, "all_or_nothing")
        again = Customer.objects.get(pk=key)
        assert (again.city, again.status, str(again.credit_limit)) == ("Lund", "on_hold", "12.50")
        assert again.created_at == customer.created_at
        assert set(again.contacts.values_list("pk", flat=True)) == contacts
        assert Address.objects.get(pk=address.pk).street == address.street
        act = again.history.first().change_set
        assert (act.verb, act.reason, act.rows) == ("customers.restore_customer", "Deleted by mistake", 4)
        assert {Contact.history.filter(id=each).first().change_set for each in contacts} == {act}
        assert again.version == version + 1

    def test_joins_its_history_and_notes_again(self, person):
        customer = CustomerFactory()
        add_note(actor=person, record=customer, text="Pays late")
        key = deleted(customer)
        applied(restored(person, Customer, key))
        again = Customer.objects.get(pk=key)
        assert [row.history_type for row in again.history.all()] == ["+", "-", "+"]
        assert Note.objects.get(object_id=key).record == again

    def test_leaves_parts_that_were_deleted_in_another_act(self, person):
        contact = ContactFactory()
        early = ContactFactory(customer=contact.customer)
        deleted(early)
        key = deleted(contact.customer)
        applied(restored(person, Customer, key))
        assert list(Contact.objects.filter(customer=key)) == [contact]

    def test_of_a_part_alone_needs_its_whole(self, person):
        contact = ContactFactory()
        key = deleted(contact)
        applied(restored(person, Contact, key))
        assert Contact.objects.get(pk=key).customer == contact.customer
        deleted(contact)
        deleted(contact.customer)
        with pytest.raises(NotPermitted):
            restore_row(actor=person_for(Customer, "customers.view_customer"), model=Contact, key=key, reason="x")
        plan = restored(person, Contact, key)
        assert plan.counts == {"invalid": 1}
        assert "Restore the customer first" in plan.rows.get().errors[0]["advice"]

    def test_tells_a_name_that_was_taken_meanwhile_and_what_hangs_from_it(self, person):
        customer = CustomerFactory(code="A1")
        ContactFactory(customer=customer)
        key = deleted(customer)
        CustomerFactory(code="A1")
        plan = restored(person, Customer, key)
        assert plan.counts == {"refused": 2}
        whole, part = plan.rows.order_by("number")
        assert whole.errors[0]["message"] == "Another customer has this code. Change that one first."
        assert part.errors[0]["message"] == "The customer that it names does not exist."

    def test_tells_each_part_that_does_not_fit_any_more(self):
        product = ProductFactory()
        gone = OrderLineFactory(product=product)
        stays = OrderLineFactory(order=gone.order)
        key = deleted(gone.order)
        deleted(product)
        person = give_role(
            person_for(Order), "catalogue.view_product", "customers.view_customer", "inventory.view_warehouse"
        )
        plan = restored(person, Order, key)
        assert plan.counts == {"create": 2, "invalid": 1}
        assert plan.rows.get(action="invalid").target_id == gone.pk
        assert any("gross total, net total, region follow from other rows" in note for note in plan.notes)
        applied(plan)
        again = Order.objects.get(pk=key)
        assert list(again.lines.all()) == [stays]
        assert again.net_total == stays.amount

    def test_tells_a_rule_between_rows_that_would_be_broken(self):
        product = ProductFactory()
        price = PriceFactory(product=product, valid_from=date(2026, 1, 1))
        key = deleted(price)
        PriceFactory(product=product, valid_from=date(2025, 12, 1), currency=price.currency)
        plan = restored(person_for(Product), type(price), key)
        assert plan.counts == {"refused": 1}
        assert "prices of a product do not overlap" in said(plan)

    def test_is_not_done_twice(self, person):
        key = deleted(CustomerFactory())
        first, second = restored(person, Customer, key), restored(person, Customer, key)
        applied(first)
        assert applied(second).counts == {"drifted": 1}
        with pytest.raises(NotDeleted):
            restored(person, Customer, key)

    def test_needs_the_right_to_add_where_the_row_last_was(self, person):
        customer = CustomerFactory()
        key = deleted(customer)
        reader = person_for(Customer, "customers.view_customer")
        with pytest.raises(NotPermitted):
            restored(reader, Customer, key)
        rights = ["customers.view_customer", "customers.add_customer", "customers.view_region"]
        elsewhere = grant(give_role(UserFactory(), *rights), "access_region", RegionFactory())
        with pytest.raises(NotDeleted):
            restored(elsewhere, Customer, key)
        here = grant(give_role(UserFactory(), *rights), "access_region", customer.region)
        assert restored(here, Customer, key).counts == {"create": 1}

    def test_asks_again_for_the_right_when_it_is_applied(self, person):
        key = deleted(CustomerFactory())
        plan = restored(person, Customer, key)
        without(person, "add_customer")
        assert applied(plan).counts == {"refused": 1}
        assert not Customer.objects.filter(pk=key).exists()

    def test_of_a_row_of_a_scope_that_is_gone_is_for_those_who_work_everywhere(self, person):
        region = RegionFactory()
        scoped = grant(
            give_role(UserFactory(), "customers.view_region", "customers.add_region"), "access_region", region
        )
        with change_set(actor=None, door="shell", verb="tests.delete"):
            region.user_grants_model.objects.filter(content_object=region).delete()
        key = deleted(region)
        with pytest.raises(NotDeleted):
            restored(scoped, Region, key)

    def test_that_a_worker_has_to_make_is_found_by_it(self, person, monkeypatch):
        """The web process died between writing the job down and running it: the sweeper sends it as any other."""
        key = deleted(CustomerFactory())
        monkeypatch.setattr("admin_ext.plans.making.run_job", lambda job: None)
        plan = restored(person, Customer, key)
        job = Job.objects.get(pk=plan.making_id)
        assert (plan.state, job.state) == (Plan.State.MAKING, Job.State.QUEUED)
        run_job(job.pk)
        plan.refresh_from_db()
        assert plan.counts == {"create": 1}

"""Each condition of a right, alone. Together with the agreement of all ways of asking, these judge `tests.mutation`."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_ext.access import rights, row_grants
from admin_ext.access.backends import RoleBackend
from admin_ext.access.deleted import can_deleted, restrict_deleted
from admin_ext.access.rights import (
    NotPermitted,
    OutOfScope,
    access_of,
    can,
    check_inside,
    permission,
    restrict,
    whole_of,
)
from admin_ext.access.row_grants import rights_granted
from admin_ext.access.scopes import UnknownDimension, granted_places, scope_model, scope_models
from admin_ext.audit.context import change_set
from admin_ext.audit.past import as_of
from admin_ext.jobs.models import Job
from admin_ext.plans.past import deletion_of, deletions
from apps.accounts.models import Membership, Role, User
from apps.customers.models import Contact, Customer, Region
from apps.inventory.models import Warehouse
from apps.orders.models import Order, OrderLine
from tests.apps.inventory.factories import StockMovementFactory, WarehouseFactory
from tests.apps.orders.factories import OrderFactory, OrderLineFactory
from tests.factories import (
    ContactFactory,
    CustomerFactory,
    JobFactory,
    RegionFactory,
    UserFactory,
    give_role,
    grant,
)
from tests.moments import moment

pytestmark = pytest.mark.django_db
EVERYWHERE = "customers.access_all_region"


def again(user):
    """The person at their next request."""
    return User.objects.get(pk=user.pk)


def change(row, **values):
    with change_set(actor=None, door="shell", verb="tests.arrange", reason="Test"):
        type(row)._base_manager.filter(pk=row.pk).update(**values)
    return type(row)._base_manager.get(pk=row.pk)


def delete(row):
    with change_set(actor=None, door="shell", verb="tests.arrange", reason="Test"):
        row.delete()


def grant_to_role(user, action, row):
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        role = Role.objects.create(name=f"of {user.pk} {Role.objects.count()}")
        Membership.objects.create(user=user, group_id=role.pk)
        found = Permission.objects.get(content_type__app_label=row._meta.app_label, codename=action)
        row.group_grants_model.objects.create(group_id=role.pk, permission=found, content_object=row)
    return again(user)


def seen(user, model, action="view"):
    return set(restrict(model._default_manager.all(), user, action))


class TestNames:
    def test_a_part_asks_for_its_wholes_right(self):
        assert permission(Customer, "hold") == "customers.hold_customer"
        assert permission(Contact, "view") == "customers.view_customer"
        assert permission(Contact, "export") == "customers.export_customer"
        assert permission(Contact, "import") == "customers.import_customer"
        for action in ("add", "change", "delete"):
            assert permission(Contact, action) == "customers.change_customer"
        assert whole_of(OrderLine) is Order and whole_of(Order) is Order

    def test_a_dimension_is_a_model(self):
        assert scope_model("region") is Region and scope_model("warehouse") is Warehouse
        assert scope_models() == [Region, Warehouse]
        with pytest.raises(UnknownDimension):
            scope_model("galaxy")


class TestWho:
    def test_nobody_may_do_nothing(self):
        CustomerFactory()
        for stranger in (AnonymousUser(), None):
            assert not restrict(Customer.objects.all(), stranger).exists()
        assert not can(AnonymousUser(), "view", Customer)

    def test_a_closed_account_may_do_nothing(self):
        customer = CustomerFactory()
        person = grant(give_role(UserFactory(), "customers.view_customer", EVERYWHERE), "view", customer)
        assert can(person, "view", customer) and can(person, "view", Customer) and seen(person, Customer)
        person = change(person, is_active=False)
        assert not can(person, "view", customer) and not can(person, "view", Customer) and not seen(person, Customer)
        root = UserFactory(is_superuser=True, is_active=False)
        assert not can(root, "view", customer) and not seen(root, Customer)

    def test_a_superuser_may_do_everything(self):
        customer, root = CustomerFactory(region=None), UserFactory(is_superuser=True)
        for action in ("view", "delete", "import", "hold"):
            assert (
                can(root, action, customer) and can(root, action, Customer) and customer in seen(root, Customer, action)
            )
        assert access_of(root).where(Contact, "view") == rights.Q()

    def test_a_permission_given_to_a_person_is_none(self):
        found = Permission.objects.get(codename="view_customer")
        assert not RoleBackend()._get_user_permissions(UserFactory()).exists()
        assert found and not can(UserFactory(), "view", Customer)


class TestRoles:
    def test_a_role_gives_its_action_alone(self):
        customer = CustomerFactory()
        person = give_role(UserFactory(), "customers.view_customer", EVERYWHERE)
        assert can(person, "view", customer) and can(person, "view", Customer)
        for action in ("change", "delete", "hold", "export", "import", "add"):
            assert not can(person, action, customer) and not can(person, action, Customer), action
            assert not seen(person, Customer, action), action

    def test_a_role_without_a_place_opens_no_row(self):
        customer, lost = CustomerFactory(), CustomerFactory(region=None)
        person = give_role(UserFactory(), "customers.view_customer")
        assert can(person, "view", Customer) and not seen(person, Customer)
        person = grant(person, "access_region", customer.region)
        assert seen(person, Customer) == {customer}
        everywhere = give_role(UserFactory(), "customers.view_customer", EVERYWHERE)
        assert seen(everywhere, Customer) == {customer, lost}

    def test_every_dimension_counts(self):
        order, nearby = OrderFactory(), OrderFactory()
        person = grant(give_role(UserFactory(), "orders.view_order"), "access_region", order.customer.region)
        person = grant(person, "access_region", nearby.customer.region)
        assert not seen(person, Order)
        assert seen(grant(person, "access_warehouse", order.warehouse), Order) == {order}

    def test_a_new_row_needs_the_role(self):
        person = give_role(UserFactory(), "customers.add_customer")
        assert can(person, "add", Customer()) and can(person, "add", Customer)
        assert not can(person, "change", Customer())
        granted = grant(UserFactory(), "change", CustomerFactory())
        assert not can(granted, "change", Customer()) and can(granted, "change", Customer)


class TestPlaces:
    def test_a_place_covers_what_lies_below_it_and_nothing_above(self):
        europe = RegionFactory()
        nordics = RegionFactory(parent=europe)
        lapland = RegionFactory(parent=nordics)
        person = grant(UserFactory(), "access_region", nordics)
        assert set(granted_places(person, "region")) == {nordics.pk, lapland.pk}
        assert set(access_of(person).places("region") or []) == {nordics.pk, lapland.pk}

    def test_a_place_of_a_role_counts_for_its_holders(self):
        region, other = RegionFactory(), UserFactory()
        person = grant_to_role(UserFactory(), "access_region", region)
        assert granted_places(person, "region") == [region.pk]
        assert granted_places(other, "region") == []

    def test_only_the_entry_counts(self):
        region = RegionFactory()
        assert granted_places(grant(UserFactory(), "view", region), "region") == []

    def test_everywhere_is_none(self):
        person = give_role(UserFactory(), EVERYWHERE)
        assert access_of(person).places("region") is None and access_of(person).places("warehouse") == []

    def test_are_asked_once_for_a_person_object(self):
        person = grant(UserFactory(), "access_region", RegionFactory())
        with CaptureQueriesContext(connection) as queries:
            assert access_of(person) is access_of(person)
            first = access_of(person).places("region")
            counted = len(queries)
            assert access_of(person).places("region") == first
            assert len(queries) == counted
        assert access_of(again(person)) is not access_of(person)


class TestGrants:
    def test_a_grant_opens_one_row_for_one_action_without_a_role(self):
        customer, other = CustomerFactory(), CustomerFactory()
        person = grant(UserFactory(), "view", customer)
        assert seen(person, Customer) == {customer}
        assert can(person, "view", customer) and can(person, "view", Customer)
        assert not can(person, "change", customer) and not can(person, "change", Customer) and other
        assert not can(UserFactory(), "view", Customer) and not seen(UserFactory(), Customer)

    def test_a_grant_of_change_opens_no_kind_for_anything_else(self):
        person = grant(UserFactory(), "change", CustomerFactory())
        assert can(person, "change", Customer) and can(person, "add", Contact)
        assert not can(person, "delete", Customer) and not can(person, "hold", Customer)

    def test_a_grant_to_a_role_is_its_holders(self):
        customer = CustomerFactory()
        person = grant_to_role(UserFactory(), "view_customer", customer)
        assert seen(person, Customer) == {customer} and not seen(UserFactory(), Customer)

    def test_a_grant_adds_to_a_role(self):
        home, away = CustomerFactory(), CustomerFactory()
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", home.region)
        assert seen(grant(person, "view", away), Customer) == {home, away}

    def test_more_grants_than_are_listed_count_as_well(self, monkeypatch):
        monkeypatch.setattr(row_grants, "INLINE_KEYS", 2)
        region = RegionFactory()
        rows = [CustomerFactory(region=region) for _ in range(4)]
        person = UserFactory()
        for number, row in enumerate(rows[:3], start=1):
            person = grant(person, "view", row)
            (granted,) = access_of(person).granted(Customer, "view")
            assert isinstance(granted, list) == (number <= 2)
            assert seen(person, Customer) == set(rows[:number]) and can(person, "view", Customer)
        person = grant_to_role(person, "view_customer", rows[3])
        assert seen(person, Customer) == set(rows)
        assert not seen(person, Customer, "change") and not can(person, "change", Customer)

    def test_are_asked_once_for_a_person_object(self):
        person = grant(UserFactory(), "view", CustomerFactory())
        first = access_of(person).granted(Customer, "view")
        with CaptureQueriesContext(connection) as queries:
            assert access_of(person).granted(Customer, "view") == first and not queries
            assert access_of(person).granted(Customer, "change") == [] and not queries
        assert access_of(person).granted(Job, "view") == []

    def test_a_row_is_asked_about_in_one_query_put_into_words_once(self, monkeypatch):
        one, other = CustomerFactory(), CustomerFactory()
        person = grant(UserFactory(), "view", one)
        assert can(person, "view", one)
        monkeypatch.setattr(rights, "restrict", None)
        with CaptureQueriesContext(connection) as queries:
            assert can(person, "view", one) and not can(person, "view", other)
        assert len(queries) == 2

    def test_every_right_is_found_whoever_holds_it(self):
        one, other = CustomerFactory(), CustomerFactory()
        person = grant(grant(grant(UserFactory(), "view", one), "hold", one), "delete", other)
        person = grant_to_role(grant_to_role(person, "change_customer", one), "view_customer", other)
        found = rights_granted(person, access_of(person).roles())
        held = {table.__name__: set(rights) for table, rights in found.items()}
        assert held == {
            "CustomerUserGrant": {"view_customer", "hold_customer", "delete_customer"},
            "CustomerGroupGrant": {"change_customer", "view_customer"},
        }
        known = dict(Permission.objects.values_list("codename", "pk"))
        assert all(known[name] == key for rights in found.values() for name, key in rights.items())
        assert rights_granted(UserFactory(), []) == {}


class TestParts:
    def test_follow_their_whole(self):
        contact, other = ContactFactory(), ContactFactory()
        person = grant(UserFactory(), "view", contact.customer)
        assert seen(person, Contact) == {contact} and can(person, "view", contact) and can(person, "view", Contact)
        assert not can(person, "change", contact) and not can(person, "view", other)
        changer = grant(UserFactory(), "change", contact.customer)
        for action in ("change", "delete", "add"):
            assert can(changer, action, contact), action
        assert can(changer, "add", Contact) and not can(changer, "view", contact)

    def test_follow_through_places(self):
        line = OrderLineFactory()
        person = give_role(UserFactory(), "orders.view_order")
        person = grant(person, "access_region", line.order.customer.region)
        assert not seen(person, OrderLine)
        assert seen(grant(person, "access_warehouse", line.order.warehouse), OrderLine) == {line}

    def test_the_whole_is_told_with_its_condition(self):
        person = give_role(UserFactory(), "customers.change_customer", EVERYWHERE)
        assert access_of(person).whole_where(Customer, "view") is None
        part_of, whole, where = access_of(person).whole_where(Contact, "delete")
        assert (part_of, whole) == ("customer", Customer) and not where


class TestOwners:
    def test_the_owner_needs_no_role(self):
        job, other = JobFactory(), JobFactory()
        owner = again(job.requested_by)
        assert seen(owner, Job) == {job} and can(owner, "view", job) and not can(owner, "view", other)
        assert can(owner, "view", Job) and can(owner, "change", Job) and not can(owner, "add", Job)

    def test_a_role_sees_everybodys(self):
        jobs = {JobFactory(), JobFactory()}
        assert seen(give_role(UserFactory(), "jobs.view_job"), Job) >= jobs


class TestAfterAWrite:
    def test_what_is_inside_may_stay(self):
        customer = CustomerFactory()
        person = grant(give_role(UserFactory(), "customers.change_customer"), "access_region", customer.region)
        check_inside(person, Customer, [customer.pk], "change")
        check_inside(person, Customer, [], "change")
        check_inside(person, Customer, [customer.pk, customer.pk], "change")

    def test_what_went_outside_is_refused(self):
        home, away = CustomerFactory(), CustomerFactory()
        person = grant(give_role(UserFactory(), "customers.change_customer"), "access_region", home.region)
        with pytest.raises(OutOfScope, match="1 customers would end up outside"):
            check_inside(person, Customer, [home.pk, away.pk], "change")
        assert issubclass(OutOfScope, NotPermitted)

    def test_who_may_hand_over_may(self):
        away = ContactFactory()
        person = give_role(UserFactory(), "customers.change_customer", "customers.handover_customer")
        check_inside(person, Customer, [away.customer_id], "change")
        check_inside(person, Contact, [away.pk], "change")


class TestThePast:
    def test_is_read_and_never_written(self):
        customer = CustomerFactory()
        person = give_role(
            UserFactory(), *(f"customers.{a}_customer" for a in ("view", "export", "change")), EVERYWHERE
        )
        with as_of(moment()):
            for action, possible in (("view", True), ("export", True), ("change", False)):
                assert can(person, action, customer) is possible, action
                assert can(person, action, Customer) is possible, action
                assert bool(seen(person, Customer, action)) is possible, action
        assert can(person, "change", customer)

    def test_shows_rows_to_whom_they_belong_now(self):
        home, away = RegionFactory(), RegionFactory()
        customer = CustomerFactory(region=home)
        then = moment()
        change(customer, region=away)
        before = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", home)
        now = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", away)
        with as_of(then):
            assert not seen(before, Customer) and seen(now, Customer) == {customer}

    def test_shows_parts_that_are_gone_with_their_whole(self):
        contact = ContactFactory()
        key, region, then = contact.pk, contact.customer.region, moment()
        delete(contact)
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", region)
        other = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", RegionFactory())
        with as_of(then):
            assert {each.pk for each in seen(person, Contact)} == {key} and not seen(other, Contact)

    def test_shows_no_whole_that_is_gone_to_the_limited(self):
        customer = CustomerFactory()
        region, then = customer.region, moment()
        delete(customer)
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", region)
        everywhere = give_role(UserFactory(), "customers.view_customer", EVERYWHERE)
        with as_of(then):
            assert not seen(person, Customer) and len(seen(everywhere, Customer)) == 1

    def test_shows_no_part_elsewhere_that_moved_to_a_whole_of_theirs(self):
        """A part that is there follows the whole that it has now, not the one that it had."""
        contact, home = ContactFactory(), CustomerFactory()
        then = moment()
        change(contact, customer=CustomerFactory())
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", home.region)
        person = grant(person, "access_region", contact.customer.region)
        with as_of(then):
            assert not seen(person, Contact)


class TestDeleted:
    def rows(self, user, model=Customer, action="view"):
        return {row.id for row in restrict_deleted(deletions(model), user, action)}

    def test_are_seen_where_they_last_were(self):
        home, away, nowhere = CustomerFactory(), CustomerFactory(), CustomerFactory(region=None)
        keys = [home.pk, away.pk, nowhere.pk]
        for row in (home, away, nowhere):
            delete(row)
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", home.region)
        assert self.rows(person) == {keys[0]}
        assert self.rows(give_role(UserFactory(), "customers.view_customer", EVERYWHERE)) == set(keys)
        assert self.rows(person, action="add") == set()
        assert self.rows(UserFactory(is_superuser=True)) == set(keys)
        assert self.rows(UserFactory(is_superuser=True, is_active=False)) == set()
        assert self.rows(UserFactory()) == set()
        assert can_deleted(person, "view", deletion_of(Customer, keys[0]))
        assert not can_deleted(person, "view", deletion_of(Customer, keys[1]))
        assert not can_deleted(person, "add", deletion_of(Customer, keys[0]))

    def test_a_place_that_is_gone_lets_in_who_works_everywhere(self):
        region = RegionFactory()
        inner = RegionFactory(parent=region)
        person = grant(give_role(UserFactory(), "customers.view_region"), "access_region", region)
        delete(inner)
        assert self.rows(person, Region) == set()
        assert len(self.rows(give_role(UserFactory(), "customers.view_region", EVERYWHERE), Region)) == 1

    def test_a_part_is_asked_about_its_whole(self):
        kept, gone = ContactFactory(), ContactFactory()
        person = give_role(UserFactory(), "customers.view_customer")
        person = grant(grant(person, "access_region", kept.customer.region), "access_region", gone.customer.region)
        keys = [kept.pk, gone.pk]
        whole = gone.customer
        delete(kept)
        delete(whole)
        other = give_role(UserFactory(), "customers.view_customer")
        for key in keys:
            assert can_deleted(person, "view", deletion_of(Contact, key))
            assert not can_deleted(other, "view", deletion_of(Contact, key))
            assert not can_deleted(person, "add", deletion_of(Contact, key))
        changer = give_role(UserFactory(), "customers.change_customer", EVERYWHERE)
        assert all(can_deleted(changer, "add", deletion_of(Contact, key)) for key in keys)

    def test_a_place_of_a_whole_counts_through_it(self):
        order = OrderFactory()
        person = give_role(UserFactory(), "orders.view_order")
        person = grant(person, "access_region", order.customer.region)
        key = order.pk
        delete(order)
        assert not can_deleted(person, "view", deletion_of(Order, key))
        assert can_deleted(grant(person, "access_warehouse", order.warehouse), "view", deletion_of(Order, key))


class TestGrantTables:
    def test_every_whole_has_them_and_no_part(self):
        for model in (Customer, Region, Order, Warehouse, User):
            assert model.user_grants_model._meta.get_field("content_object").related_model is model
            assert model.group_grants_model._meta.get_field("content_object").related_model is model
        for part in (Contact, OrderLine):
            assert "user_grants_model" not in vars(part)
        assert not hasattr(Role, "user_grants_model")

    def test_a_ledger_has_places_as_others_do(self):
        movement, house = StockMovementFactory(), WarehouseFactory()
        person = grant(give_role(UserFactory(), "inventory.view_stockmovement"), "access_warehouse", house)
        assert not can(person, "view", movement)
        assert can(grant(person, "access_warehouse", movement.warehouse), "view", movement)

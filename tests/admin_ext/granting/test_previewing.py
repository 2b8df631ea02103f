"""A preview says what the decision will say, leaves nothing behind, and says so where it did not count."""

from __future__ import annotations

import random

import pytest
from django.urls import reverse

from admin_ext.access.rights import restrict
from admin_ext.admin.holders import named
from admin_ext.audit.models import AccessEvent, ChangeSet
from admin_ext.granting import previewing
from admin_ext.granting.assigning import set_places, set_roles
from admin_ext.granting.giving import give_place, give_role, give_row, set_role_rights, take_role
from admin_ext.granting.holding import RightNotHeld
from admin_ext.granting.previewing import Difference, PersonPreview, Preview, preview
from admin_ext.services import Refused
from apps.accounts.models import Membership
from apps.customers.models import Customer
from apps.inventory.models import StockLevel
from tests.admin_ext.granting.world import World, hold, let_in, right_named
from tests.apps.inventory.factories import StockLevelFactory
from tests.factories import CustomerFactory, UserFactory, grant
from tests.factories import give_role as with_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def told(found, person=0):
    return {
        (str(d.model._meta.verbose_name_plural), d.action): (d.gained, d.lost) for d in found.people[person].differences
    }


class TestPreview:
    def test_of_a_place_counts_and_names_the_rows_that_come(self, world):
        CustomerFactory.create_batch(6, region=world.nordics)
        found = preview(
            actor=world.lead,
            act=lambda: give_place(actor=world.lead, holder=world.mate, place=world.nordics, reason="x"),
            people=[world.mate.pk],
        )
        assert told(found) == {("customers", "view"): (7, 0)}
        (customers,) = found.people[0].differences
        assert len(customers.gained_samples) == 5 and customers.told == "see customers"
        assert all(row.code.startswith("C-") for row in customers.gained_samples)

    def test_leaves_nothing_behind(self, world):
        before = Membership.objects.count(), ChangeSet.objects.count(), AccessEvent.objects.count()
        preview(
            actor=world.lead,
            act=lambda: give_role(actor=world.lead, user=world.newcomer, role=world.plain, reason="x"),
            people=[world.newcomer.pk],
        )
        assert (Membership.objects.count(), ChangeSet.objects.count(), AccessEvent.objects.count()) == before

    def test_of_rights_tells_of_verbs_too_and_of_what_is_lost(self, world):
        let_in(world.plain, world.nordics)
        found = preview(
            actor=world.lead,
            act=lambda: set_role_rights(
                actor=world.lead, role=world.plain, rights=[right_named("customers.change_customer")], reason="x"
            ),
            people=[world.mate.pk],
        )
        assert told(found) == {("customers", "view"): (0, 1), ("customers", "change"): (1, 0)}

    def test_of_one_row_tells_of_the_verb_on_it(self, world):
        found = preview(
            actor=world.lead,
            act=lambda: give_row(actor=world.lead, row=world.near, holder=world.newcomer, verbs=["change"], reason="x"),
            people=[world.newcomer.pk],
        )
        assert told(found) == {("customers", "change"): (1, 0)}

    def test_names_only_what_the_asker_may_see(self, world):
        """Not even what they would see by the change: nothing was given yet."""
        found = preview(
            actor=world.again(world.root),
            act=lambda: give_place(actor=world.again(world.root), holder=world.mate, place=world.americas, reason="x"),
            people=[world.mate.pk],
        )
        (customers,) = found.people[0].differences
        assert customers.gained == 1 and customers.gained_samples == [world.far]
        found = preview(
            actor=world.mate,
            act=lambda: give_place(actor=world.again(world.root), holder=world.mate, place=world.americas, reason="x"),
            people=[world.mate.pk],
        )
        (customers,) = found.people[0].differences
        assert customers.gained == 1 and customers.gained_samples == []

    def test_what_is_refused_is_refused_in_the_preview(self, world):
        def act():
            return give_role(actor=world.lead, user=world.newcomer, role=world.shipping, reason="x")

        for people in ([world.newcomer.pk], []):
            with pytest.raises(RightNotHeld):
                preview(actor=world.lead, act=act, people=people)

    def test_of_many_people_looks_at_twenty_and_says_so(self, world):
        for person in UserFactory.create_batch(25):
            hold(person, world.plain)
        let_in(world.plain, world.nordics)
        found = preview(
            actor=world.lead,
            act=lambda: set_role_rights(actor=world.lead, role=world.plain, rights=[], reason="x"),
            people=list(Membership.objects.filter(group_id=world.plain.pk).values_list("user_id", flat=True)),
        )
        assert (found.touched, found.looked_at) == (26, 20)
        assert all(told(found, number) == {("customers", "view"): (0, 1)} for number in range(20))

    def test_what_takes_too_long_is_not_counted_and_the_rest_is(self, world, monkeypatch):
        monkeypatch.setattr(previewing, "SECONDS", -1.0)
        found = preview(actor=world.lead, act=lambda: None, people=[world.mate.pk])
        assert found.people == [] and found.touched == 1
        monkeypatch.setattr(previewing, "SECONDS", 20.0)
        slow = previewing._rows

        def rows(user, asked):
            if asked[0] is Customer:
                return slow(user, asked).extra(where=["pg_sleep(0.2) IS NOT NULL"])
            return slow(user, asked)

        monkeypatch.setattr(previewing, "_rows", rows)
        monkeypatch.setattr(previewing, "MILLISECONDS", 50)
        let_in(world.plain, world.nordics)
        found = preview(
            actor=world.lead,
            act=lambda: take_role(actor=world.lead, user=world.mate, role=world.plain, reason="x"),
            people=[world.mate.pk],
        )
        assert told(found) == {("customers", "view"): (None, None)}

    def test_too_many_rows_are_told_by_their_sum(self, world, monkeypatch):
        monkeypatch.setattr(previewing, "COMPARED", 3)
        CustomerFactory.create_batch(6, region=world.nordics)
        found = preview(
            actor=world.lead,
            act=lambda: give_place(actor=world.lead, holder=world.mate, place=world.nordics, reason="x"),
            people=[world.mate.pk],
        )
        (customers,) = found.people[0].differences
        assert (customers.gained, customers.lost, customers.is_net) == (7, 0, True)


def test_samples_are_called_only_what_their_reader_may_know():
    """A level of stock is called by its product, which is seen with a right of its own."""
    level = StockLevelFactory()
    rights = ("inventory.view_stocklevel", "inventory.view_warehouse", "inventory.access_all_warehouse")
    found = Preview([PersonPreview(None, [Difference(StockLevel, "view", 1, 1, [level], [level])])], 1)
    for reader, told in (
        (with_role(UserFactory(), *rights), False),
        (with_role(UserFactory(), *rights, "catalogue.view_product"), True),
    ):
        (difference,) = named(found, reader).people[0].differences
        for called in (*difference.gained_samples, *difference.lost_samples):
            assert level.warehouse.name in called
            assert (level.product.name in called) == told


def test_a_preview_is_what_then_happens(world):
    """For random changes: what was foretold is what `restrict` says afterwards."""
    chance = random.Random(4)
    places = [world.nordics, world.sweden, world.americas, world.europe, world.island]
    for region in places:
        CustomerFactory.create_batch(chance.randint(0, 4), region=region)
    root, person = world.again(world.root), world.newcomer
    every = [world.plain, world.shipping, world.abroad, world.everywhere]
    agreed = 0
    for _ in range(25):
        roles = chance.sample(every, chance.randint(0, 2))
        chosen = chance.sample(places, chance.randint(0, 2))

        def act(roles=roles, chosen=chosen):
            set_roles(actor=root, user=person, roles=roles, among=every, reason="x")
            set_places(actor=root, holder=person, places=chosen, among=places, reason="x")

        def sees():
            rows = restrict(Customer.objects.all(), world.again(person), "view")
            return set(rows.values_list("pk", flat=True))

        foretold = told(preview(actor=root, act=act, people=[person.pk])).get(("customers", "view"), (0, 0))
        before = sees()
        act()
        after = sees()
        assert foretold == (len(after - before), len(before - after))
        agreed += foretold != (0, 0)
    assert agreed >= 8


class TestPages:
    def test_a_preview_is_shown_and_nothing_saved(self, world, client):
        client.force_login(world.again())
        address = reverse("admin:accounts_user_places", args=[world.mate.pk])
        data = {"_preview": "1", "roles": [world.plain.pk], "places_region": ["region:NORDICS"]}
        shown = client.post(address, data)
        assert "What this would do" in shown.text and "C-NEAR" in shown.text and "+1" in shown.text
        assert not restrict(Customer.objects.all(), world.again(world.mate), "view").exists()
        assert "checked" in shown.text  # what was ticked stays ticked
        saved = client.post(address, {**data, "_save": "1", "_preview": []} | {"reason": "Joins us"})
        assert saved.status_code == 302
        assert restrict(Customer.objects.all(), world.again(world.mate), "view").get() == world.near

    def test_a_refusal_is_told_by_the_preview(self, world, client):
        client.force_login(world.again())
        address = reverse("admin:accounts_user_places", args=[world.newcomer.pk])
        shown = client.post(address, {"_preview": "1", "roles": [world.shipping.pk]})
        assert "Can ship orders" in shown.text and "What this would do" not in shown.text

    def test_saving_without_a_reason_is_refused(self, world, client):
        client.force_login(world.again())
        address = reverse("admin:accounts_user_places", args=[world.newcomer.pk])
        shown = client.post(address, {"_save": "1", "roles": [world.plain.pk]})
        assert shown.status_code == 200 and "This field is required" in shown.text
        assert not world.newcomer.groups.exists()


def test_grants_of_others_do_not_show(world):
    """What one person has besides is not told as gained."""
    mate = grant(world.mate, "view", world.far)
    found = preview(
        actor=world.again(world.root),
        act=lambda: give_place(actor=world.again(world.root), holder=mate, place=world.americas, reason="x"),
        people=[mate.pk],
    )
    assert told(found) == {}
    with pytest.raises(Refused):
        preview(
            actor=world.lead,
            act=lambda: give_place(actor=world.lead, holder=mate, place=world.americas, reason="x"),
            people=[mate.pk],
        )

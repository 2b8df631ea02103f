"""What is given is held, on the record, in the ledger of reads; what is refused says why."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Access, AccessEvent, ChangeSet
from admin_ext.desk.lives import life_of
from admin_ext.granting.assigning import assign, copy_rights, set_places
from admin_ext.granting.entering import ENTER, entrants
from admin_ext.granting.giving import (
    PlaceNotKnown,
    VerbNotKnown,
    give_place,
    give_role,
    give_row,
    make_role,
    set_role_rights,
    take_place,
    take_role,
    take_row,
    verbs_on,
)
from admin_ext.granting.holding import PersonAboveYou, PersonIsYourself, PlaceNotHeld, RightNotHeld, RowNotHeld
from admin_ext.services import ReasonMissing
from apps.accounts.models import Membership, Role, User
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.admin_ext.granting.world import World, hold, right_named, role
from tests.factories import UserFactory, grant
from tests.factories import give_role as with_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


class TestRoles:
    def test_giving_and_taking_one_is_an_act_with_its_reason_and_in_the_ledger(self, world):
        give_role(actor=world.lead, user=world.newcomer, role=world.plain, reason="Joins us")
        act = ChangeSet.objects.get(verb="granting.give_role")
        assert (act.actor, act.reason) == (world.lead, "Joins us")
        assert Membership.history.get(change_set_id=act.pk).user_id == world.newcomer.pk
        event = AccessEvent.objects.get(kind=Access.RIGHTS)
        assert (event.object_id, event.subject, event.reason) == (world.newcomer.pk, "Role Plain given", "Joins us")
        assert take_role(actor=world.lead, user=world.newcomer, role=world.plain, reason="Left us")
        assert not take_role(actor=world.lead, user=world.newcomer, role=world.plain, reason="Left us")

    def test_without_a_reason_nothing_is_given(self, world):
        with pytest.raises(ReasonMissing):
            give_role(actor=world.lead, user=world.newcomer, role=world.plain, reason=" ")

    @pytest.mark.parametrize(
        ("user", "given", "fact", "said"),
        [
            ("newcomer", "shipping", RightNotHeld, "Can ship orders"),
            ("newcomer", "abroad", RightNotHeld, "places among the regions"),
            ("newcomer", "single", RightNotHeld, "view of single customers"),
            ("newcomer", "everywhere", RightNotHeld, "Can work in every region"),
            ("lead", "plain", PersonIsYourself, "your own rights"),
            ("root", "plain", PersonAboveYou, "superuser"),
            ("boss", "plain", PersonAboveYou, "Can ship orders"),
            ("traveller", "plain", PersonAboveYou, "places among the regions"),
        ],
    )
    def test_a_refusal_is_a_fact_that_says_what_is_missing(self, world, user, given, fact, said):
        with pytest.raises(fact, match=said):
            give_role(actor=world.lead, user=getattr(world, user), role=getattr(world, given), reason="Why not")

    def test_without_the_right_to_grant_nothing_is_given(self, world):
        with pytest.raises(NotPermitted):
            give_role(actor=world.mate, user=world.newcomer, role=world.plain, reason="Why not")

    def test_rights_over_the_business_may_be_held_in_trust(self, world):
        trusted = with_role(
            UserFactory(), "accounts.grant_user", "accounts.entrust_role", "accounts.view_role", "accounts.view_user"
        )
        give_role(actor=trusted, user=world.newcomer, role=world.shipping, reason="Ships now")
        for beyond in (world.powers, world.everywhere, world.trust, world.abroad):
            if beyond is world.trust:
                continue  # that one they hold
            with pytest.raises(RightNotHeld):
                give_role(actor=trusted, user=world.newcomer, role=beyond, reason="Ships now")

    def test_a_role_s_rights_are_set_as_far_as_they_are_held(self, world):
        wanted = [right_named("customers.view_customer"), right_named("customers.change_customer")]
        set_role_rights(actor=world.lead, role=world.plain, rights=wanted, reason="They correct addresses")
        assert set(world.plain.permissions.all()) == set(wanted)
        assert AccessEvent.objects.get(kind=Access.RIGHTS).detail == {
            "given": ["customers.change_customer"], "taken": [],
        }  # fmt: skip
        with pytest.raises(RightNotHeld, match="ship orders"):
            set_role_rights(
                actor=world.lead, role=world.plain, rights=[*wanted, right_named("orders.ship_order")], reason="x"
            )

    def test_a_role_used_by_somebody_above_is_not_for_one_to_change(self, world):
        with pytest.raises(PersonAboveYou, match="Used abroad"):
            set_role_rights(actor=world.lead, role=world.used_abroad, rights=[], reason="x")

    def test_a_new_role_needs_the_right_to_add_roles(self, world):
        assert make_role(actor=world.lead, name="Fresh", reason="New work").name == "Fresh"
        with pytest.raises(NotPermitted):
            make_role(actor=world.mate, name="Other", reason="New work")


class TestPlaces:
    @pytest.mark.parametrize("holder", ["mate", "plain"])
    def test_a_person_and_the_holders_of_a_role_are_let_in(self, world, holder):
        assert not can(world.again(world.mate), "view", world.near)
        given = getattr(world, holder)
        assert give_place(actor=world.lead, holder=given, place="region:NORDICS", reason="Joins us")
        assert not give_place(actor=world.lead, holder=given, place=world.nordics, reason="Joins us")
        assert can(world.again(world.mate), "view", world.near)
        assert take_place(actor=world.lead, holder=given, place=world.nordics, reason="Moves on")
        assert not can(world.again(world.mate), "view", world.near)

    def test_a_refusal_is_a_fact(self, world):
        lead, mate = world.lead, world.mate
        for place in ("region:EUROPE", "region:AMERICAS", "planet:MARS"):
            with pytest.raises(PlaceNotKnown):  # where one sees nothing, nothing is told
                give_place(actor=lead, holder=mate, place=place, reason="x")
        with pytest.raises(PlaceNotHeld, match="Europe"):
            give_place(actor=lead, holder=mate, place=world.europe, reason="x")
        with pytest.raises(PersonIsYourself, match="role Leads"):
            give_place(actor=lead, holder=world.own, place=world.nordics, reason="x")

    def test_grants_on_the_place_are_the_right_that_it_takes(self, world):
        person = with_role(UserFactory(), "accounts.grant_user", "accounts.view_user", "customers.view_region")
        person = grant(person, "access_region", world.nordics)
        with pytest.raises(NotPermitted, match="give grants"):
            give_place(actor=person, holder=world.newcomer, place=world.nordics, reason="x")

    def test_exactly_the_places_that_were_asked_about_are_set(self, world):
        give_place(actor=world.lead, holder=world.mate, place=world.sweden, reason="x")
        asked = [world.sweden, world.nordics]
        outcomes = set_places(actor=world.lead, holder=world.mate, places=[world.nordics], among=asked, reason="x")
        assert [(each.what, each.state) for each in outcomes] == [
            ("region Sweden", "taken"),
            ("region Nordics", "given"),
        ]


class TestRows:
    def test_a_verb_on_one_row_is_given_and_taken_back(self, world):
        given = give_row(actor=world.lead, row=world.near, holder=world.newcomer, verbs=["view", "change"], reason="x")
        assert given == ["view", "change"]
        assert can(world.again(world.newcomer), "change", world.near)
        assert take_row(actor=world.lead, row=world.near, holder=world.newcomer, verbs=["change"], reason="x") == [
            "change"
        ]
        assert not can(world.again(world.newcomer), "change", world.near)
        assert can(world.again(world.newcomer), "view", world.near)

    def test_a_role_s_holders_get_it_too(self, world):
        give_row(actor=world.lead, row=world.near, holder=world.plain, verbs=["view"], reason="x")
        assert can(world.again(world.mate), "view", world.near)

    def test_a_verb_that_one_may_not_use_on_the_row_is_not_given(self, world):
        with pytest.raises(RowNotHeld, match="may not export it yourself"):
            give_row(actor=world.lead, row=world.near, holder=world.mate, verbs=["export"], reason="x")
        with pytest.raises(VerbNotKnown):
            give_row(actor=world.lead, row=world.nordics, holder=world.mate, verbs=["access_all"], reason="x")

    def test_trust_is_not_enough_on_a_row(self, world):
        trusted = with_role(
            UserFactory(), "accounts.entrust_role", "customers.grant_customer", "customers.access_all_region"
        )
        with pytest.raises(RowNotHeld):
            give_row(actor=trusted, row=world.near, holder=world.mate, verbs=["view"], reason="x")

    def test_verbs_are_the_model_s_own(self):
        verbs = [verb for verb, _ in verbs_on(Order)]
        assert verbs[0] == "view" and {"ship", "grant"} <= set(verbs)
        assert not {"add", "import", "handover"} & set(verbs)


class TestMany:
    def test_everybody_gets_an_answer_in_one_act(self, world):
        outcomes = assign(
            actor=world.lead, people=[world.newcomer, world.boss], roles=[world.plain, world.shipping],
            places=[world.nordics], reason="A new team",
        )  # fmt: skip
        assert [(str(o.holder), o.what, o.state) for o in outcomes] == [
            ("newcomer", "role Plain", "given"), ("newcomer", "role Shipping", "refused"),
            ("newcomer", "region Nordics", "given"), ("boss", "role Plain", "refused"),
            ("boss", "role Shipping", "refused"), ("boss", "region Nordics", "refused"),
        ]  # fmt: skip
        assert ChangeSet.objects.filter(verb__startswith="granting.").count() == 1
        assert all(outcome.why for outcome in outcomes if outcome.state == "refused")
        assert AccessEvent.objects.filter(kind=Access.RIGHTS).count() == 2

    def test_a_colleague_is_copied_as_far_as_one_may(self, world):
        hold(world.mate, world.shipping)
        mate = grant(grant(world.mate, "access_region", world.sweden), "change", world.near)
        lead = world.lead
        boss_like = copy_rights(actor=lead, user=world.newcomer, source=mate, reason="Takes over")
        assert {(o.what, o.state) for o in boss_like} == {
            ("role Plain", "given"), ("role Shipping", "refused"), ("region Sweden", "given"),
            ("change on customer C-NEAR " + world.near.name, "given"),
        }  # fmt: skip
        assert can(world.again(world.newcomer), "change", world.near)

    def test_what_one_cannot_see_of_a_colleague_is_not_told(self, world):
        outcomes = copy_rights(actor=world.lead, user=world.newcomer, source=world.guest, reason="x")
        assert outcomes == []


def test_the_page_of_a_person_tells_of_roles_places_and_rows(world):
    give_role(actor=world.lead, user=world.newcomer, role=world.plain, reason="First")
    give_place(actor=world.lead, holder=world.newcomer, place=world.nordics, reason="Second")
    give_row(actor=world.lead, row=world.near, holder=world.newcomer, verbs=["view"], reason="Third")
    entries, _ = life_of(User, world.newcomer.pk, user=world.again(world.root))
    told = [row.recorded.model._meta.model_name for entry in entries for row in entry.rows]
    assert told == ["customerusergrant", "regionusergrant", "membership", "user"]


def test_the_page_of_a_role_tells_of_its_rights_and_places(world):
    made = role("Fresh")
    set_role_rights(actor=world.lead, role=made, rights=[right_named("customers.view_customer")], reason="First")
    give_place(actor=world.lead, holder=made, place=world.nordics, reason="Second")
    entries, _ = life_of(Role, made.pk, user=world.again(world.root))
    told = {row.recorded.model._meta.model_name for entry in entries for row in entry.rows}
    assert {"regiongroupgrant", "rolepermission"} <= told


def test_who_may_get_in_names_whom_one_may_see(world):
    give_place(actor=world.lead, holder=world.plain, place=world.nordics, reason="x")
    give_row(actor=world.lead, row=world.sweden, holder=world.mate, verbs=["change"], reason="x")
    found = {
        (e.kind, e.name, tuple(e.verbs), str(e.through or "")) for e in entrants(world.sweden, seen_by=world.again())
    }
    assert found == {
        ("person", "mate", ("change",), ""),
        ("role", "Plain", (ENTER,), "Nordics"),
        ("person", "lead", (ENTER,), "Nordics"),
    }
    unseen = with_role(UserFactory(), "customers.view_region")
    assert "mate" not in {e.name for e in entrants(world.sweden, seen_by=unseen)}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("accounts_user_places", "newcomer"), ("accounts_role_places", "plain"), ("accounts_role_rights", "plain"),
        ("customers_customer_entries", "near"), ("customers_region_entries", "sweden"),
    ],
)  # fmt: skip
class TestPages:
    def test_open_for_who_may_grant_and_for_nobody_else(self, world, client, name, key):
        address = reverse(f"admin:{name}", args=[getattr(world, key).pk])
        client.force_login(world.again())
        shown = client.get(address)
        assert shown.status_code == 200 and "Show what would change" in shown.text
        client.force_login(with_role(UserFactory(), "accounts.view_user", "accounts.view_role", "customers.view_customer",
                                     "customers.view_region", "customers.access_all_region"))  # fmt: skip
        assert client.get(address).status_code == 403

    def test_the_way_there_is_offered_to_who_may_grant_alone(self, world, client, name, key):
        app, model, _ = name.split("_")
        row, address = getattr(world, key), reverse(f"admin:{name}", args=[getattr(world, key).pk])
        page = reverse(f"admin:{app}_{model}_change", args=[row.pk])
        client.force_login(world.again())
        assert address in client.get(page).text
        client.force_login(with_role(UserFactory(), "accounts.view_user", "accounts.view_role", "customers.view_customer",
                                     "customers.view_region", "customers.access_all_region"))  # fmt: skip
        assert address not in client.get(page).text


def test_what_may_not_be_handed_on_is_closed_and_says_why(world, client):
    client.force_login(world.again())
    shown = client.get(reverse("admin:accounts_user_places", args=[world.newcomer.pk])).text
    assert "The role Shipping gives more than you may hand on: “Can ship orders”." in shown.replace("&#x27;", "'")
    own = client.get(reverse("admin:accounts_user_places", args=[world.lead.pk])).text
    assert "Ask another administrator." in own and 'name="_save"' not in own


def test_a_role_that_is_deleted_in_a_form_asks_why(world, client):
    client.force_login(world.again())
    address = reverse("admin:accounts_role_delete", args=[world.plain.pk])
    client.post(address, {"post": "yes"})
    assert Role.objects.filter(pk=world.plain.pk).exists()
    client.post(address, {"post": "yes", "_reason": "Nobody needs it"})
    assert not Role.objects.filter(pk=world.plain.pk).exists()
    assert Customer.objects.filter(pk=world.near.pk).exists()


def test_people_ticked_in_the_list_are_given_together(world, client):
    client.force_login(world.again())
    listed = reverse("admin:accounts_user_changelist")
    assert "Give roles and places" in client.get(listed).text
    keys = [world.newcomer.pk, world.boss.pk]
    page = client.post(listed, {"action": "assign", "_selected_action": keys}, follow=True)
    assert "Give roles and places: 2 people" in page.text
    said = {"_ticked": "1", "selection": page.context["selection"], "roles": [world.plain.pk]}
    preview = client.post(reverse("admin:accounts_user_assign"), said | {"_preview": "1"})
    assert "It touches 2" not in preview.text and not world.newcomer.groups.exists()
    done = client.post(reverse("admin:accounts_user_assign"), said | {"_save": "1", "reason": "A new team"})
    assert "given" in done.text and "may do more than you" in done.text
    assert world.newcomer.groups.get().pk == world.plain.pk
    assert ChangeSet.objects.get(verb="accounts.assign").reason == "A new team"

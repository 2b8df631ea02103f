"""Breaking the glass: one more role for one session, for a while, with everybody watching."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.fields import fields
from admin_ext.access.models import FieldPolicy
from admin_ext.access.rights import can, restrict
from admin_ext.access.roles import elevate
from admin_ext.audit.context import change_set
from admin_ext.audit.models import AccessEvent
from admin_ext.desk.models import Case
from admin_ext.granting.elevating import KEY, NotForEmergencies, break_glass, set_emergency_roles
from admin_ext.granting.holding import RightNotHeld
from admin_ext.granting.models import Elevation, EmergencyRole
from admin_ext.notices.models import Notice
from apps.accounts.models import Membership, User
from apps.customers.models import Customer
from tests.factories import CustomerFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def role_with(*rights):
    return give_role(UserFactory(), *rights).groups.get()


@pytest.fixture
def emergency(db):
    role = role_with("customers.view_customer", "customers.change_customer", "customers.access_all_region")
    with change_set(actor=None, door="shell", reason="For emergencies"):
        EmergencyRole.objects.create(role=role)
    return role


@pytest.fixture
def person(db):
    user = give_role(UserFactory(first_name="Ann"), "granting.break_glass")
    with change_set(actor=None, door="shell", reason="Password"):
        user.set_password(PASSWORD)
        user.save()
    return user


@pytest.fixture
def smash(client):
    def go(person, role, *, password=PASSWORD, reason="The warehouse burns", minutes=20):
        client.force_login(person)
        said = {"role": role.pk, "reason": reason, "password": password, "minutes": minutes}
        return client.post(reverse("admin:access_glass"), said)

    return go


@pytest.fixture
def elevated(smash, person, emergency):
    assert smash(person, emergency).status_code == 302
    return Elevation.objects.get()


def fresh(person):
    return User.objects.get(pk=person.pk)


class TestTheRole:
    def test_gives_what_it_gives_to_the_pages(self, client, elevated):
        customer = CustomerFactory()
        page = client.get(f"/customers/customer/{customer.pk}/change/")
        assert page.status_code == 200
        assert "Elevated session" in page.text

    def test_reaches_decisions_lists_and_fields_of_that_user_object_alone(self, person, emergency):
        customer = CustomerFactory()
        one, other = fresh(person), fresh(person)
        assert not can(one, "change", customer)  # asked before, and not remembered
        elevate(one, emergency.pk)
        assert can(one, "change", customer)
        assert customer in restrict(Customer.objects.all(), one)
        assert "name" in fields(one, "change", Customer).writable
        assert not can(other, "change", customer)

    def test_meets_fields_as_its_policies_say(self, person, emergency):
        with change_set(actor=None, door="shell", reason="Policy"):
            FieldPolicy.objects.create(role=role_with(), model="customers.Customer", field="fax", kind="hidden")
        one = fresh(person)
        assert "fax" in fields(one, "view", Customer).hidden
        elevate(one, emergency.pk)
        assert "fax" in fields(one, "view", Customer).visible

    def test_changes_are_the_persons_own(self, client, elevated, person):
        customer = CustomerFactory()
        page = client.get(f"/customers/customer/{customer.pk}/change/")
        form = page.context["adminform"].form
        said = {name: "" if value is None else value for name, value in form.initial.items()}
        for formset in page.context["inline_admin_formsets"]:
            said |= {f"{formset.formset.prefix}-{n}_FORMS": 0 for n in ("TOTAL", "INITIAL")}
        said |= {"name": "Renamed", "region": customer.region_id}
        assert client.post(f"/customers/customer/{customer.pk}/change/", said).status_code == 302
        assert Customer.history.filter(id=customer.pk).first().history_user_id == person.pk

    def test_is_lent_to_a_session_of_a_new_key(self, client, smash, person, emergency):
        client.force_login(person)
        before = client.cookies["sessionid"].value
        said = {"role": emergency.pk, "reason": "Fire", "password": PASSWORD, "minutes": 5}
        client.post(reverse("admin:access_glass"), said)
        assert client.cookies["sessionid"].value != before
        assert KEY in client.session

    def test_stays_in_its_session(self, client, elevated, person):
        other = Client()
        other.force_login(person)
        assert other.get("/customers/customer/").status_code == 403
        assert client.get("/customers/customer/").status_code == 200


class TestTheEnd:
    def gone(self, client):
        answer = client.get("/customers/customer/")
        return answer.status_code == 403 and KEY not in client.session

    def test_on_demand(self, client, elevated):
        assert client.post(reverse("admin:access_glass_end")).status_code == 302
        assert self.gone(client)
        assert Elevation.objects.get().ended_at is not None

    def test_by_itself(self, client, elevated):
        with change_set(actor=None, door="shell", reason="Time passes"):
            past = timezone.now() - timedelta(hours=1)
            Elevation.objects.update(started_at=past, ends_at=past + timedelta(minutes=1))
        assert self.gone(client)

    def test_when_the_role_is_no_longer_for_emergencies(self, client, elevated):
        with change_set(actor=None, door="shell", reason="No longer"):
            EmergencyRole.objects.all().delete()
        assert self.gone(client)

    def test_when_the_person_may_no_longer(self, client, elevated, person):
        with change_set(actor=None, door="shell", reason="Taken"):
            Membership.objects.filter(user=person).delete()
        assert self.gone(client)

    def test_lasts_an_hour_at_most_whatever_the_settings_say(self, settings, person, emergency):
        settings.ELEVATION_MINUTES = 600
        made = break_glass(actor=person, role=emergency, reason="Fire", session={}, minutes=500)
        assert made.ends_at - made.started_at == timedelta(minutes=60)


class TestWhoMayNot:
    def test_without_the_right(self, smash, emergency):
        person = UserFactory()
        assert smash(person, emergency).status_code == 403

    @pytest.mark.parametrize(
        "said", [{"password": "wrong"}, {"reason": " "}, {"minutes": 31}, {"minutes": 0}, {"minutes": ""}]
    )
    def test_without_what_is_asked(self, client, smash, person, emergency, said):
        assert smash(person, emergency, **said).status_code == 200
        assert KEY not in client.session
        assert not Elevation.objects.exists()

    def test_a_role_that_is_not_for_emergencies(self, client, smash, person, emergency):
        assert smash(person, role_with("accounts.grant_role")).status_code == 200
        assert KEY not in client.session
        with pytest.raises(NotForEmergencies):
            break_glass(actor=person, role=role_with("accounts.grant_role"), reason="Fire", session={})

    def test_nobody_puts_up_a_role_beyond_their_own(self):
        actor = give_role(UserFactory(), "granting.grant_emergencyrole")
        with pytest.raises(RightNotHeld):
            set_emergency_roles(actor=actor, roles=[role_with("accounts.grant_role")], reason="Mine")
        mine = actor.groups.get()
        set_emergency_roles(actor=actor, roles=[mine], reason="What I hold")
        assert [each.role for each in EmergencyRole.objects.all()] == [mine]

    def test_the_page_of_emergency_roles(self, client):
        client.force_login(UserFactory())
        assert client.get(reverse("admin:granting_elevation_roles")).status_code == 403
        actor = give_role(UserFactory(), "granting.grant_emergencyrole", "granting.view_elevation")
        client.force_login(actor)
        said = {"roles": [actor.groups.get().pk], "reason": "What I hold"}
        assert client.post(reverse("admin:granting_elevation_roles"), said).status_code == 302
        assert EmergencyRole.objects.count() == 1


class TestTheRecord:
    def test_every_request_is_noted_before_it_is_answered(self, client, elevated, person):
        client.get("/customers/customer/")
        client.post("/nowhere/")
        noted = AccessEvent.objects.filter(kind="elevation").order_by("id")
        assert [event.subject for event in noted] == ["Broke the glass", "/customers/customer/", "/nowhere/"]
        assert {event.actor_id for event in noted} == {person.pk}
        assert noted[2].detail == {"elevation": elevated.pk, "role": elevated.role.name, "method": "POST"}
        assert noted[0].reason == "The warehouse burns"

    def test_nothing_is_done_where_it_cannot_be_noted(self, client, elevated, monkeypatch):
        from admin_ext.audit.access_log import NotNoted
        from admin_ext.granting import elevating

        def fail(*args, **kwargs):
            raise NotNoted("The ledger is out of order.")

        monkeypatch.setattr(elevating, "note_access", fail)
        answer = client.get("/customers/customer/")
        assert answer.status_code == 503

    def test_it_waits_for_a_review_and_rings_the_other_administrators(self, smash, person, emergency):
        administrator = give_role(UserFactory(), "accounts.grant_user")
        smash(person, emergency)
        act = Elevation.history.get().change_set
        assert Case.objects.filter(act=act, review=None).exists()
        (notice,) = Notice.objects.all()
        assert notice.recipient == administrator
        assert "Ann broke the glass" in notice.text
        assert "The warehouse burns" in notice.text

"""Looking at the product as somebody else: to look only, for a while, within what one may oneself, recorded as both."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import LookingOnly, Origin, change_set, origin
from admin_ext.audit.models import Access, AccessEvent, ChangeSet
from admin_ext.granting.impersonating import KEY
from admin_ext.jobs.models import Job
from apps.accounts.models import Membership, User
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
OVER_CUSTOMERS = ("customers.view_customer", "customers.change_customer", "customers.export_customer")


@pytest.fixture
def region(db):
    return RegionFactory(name="Nordics")


@pytest.fixture
def person(region):
    return grant(give_role(UserFactory(first_name="Olga"), *OVER_CUSTOMERS), "access_region", region)


@pytest.fixture
def administrator(region):
    rights = ("accounts.impersonate_user", "accounts.view_user", "accounts.grant_user", "customers.access_all_region")
    return give_role(UserFactory(first_name="Adam"), *rights, *OVER_CUSTOMERS)


@pytest.fixture
def look(client):
    def begin(actor, person, reason="Ticket 12"):
        client.force_login(actor)
        return client.post(reverse("admin:access_impersonate", args=[person.pk]), {"reason": reason})

    return begin


@pytest.fixture
def looking(look, administrator, person):
    assert look(administrator, person).status_code == 302


class TestLooking:
    def test_shows_what_the_other_sees_under_a_banner(self, client, looking, region):
        inside, outside = CustomerFactory(region=region, name="Inside Ltd"), CustomerFactory(name="Outside Ltd")
        page = client.get("/customers/customer/").text
        assert inside.name in page
        assert outside.name not in page
        assert "You look at the product as <strong>Olga" in page

    def test_every_page_has_the_banner(self, client, looking, region):
        customer = CustomerFactory(region=region)
        pages = ["/", f"/customers/customer/{customer.pk}/change/", f"/customers/customer/{customer.pk}/history/"]
        for page in [*pages, "/accounts/role/", "/nowhere/"]:
            assert "ops-banner" in client.get(page).text, page

    def test_ends_with_stop(self, client, looking):
        assert client.post(reverse("admin:access_impersonate_end")).status_code == 302
        page = client.get("/").text
        assert "ops-banner" not in page
        assert KEY not in client.session

    def test_ends_by_itself(self, client, looking):
        session = client.session
        session[KEY] = {**session[KEY], "until": (timezone.now() - timedelta(seconds=1)).isoformat()}
        session.save()
        assert "ops-banner" not in client.get("/").text
        assert AccessEvent.objects.filter(kind="impersonate").first().detail == {"why": "its time was over"}

    def test_lasts_as_long_as_the_setting_says(self, client, looking):
        until = timezone.datetime.fromisoformat(client.session[KEY]["until"])
        assert until - timezone.now() <= timedelta(minutes=settings.IMPERSONATION_MINUTES)
        assert settings.IMPERSONATION_MINUTES == 30

    @pytest.mark.parametrize("lost", ["the right", "the account", "more than one may"])
    def test_ends_when_it_is_no_longer_allowed(self, client, looking, administrator, person, lost):
        with change_set(actor=None, door="shell", reason="Lost"):
            if lost == "the right":
                Membership.objects.filter(user=administrator).delete()
            elif lost == "the account":
                User.objects.filter(pk=person.pk).update(is_active=False)
        if lost == "more than one may":
            give_role(person, "accounts.change_user")
        assert "ops-banner" not in client.get("/").text


class TestNothingIsChangedOrTakenOut:
    def test_every_unsafe_request_is_refused(self, client, looking, region, person):
        customer = CustomerFactory(region=region, name="Before")
        acts, jobs = ChangeSet.objects.count(), Job.objects.count()
        for address, data in (
            (f"/customers/customer/{customer.pk}/change/", {"name": "After"}),
            ("/customers/customer/export/", {"format": "csv"}),
            (reverse("admin:logout"), {}),
            (reverse("admin:access_glass"), {}),
            (reverse("admin:access_impersonate", args=[customer.pk]), {"reason": "Again"}),
        ):
            for method in (client.post, client.put, client.delete, client.patch):
                assert method(address, data).status_code == 403, address
        assert (ChangeSet.objects.count(), Job.objects.count()) == (acts, jobs)
        assert AccessEvent.objects.filter(kind="denied", acting_as=person, detail__method="POST").exists()

    def test_what_is_sent_when_the_time_is_over_is_not_done_as_oneself(self, client, looking, region, administrator):
        customer = CustomerFactory(region=region, name="Before")
        assert "name" in client.get(f"/customers/customer/{customer.pk}/change/").text
        session = client.session
        session[KEY] = {**session[KEY], "until": (timezone.now() - timedelta(seconds=1)).isoformat()}
        session.save()
        answer = client.post(f"/customers/customer/{customer.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 403
        assert "Nothing was done" in answer.text
        assert KEY not in client.session

    def test_the_record_itself_refuses_a_write_that_got_past_the_middleware(self, administrator, person):
        token = origin.set(Origin(request_id=None, address=None, impersonator=administrator, impersonated=person))
        try:
            for actor in (administrator, person, None):
                with pytest.raises(LookingOnly), change_set(actor=actor, door="form"):
                    pass
            for kind in (Access.EXPORT, Access.DOWNLOAD, Access.EVIDENCE, Access.REVEAL):
                with pytest.raises(LookingOnly):
                    note_access(kind, actor=person)
        finally:
            origin.reset(token)

    def test_a_file_that_is_fetched_by_get_is_refused_with_a_page(self, client, looking, person):
        from django.core.files.base import ContentFile

        from admin_ext.jobs.services import store_file
        from tests.factories import JobFactory

        job = JobFactory(requested_by=person)
        file = store_file(actor=person, source=ContentFile(b"secret"), name="x.csv", kind="output", job=job)
        answer = client.get(reverse("admin:jobs_jobfile_download", args=[file.pk]))
        assert answer.status_code == 403
        assert "nothing can be changed or taken out" in answer.text


class TestWhoMayNot:
    def refused(self, answer):
        return answer.status_code == 403 or (answer.status_code == 200 and "ops-banner" not in answer.text)

    def test_without_the_right(self, look, client, person):
        assert look(give_role(UserFactory(), "accounts.view_user"), person).status_code == 403

    def test_without_a_reason(self, look, client, administrator, person):
        assert look(administrator, person, reason=" ").status_code == 200
        assert KEY not in client.session

    @pytest.mark.parametrize(
        "case", ["superuser", "more rights", "more places", "oneself", "closed", "a right over people"]
    )
    def test_as_whom_not(self, look, client, region, person, case):
        actor = give_role(UserFactory(), "accounts.impersonate_user", *OVER_CUSTOMERS)
        actor = grant(actor, "access_region", region)
        whom = person
        if case == "superuser":
            whom = UserFactory(is_superuser=True)
        elif case == "more rights":
            whom = give_role(person, "customers.delete_customer")
        elif case == "more places":
            whom = grant(person, "access_region", RegionFactory())
        elif case == "a right over people":
            whom = give_role(person, "accounts.change_user")
        elif case == "oneself":
            whom = actor
        elif case == "closed":
            whom = UserFactory(is_active=False)
        assert self.refused(look(actor, whom))
        assert KEY not in client.session

    def test_a_superuser_looks_as_no_other_superuser(self, look, client):
        assert self.refused(look(UserFactory(is_superuser=True), UserFactory(is_superuser=True)))
        assert KEY not in client.session

    def test_the_control_of_the_above(self, look, client, region, person):
        actor = give_role(UserFactory(), "accounts.impersonate_user", *OVER_CUSTOMERS)
        assert look(grant(actor, "access_region", region), person).status_code == 302
        assert KEY in client.session


class TestTheRecord:
    def test_names_both_at_start_stop_and_for_everything_between(self, client, looking, administrator, person):
        client.get(f"/accounts/user/{person.pk}/change/")
        client.get("/accounts/role/")
        client.post(reverse("admin:access_impersonate_end"))
        noted = AccessEvent.objects.filter(acting_as=person).order_by("id")
        assert {event.actor_id for event in noted} == {administrator.pk}
        kinds = [event.kind for event in noted]
        assert (kinds[0], kinds[-1]) == ("impersonate", "impersonate")
        assert "denied" in kinds
        assert noted[0].reason == "Ticket 12"
        assert not AccessEvent.objects.filter(actor=person).exists()

    def test_is_told_on_the_page_of_the_ledger(self, client, looking, administrator, person):
        client.post(reverse("admin:access_impersonate_end"))
        event = AccessEvent.objects.filter(kind="impersonate").last()
        assert "looking as Olga" in client.get(f"/audit/accessevent/{event.pk}/change/").text

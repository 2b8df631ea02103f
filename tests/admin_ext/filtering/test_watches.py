"""Who watches a view hears what happened in it: once, within their rights of the moment, and nothing when nothing did."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.views import save_view
from admin_ext.filtering.watches import WatchNotUsable, watch_view
from admin_ext.jobs.models import DueTime, Job, Schedule
from admin_ext.jobs.running import run_job
from admin_ext.jobs.schedules import dispatch_schedules
from admin_ext.notices.models import Notice
from apps.accounts.models import Membership
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga():
    person = person_for(Customer)
    with change_set(actor=None, door="shell"):
        type(person).objects.filter(pk=person.pk).update(email="olga@example.org")
    return type(person).objects.get(pk=person.pk)


@pytest.fixture
def lund(olga):
    state = ListState(filters={"city": ["Lund"]})
    return save_view(
        actor=olga, model=Customer, state=state, columns=["code"], sortable=["code"], name="In Lund", view=None
    )


def watch(view, person, condition="enters", **said):
    watch_view(actor=person, view=view, condition=condition, every="day", at=time(7), **said)
    return Schedule.objects.get()


def look(schedule, in_days=0):
    """The schedule's next time comes; what its owner then hears of it."""
    heard = set(Notice.objects.values_list("pk", flat=True))
    now = timezone.now() + timedelta(days=in_days)
    DueTime.objects.filter(schedule=schedule, outcome="waiting").update(due_at=now)
    assert dispatch_schedules(now) == 1
    run_job(Job.objects.latest("pk").pk)
    return list(Notice.objects.exclude(pk__in=heard))


def edited(customer, **values):
    with change_set(actor=None, door="shell"):
        for name, value in values.items():
            setattr(customer, name, value)
        customer.save()


class TestRowsThatComeIn:
    def test_are_told_once_whether_made_or_changed(self, olga, lund):
        moved = CustomerFactory(city="Oslo")
        CustomerFactory(city="Lund")
        schedule = watch(lund, olga)
        assert look(schedule) == []
        made = CustomerFactory(city="Lund")
        edited(moved, city="Lund")
        (notice,) = look(schedule)
        assert notice.text.startswith("2 customers came into “In Lund”: ")
        assert str(made) in notice.text and str(moved) in notice.text
        assert notice.url == f"{reverse('admin:customers_customer_changelist')}?view={lund.pk}"
        assert look(schedule) == []

    def test_are_told_within_the_watchers_rights(self, lund, olga):
        here, there = CustomerFactory(city="Oslo"), CustomerFactory(city="Oslo")
        watcher = give_role(UserFactory(), "customers.view_customer", "filtering.view_savedview")
        watcher = grant(watcher, "access_region", here.region)
        with change_set(actor=None, door="shell"):
            SavedView.objects.filter(pk=lund.pk).update(owner=watcher)
        lund.refresh_from_db()
        schedule = watch(lund, watcher)
        for each in (here, there):
            edited(each, city="Lund")
        (notice,) = look(schedule)
        assert notice.text.startswith("1 customer came in") and str(there) not in notice.text


class TestTooMany:
    def test_are_told_when_it_happens_and_not_again_while_it_lasts(self, olga, lund):
        first = CustomerFactory(city="Lund")
        schedule = watch(lund, olga, "exceeds", number=1)
        assert look(schedule) == []
        CustomerFactory(city="Lund")
        (notice,) = look(schedule)
        assert notice.text == "“In Lund” has more than 1 customer."
        assert look(schedule) == []
        edited(first, city="Oslo")
        assert look(schedule) == []
        edited(first, city="Lund")
        assert len(look(schedule)) == 1


class TestRowsThatLie:
    def test_are_told_once_when_their_time_is_over(self, olga, lund):
        lying = CustomerFactory(city="Lund")
        CustomerFactory(city="Oslo")
        schedule = watch(lund, olga, "lies", number=3)
        assert look(schedule, in_days=1) == []
        (notice,) = look(schedule, in_days=3.1)
        assert notice.text == f"1 customer of “In Lund” was not changed for 3 days: {lying}"
        assert look(schedule, in_days=4) == []

    def test_the_first_look_tells_of_all(self, olga, lund):
        CustomerFactory.create_batch(5, city="Lund")
        (notice,) = look(watch(lund, olga, "lies", number=3), in_days=30)
        assert notice.text.startswith("5 customers of “In Lund” were not changed for 3 days: ")
        assert notice.text.endswith(" and 2 more")


def test_it_is_mailed_only_when_there_is_something_to_tell(olga, lund, django_capture_on_commit_callbacks):
    schedule = watch(lund, olga)
    with django_capture_on_commit_callbacks(execute=True):
        look(schedule)
    assert mail.outbox == []
    CustomerFactory(city="Lund")
    with django_capture_on_commit_callbacks(execute=True):
        look(schedule)
    (sent,) = mail.outbox
    assert sent.subject.startswith("1 customer came into “In Lund”") and f"?view={lund.pk}" in sent.body


def test_it_rests_when_the_view_is_not_theirs_any_more(olga, lund):
    schedule = watch(lund, olga)
    with change_set(actor=None, door="shell"):
        Membership.objects.filter(user=olga).delete()
    DueTime.objects.filter(schedule=schedule, outcome="waiting").update(due_at=timezone.now())
    assert dispatch_schedules() == 0
    schedule.refresh_from_db()
    assert schedule.paused_at and "no right" in schedule.paused_because


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"condition": "exceeds"}, "Say the number"),
        ({"condition": "lies", "number": 0}, "Say the number"),
        ({"condition": "exceeds", "number": 10**9}, "Say the number"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_words(olga, lund, said, why):
    with pytest.raises(WatchNotUsable, match=why):
        watch(lund, olga, **said)


def test_who_may_not_see_the_list_watches_nothing(olga, lund):
    from admin_ext.filtering.views import share_view

    other = give_role(UserFactory(), "filtering.view_savedview")
    share_view(actor=olga, view=lund, people=[other])
    with pytest.raises(NotPermitted, match="no right to see the list"):
        watch(lund, type(other).objects.get(pk=other.pk))


def test_it_is_asked_for_on_the_page_of_the_view(olga, lund, client):
    client.force_login(olga)
    page = reverse("admin:filtering_savedview_change", args=[lund.pk])
    assert "Watch" in client.get(page).text
    said = {"condition": "enters", "number": "", "every": "hour", "at": "00:15", "on_day": "", "mail": "on"}
    answer = client.post(reverse("admin:filtering_savedview_do", args=[lund.pk, "watch_view"]), said, follow=True)
    assert answer.status_code == 200
    schedule = Schedule.objects.get()
    assert (schedule.name, schedule.every, schedule.arguments["condition"]) == ("Watch: In Lund", "hour", "enters")

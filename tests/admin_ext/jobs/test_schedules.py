"""Each due time exactly once, with the owner's rights of that moment, and a pause when they are gone."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail
from django.urls import reverse

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import DueTime, Job, JobFile, Schedule
from admin_ext.jobs.running import run_job
from admin_ext.jobs.schedules import (
    ScheduleNotUsable,
    dispatch_schedules,
    make_schedule,
    pause_schedule,
    resume_schedule,
)
from admin_ext.notices.models import Notice
from admin_ext.transfers.definitions import (
    DefinitionNotThere,
    DefinitionNotUsable,
    find_definition,
    save_definition,
    schedule_export,
    share_definition,
    shared_with,
    submit_definition,
)
from apps.accounts.models import Membership
from apps.customers.models import Customer
from tests.concurrency import together
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst():
    person = give_role(person_for(Customer), "customers.view_region")
    with change_set(actor=None, door="shell"):
        type(person).objects.filter(pk=person.pk).update(time_zone="Europe/Oslo", email="ann@example.org")
    return type(person).objects.get(pk=person.pk)


@pytest.fixture
def definition(analyst):
    return save_definition(
        actor=analyst,
        name="lund",
        selection=Selection(model="customers.Customer", filters={"city": ["Lund"]}),
        columns=["code", "city", "region__name"],
        headers={"code": "Customer no."},
    )


def scheduled(analyst, definition, **said):
    schedule_export(actor=analyst, definition=definition, every="day", at=time(7), **said)
    return Schedule.objects.get()


def due(schedule, at):
    """Let the next time of a schedule be `at`."""
    DueTime.objects.filter(schedule=schedule, outcome="waiting").update(due_at=at)


def outcomes(schedule):
    return list(DueTime.objects.filter(schedule=schedule).order_by("due_at").values_list("outcome", flat=True))


class TestDefinitions:
    def test_are_written_as_they_say(self, analyst, definition):
        customer = CustomerFactory(code="A1", city="Lund")
        CustomerFactory(code="A2", city="Oslo")
        job = submit_definition(actor=analyst, definition=definition)
        run_job(job.pk)
        with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("r") as file:
            rows = list(csv.DictReader(file))
        assert rows == [{"Customer no.": "A1", "city": "Lund", "region__name": customer.region.name}]

    def test_are_seen_by_their_owner_and_whom_they_are_shared_with(self, analyst, definition):
        other = person_for(Customer)
        with pytest.raises(DefinitionNotThere):
            find_definition("lund", user=other)
        share_definition(actor=analyst, definition=definition, people=[other])
        other = type(other).objects.get(pk=other.pk)
        assert find_definition("lund", user=other) == definition
        with pytest.raises(DefinitionNotUsable, match="already"):
            save_definition(actor=other, name="lund", selection=Selection(model="customers.Customer"), columns=["code"])

    def test_give_nobody_more_than_is_theirs(self, analyst, definition):
        with pytest.raises(NotPermitted):
            submit_definition(actor=UserFactory(), definition=definition)

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({"name": "Not A Name"}, "small letters"),
            ({"columns": ["password"]}, "no column password"),
            ({"columns": ["region__parent__parent__parent__code"]}, "no column"),
            ({"format": "exe"}, "no format exe"),
            ({"format": "xlsx", "packing": "gz"}, "packed by itself"),
            ({"headers": {"code": "x" * 500}}, "at most 200"),
            ({"headers": {"code": "Same", "name": "Same"}, "columns": ["code", "name"]}, "same name"),
            ({"selection": Selection(model="customers.Customer", keys=[1])}, "picked rows"),
        ],
    )
    def test_what_means_nothing_is_refused_in_words(self, analyst, said, why):
        asked = {"name": "x", "selection": Selection(model="customers.Customer"), "columns": ["code"], **said}
        with pytest.raises(DefinitionNotUsable, match=why):
            save_definition(actor=analyst, **asked)

    def test_are_kept_from_the_page_of_an_export(self, analyst, client):
        client.force_login(analyst)
        address = reverse("admin:customers_customer_export") + "?city=Lund"
        page = client.get(address)
        assert "Region: name" in page.text
        said = {
            "format": "csv-excel", "packing": "zip", "columns": ["code", "name"], "related": ["region__name"],
            "headers": "Code = No.\nregion__name = Area\n", "definition": "of-lund",
        }  # fmt: skip
        assert client.post(address, said).status_code == 302
        kept = find_definition("of-lund", user=analyst)
        assert kept.filters == {"city": ["Lund"]} and (kept.format, kept.packing) == ("csv-excel", "zip")
        assert kept.columns == [
            {"name": "code", "header": "No."},
            {"name": "name", "header": ""},
            {"name": "region__name", "header": "Area"},
        ]
        for wrong in ({"headers": "nonsense"}, {"headers": "zzz = Y"}, {"definition": "Not A Name"}, {"format": "exe"}):
            assert client.post(address, said | wrong).status_code == 200
        assert client.get(reverse("admin:transfers_exportdefinition_change", args=[kept.pk])).status_code == 200

    def test_are_shared_from_their_page(self, analyst, definition, client):
        other = person_for(Customer)
        role = analyst.groups.first()
        client.force_login(analyst)
        address = reverse("admin:transfers_exportdefinition_do", args=[definition.pk, "share_definition"])
        assert role.name in client.get(address).text
        assert "nobody here called nobody" in client.post(address, {"people": "nobody", "_go": "1"}).text
        said = {"people": other.username, "roles": [role.pk], "_go": "1"}
        assert client.post(address, said).status_code == 302
        assert shared_with(definition) == ([other], [role])
        assert find_definition("lund", user=type(other).objects.get(pk=other.pk)) == definition
        client.force_login(type(other).objects.get(pk=other.pk))
        assert client.post(address, said).status_code in (302, 403, 404)
        page = client.get(reverse("admin:transfers_exportdefinition_change", args=[definition.pk])).text
        assert "Export now" in page and "Delete" not in page


class TestDispatching:
    NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

    def test_a_due_time_is_handed_in_once_and_the_next_one_waits(self, analyst, definition):
        schedule = scheduled(analyst, definition)
        assert dispatch_schedules(schedule.created_at) == 0
        due(schedule, self.NOW)
        assert dispatch_schedules(self.NOW) == 1
        assert dispatch_schedules(self.NOW) == 0
        assert outcomes(schedule) == ["handed_in", "waiting"]
        assert schedule.due_times.get(outcome="waiting").due_at == datetime(2026, 5, 5, 5, 0, tzinfo=UTC)

    def test_missed_hours_are_made_up_for_each_once_and_what_is_a_day_old_is_not(self, analyst, definition):
        schedule_export(actor=analyst, definition=definition, every="hour", at=time(0, 0))
        schedule = Schedule.objects.get()
        due(schedule, self.NOW - timedelta(hours=27))
        assert dispatch_schedules(self.NOW) == 25
        assert outcomes(schedule) == ["missed"] * 3 + ["handed_in"] * 25 + ["waiting"]
        assert dispatch_schedules(self.NOW) == 0

    def test_the_file_is_the_owners_and_they_hear_of_it(self, analyst, definition, django_capture_on_commit_callbacks):
        CustomerFactory(code="A1", city="Lund")
        schedule = scheduled(analyst, definition)
        due(schedule, self.NOW)
        dispatch_schedules(self.NOW)
        job = schedule.due_times.get(outcome="handed_in").job
        with django_capture_on_commit_callbacks(execute=True):
            run_job(job.pk)
        assert job.files.get(kind=JobFile.Kind.OUTPUT).owner == analyst
        assert [message.to for message in mail.outbox] == [["ann@example.org"]]
        assert reverse("admin:jobs_job_change", args=[job.pk]) in mail.outbox[0].body
        assert Notice.objects.filter(recipient=analyst).count() == 1

    def test_is_paused_with_a_notice_when_its_owner_has_lost_the_right(self, analyst, definition):
        schedule = scheduled(analyst, definition)
        due(schedule, self.NOW)
        with change_set(actor=None, door="shell"):
            Membership.objects.filter(user=analyst).delete()
        assert dispatch_schedules(self.NOW) == 0
        schedule.refresh_from_db()
        assert schedule.paused_at and "no right to export" in schedule.paused_because
        assert "was paused" in Notice.objects.get(recipient=analyst).text
        assert outcomes(schedule) == ["refused"] and not Job.objects.exists()
        assert dispatch_schedules(self.NOW + timedelta(days=3)) == 0

    def test_is_paused_when_the_right_is_lost_before_the_job_runs(self, analyst, definition):
        schedule = scheduled(analyst, definition)
        due(schedule, self.NOW)
        dispatch_schedules(self.NOW)
        with change_set(actor=None, door="shell"):
            Membership.objects.filter(user=analyst).delete()
        run_job(Job.objects.get().pk)
        schedule.refresh_from_db()
        assert schedule.paused_at and outcomes(schedule) == ["handed_in"]

    def test_only_what_changed_since_the_time_before(self, analyst, definition):
        schedule = scheduled(analyst, definition, only_changes=True)
        due(schedule, self.NOW - timedelta(hours=5))
        dispatch_schedules(self.NOW)
        due(schedule, self.NOW)
        dispatch_schedules(self.NOW)
        job = schedule.due_times.get(due_at=self.NOW).job
        assert job.kind == "transfers.changes"
        assert datetime.fromisoformat(job.arguments["since"]) == self.NOW - timedelta(hours=5)
        assert datetime.fromisoformat(job.arguments["until"]) == self.NOW

    def test_is_paused_and_resumed_by_its_owner(self, analyst, definition):
        schedule = scheduled(analyst, definition)
        schedule = pause_schedule(actor=analyst, schedule=schedule, reason="Holidays")
        assert not schedule.due_times.exists()
        with pytest.raises(ScheduleNotUsable):
            pause_schedule(actor=analyst, schedule=schedule)
        schedule = resume_schedule(actor=analyst, schedule=schedule)
        assert outcomes(schedule) == ["waiting"]
        with pytest.raises(NotPermitted):
            pause_schedule(actor=person_for(Customer), schedule=schedule)

    @pytest.mark.parametrize(
        ("said", "why"),
        [({"name": " "}, "name"), ({"every": "week"}, "1 to 7"), ({"every": "month", "on_day": 32}, "31")],
    )
    def test_what_means_nothing_is_refused(self, analyst, said, why):
        asked = {"name": "x", "kind": "transfers.export", "arguments": {}, "every": "day", "at": time(7), **said}
        with pytest.raises(ScheduleNotUsable, match=why):
            make_schedule(actor=analyst, **asked)

    def test_pages(self, analyst, definition, client):
        client.force_login(analyst)
        address = reverse("admin:transfers_exportdefinition_do", args=[definition.pk, "schedule_export"])
        assert "Only what changed" in client.get(address).text
        assert client.post(address, {"every": "week", "at": "07:00", "on_day": "", "_go": "1"}).status_code == 200
        said = {"every": "week", "at": "07:30", "on_day": "5", "mail": "on", "_go": "1"}
        assert client.post(address, said).status_code == 302
        schedule = Schedule.objects.get()
        page = client.get(reverse("admin:jobs_schedule_change", args=[schedule.pk])).text
        assert "every Friday at 07:30 Europe/Oslo" in page
        assert "every Friday" in client.get(reverse("admin:jobs_schedule_changelist")).text


@pytest.mark.django_db(transaction=True)
def test_dispatchers_that_race_hand_in_each_due_time_once():
    person = give_role(person_for(Customer), "customers.view_region")
    definition = save_definition(
        actor=person, name="all", selection=Selection(model="customers.Customer"), columns=["code"]
    )
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    for _ in range(3):
        schedule_export(actor=person, definition=definition, every="hour", at=time(0, 0))
    DueTime.objects.update(due_at=now - timedelta(hours=5))
    assert together(*[lambda: dispatch_schedules(now)] * 4) == [None] * 4
    for schedule in Schedule.objects.all():
        assert outcomes(schedule) == ["handed_in"] * 6 + ["waiting"]
    jobs = list(DueTime.objects.exclude(job=None).values_list("job", flat=True))
    assert len(jobs) == len(set(jobs)) == Job.objects.count() == 18

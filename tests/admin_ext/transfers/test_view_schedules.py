"""A view is written again and again, as it is at each time."""

from __future__ import annotations

import csv
from datetime import time

import pytest
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.views import save_view
from admin_ext.jobs.models import DueTime, Job, JobFile, Schedule
from admin_ext.jobs.running import run_job
from admin_ext.jobs.schedules import dispatch_schedules
from admin_ext.transfers.definitions import DefinitionNotUsable
from admin_ext.transfers.view_schedules import schedule_view
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anton():
    return person_for(Customer)


def kept(person, view=None, **state):
    state = ListState(**state)
    names = ["code", "city", "name"]
    return save_view(actor=person, model=Customer, state=state, columns=names, sortable=names, name="V", view=view)


def written(schedule):
    """What the file of the schedule's next time holds."""
    DueTime.objects.filter(schedule=schedule, outcome="waiting").update(due_at=timezone.now())
    assert dispatch_schedules() == 1
    job = Job.objects.latest("pk")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED, job.error
    with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("r") as file:
        return list(csv.DictReader(file))


def test_rows_columns_and_order_are_those_of_the_view_at_each_time(anton):
    for code, city in (("A1", "Lund"), ("A2", "Lund"), ("A3", "Oslo")):
        CustomerFactory(code=code, city=city)
    view = kept(anton, filters={"city": ["Lund"]}, columns=(("city", 0), ("code", 0)), ordering=("-code",))
    schedule_view(actor=anton, view=view, every="day", at=time(7))
    schedule = Schedule.objects.get()
    assert written(schedule) == [{"city": "Lund", "code": "A2"}, {"city": "Lund", "code": "A1"}]
    kept(anton, view, filters={"city": ["Oslo"]}, columns=(("code", 0),))
    assert written(schedule) == [{"code": "A3"}]


def test_only_what_changed_since_the_time_before(anton):
    CustomerFactory(code="A1", city="Lund")
    schedule_view(actor=anton, view=kept(anton), every="day", at=time(7), only_changes=True)
    schedule = Schedule.objects.get()
    assert written(schedule) == []
    CustomerFactory(code="A2")
    assert {row["change"] for row in written(schedule)} == {"added"}


def test_it_rests_when_the_view_is_gone(anton):
    view = kept(anton)
    schedule_view(actor=anton, view=view, every="day", at=time(7))
    from admin_ext.audit.context import change_set

    with change_set(actor=anton, door="shell"):
        view.delete()
    schedule = Schedule.objects.get()
    DueTime.objects.filter(schedule=schedule).update(due_at=timezone.now())
    assert dispatch_schedules() == 0
    schedule.refresh_from_db()
    assert "view is gone" in schedule.paused_because


def test_without_the_right_to_export_there_is_none(anton):
    reader = person_for(Customer, "customers.view_customer", "filtering.view_savedview")
    with pytest.raises(NotPermitted, match="no right to export"):
        schedule_view(actor=reader, view=kept(reader), every="day", at=time(7))
    with pytest.raises(DefinitionNotUsable, match="no format"):
        schedule_view(actor=anton, view=kept(anton), every="day", at=time(7), format="exe")


def test_it_is_asked_for_on_the_page_of_the_view(anton, client):
    view = kept(anton)
    client.force_login(anton)
    page = reverse("admin:filtering_savedview_do", args=[view.pk, "schedule_view"])
    said = {"every": "month", "at": "06:30", "on_day": "31", "format": "xlsx", "mail": "on"}
    assert client.get(page).status_code == 200
    assert client.post(page, said, follow=True).status_code == 200
    schedule = Schedule.objects.get()
    assert (schedule.every, schedule.on_day, schedule.arguments["format"]) == ("month", 31, "xlsx")

"""A right that is taken is gone at the next request, and within one chunk of a job that is running."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import claim, run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.making import submit_plan
from admin_ext.plans.models import Plan
from admin_ext.plans.writing import RowByRow, SetBased
from admin_ext.transfers import exporting
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.snapshots import rights_unchanged
from apps.accounts.models import Membership, RolePermission, User
from apps.customers.models import Customer, Region
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, JobFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


def take_roles(person):
    with change_set(actor=None, door="shell", reason="Taken"):
        Membership.objects.filter(user=person).delete()


def take_right(person):
    with change_set(actor=None, door="shell", reason="Taken"):
        RolePermission.objects.filter(group__user=person, permission__codename__endswith="_customer").delete()


def take_place(person):
    with change_set(actor=None, door="shell", reason="Taken"):
        Region.user_grants_model.objects.filter(user=person).delete()


def take_row(person):
    with change_set(actor=None, door="shell", reason="Taken"):
        Customer.user_grants_model.objects.filter(user=person).delete()


def close_account(person):
    with change_set(actor=None, door="shell", reason="Taken"):
        User.objects.filter(pk=person.pk).update(is_active=False)


class TestTheNextRequest:
    @pytest.mark.parametrize("take", [take_roles, take_right, take_place, take_row, close_account])
    def test_is_refused(self, client, take):
        customer = CustomerFactory(name="Secret Ltd")
        if take is take_row:
            person = grant(UserFactory(), "view", customer)
        else:
            person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", customer.region)
        client.force_login(person)
        pages = ["/customers/customer/", f"/customers/customer/{customer.pk}/change/", "/search/?s=Secret&extended=1"]
        for page in pages:
            assert "Secret Ltd" in client.get(page).text, page
        take(person)
        for page in pages:
            answer = client.get(page, follow=True)
            assert "Secret Ltd" not in answer.text, page

    def test_a_save_of_a_page_opened_before_is_refused(self, client):
        customer = CustomerFactory(name="Before")
        person = person_for(Customer)
        client.force_login(person)
        form = client.get(f"/customers/customer/{customer.pk}/change/").context["adminform"].form
        take_roles(person)
        said = {name: "" if value is None else value for name, value in form.initial.items()} | {"name": "After"}
        assert client.post(f"/customers/customer/{customer.pk}/change/", said).status_code in (302, 403)
        assert Customer.objects.get().name == "Before"


@pytest.fixture
def person(db):
    return give_role(person_for(Customer), "customers.hold_customer")


def bulk(person, source, **parameters):
    selection = Selection(model="customers.Customer").to_json()
    plan = submit_plan(
        actor=person, source=source, title="Bulk", model="customers.Customer",
        parameters={"selection": selection, "reason": "Spring", **parameters},
    )  # fmt: skip
    run_job(plan.making_id)
    return Plan.objects.get(pk=plan.pk)


def edit(person):
    return bulk(person, "edit", changes={"fax": {"operation": "set", "value": "1"}})


def hold(person):
    return bulk(person, "verb", verb="customers.hold", arguments={"reason": "Spring"})


@pytest.fixture
def after_one_chunk(monkeypatch):
    """Chunks of two rows; after the first of them, something is taken from the person."""

    def arrange(applier, take, person):
        monkeypatch.setattr(applier, "size", 2)
        real, done = applier.__call__, []

        def apply(self, rows, actor):
            failures = real(self, rows, actor)
            if not done:
                take(person)
            done.append(len(rows))
            return failures

        monkeypatch.setattr(applier, "__call__", apply)
        return done

    return arrange


class TestARunningPlan:
    def run(self, person, plan, mode="keep_good"):
        job = apply_plan(actor=person, plan=plan, mode=mode).applying
        run_job(job.pk)
        job.refresh_from_db()
        return job

    @pytest.mark.parametrize("take", [take_roles, take_right, close_account])
    @pytest.mark.parametrize(("make", "applier"), [(edit, SetBased), (hold, RowByRow)])
    def test_stops_before_its_next_chunk_and_says_why(self, person, after_one_chunk, make, applier, take):
        for _ in range(6):
            CustomerFactory()
        plan = make(person)
        assert plan.good == 6
        chunks = after_one_chunk(applier, take, person)
        job = self.run(person, plan)
        assert (job.state, chunks) == ("failed", [2])
        said = "account was closed" if take is close_account else "lost the right to"
        assert said in job.error
        counts = Plan.objects.get(pk=plan.pk).counts
        assert (counts["update"], counts["refused"]) == (2, 4)
        assert Customer.objects.exclude(fax="").count() + Customer.objects.filter(status="on_hold").count() == 2

    def test_all_or_nothing_leaves_nothing(self, person, after_one_chunk):
        for _ in range(6):
            CustomerFactory()
        plan = edit(person)
        after_one_chunk(SetBased, take_right, person)
        job = self.run(person, plan, "all_or_nothing")
        assert job.state == "failed"
        assert "lost the right to change customers" in job.error
        assert Plan.objects.get(pk=plan.pk).counts == {"refused": 6}
        assert not Customer.objects.exclude(fax="").exists()

    def test_a_place_that_is_taken_refuses_its_rows_one_by_one(self, after_one_chunk):
        region = RegionFactory()
        rights = ("customers.view_customer", "customers.change_customer")
        person = grant(give_role(UserFactory(), *rights), "access_region", region)
        for _ in range(4):
            CustomerFactory(region=region)
        plan = edit(person)
        after_one_chunk(SetBased, take_place, person)
        job = self.run(person, plan)
        assert job.state == "succeeded"
        assert Plan.objects.get(pk=plan.pk).counts["refused"] == 2
        assert Customer.objects.exclude(fax="").count() == 2

    def test_the_control_of_the_above(self, person, after_one_chunk):
        for _ in range(6):
            CustomerFactory()
        chunks = after_one_chunk(SetBased, lambda person: None, person)
        assert self.run(person, edit(person)).state == "succeeded"
        assert chunks == [2, 2, 2]


class TestARunningExport:
    @pytest.mark.parametrize("take", [take_roles, take_right, take_place, take_row, close_account, None])
    def test_is_thrown_away_when_a_right_is_taken_while_it_is_written(self, monkeypatch, take):
        customer = CustomerFactory()
        rights = ("customers.view_customer", "customers.export_customer")
        person = grant(give_role(UserFactory(), *rights), "access_region", customer.region)
        person = grant(person, "export", CustomerFactory())
        job = submit_export(actor=person, selection=Selection(model="customers.Customer"))
        real = exporting._batches

        def batches(writer):
            yield from real(writer)
            if take:
                take(person)

        monkeypatch.setattr(exporting, "_batches", batches)
        run_job(job.pk)
        job.refresh_from_db()
        files = JobFile.objects.filter(kind=JobFile.Kind.OUTPUT).count()
        if take is None:
            assert (job.state, files) == ("succeeded", 1)
            return
        assert (job.state, files) == ("failed", 0)
        assert "account was closed" in job.error or "Your rights changed" in job.error

    def test_stops_at_the_next_beat_of_its_pulse(self, person):
        run = claim(JobFactory(requested_by=person).pk)
        with Pulse(run, phase="writing", permitted=rights_unchanged(run, Customer)) as pulse:
            pulse._once()
            pulse.check()
            take_right(person)
            pulse._once()
            with pytest.raises(NotPermitted, match="Your rights changed"):
                pulse.check()

    def test_its_file_is_not_to_be_had_any_more(self, client, person):
        CustomerFactory()
        job = submit_export(actor=person, selection=Selection(model="customers.Customer"))
        run_job(job.pk)
        address = reverse("admin:jobs_jobfile_download", args=[job.files.get().pk])
        client.force_login(person)
        fetched = client.get(address)
        assert fetched.status_code == 200
        [close() for close in fetched._resource_closers]
        take_right(person)
        assert client.get(address).status_code == 403

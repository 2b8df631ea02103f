"""A file, a mapping, a plan, and what applying it does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.jobs.services import cancel_job, retry_job
from admin_ext.plans.applying import PlanHasBadRows, apply_plan, discard_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.importing import submit_import
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
HEADER = "code,name,region,credit_limit\n"


@pytest.fixture
def analyst():
    return give_role(person_for(Customer), "customers.view_region")


def planned(actor, text, **kwargs):
    """Import a text as far as the review."""
    plan = submit_import(
        actor=actor, source=ContentFile(text.encode()), name="file.csv", resource="customers.Customer", **kwargs
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def applied(actor, plan, mode="keep_good"):
    plan = apply_plan(actor=actor, plan=plan, mode=mode)
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


class TestPlanning:
    def test_touches_nothing_and_says_what_each_row_would_do(self, analyst):
        region = RegionFactory(code="NORD")
        CustomerFactory(code="A1", name="Same", region=region, credit_limit=5)
        CustomerFactory(code="A2", name="Before", region=region, credit_limit=5)
        before = Customer.history.count()
        plan = planned(analyst, HEADER + "A1,Same,NORD,5\nA2,After,NORD,5.00\nA3,New,NORD,1\nA4,Bad,NORD,x\n")
        assert plan.state == Plan.State.READY
        assert plan.counts == {"unchanged": 1, "update": 1, "create": 1, "invalid": 1}
        changed = plan.rows.get(action="update")
        assert (changed.before, changed.after, changed.key) == ({"name": "Before"}, {"name": "After"}, "A2")
        bad = plan.rows.get(action="invalid")
        assert (bad.line, bad.errors[0]["column"], bad.errors[0]["value"]) == (5, "credit_limit", "x")
        assert bad.errors[0]["advice"]
        assert Customer.history.count() == before and not ChangeSet.objects.filter(door="import").exists()

    def test_is_not_done_again_when_its_worker_died_at_the_very_end(self, analyst):
        RegionFactory(code="NORD")
        plan = planned(analyst, HEADER + "A1,New,NORD,5\n")
        rows = list(plan.rows.values_list("pk", flat=True))
        made = Job.objects.filter(pk=plan.making_id)
        made.update(state="running", finished_at=None, lease_until=timezone.now() - timedelta(seconds=1))
        run_job(plan.making_id)
        assert list(plan.rows.values_list("pk", flat=True)) == rows
        assert made.get().counts == {"create": 1} and made.get().state == "succeeded"

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("A1,,NORD,1", "name is missing"),
            ("A1,N,NOWHERE,1", "There is no region “NOWHERE”"),
            ("A1,N,NORD,-1", "greater than or equal to 0"),
            ("a1 x,N,NORD,1", "capital letters"),
            ("A1,N,NORD,1.999", "more than 2 decimals"),
            ("A1," + "N" * 201 + ",NORD,1", "at most 200 fit"),
            ("A1,N,NORD,99999999999999", "digits"),
        ],
    )
    def test_says_for_every_bad_value_what_is_wrong(self, analyst, row, said):
        RegionFactory(code="NORD")
        plan = planned(analyst, HEADER + row + "\n")
        assert plan.counts == {"invalid": 1}
        assert said in " ".join(error["message"] for error in plan.rows.get().errors)

    def test_an_empty_cell_does_not_empty_what_a_row_cannot_do_without(self, analyst):
        CustomerFactory(code="A1", name="Before", credit_limit=5)
        plan = planned(analyst, "code,name,credit_limit\nA1,,\n")
        assert plan.counts == {"invalid": 1}
        assert "name is missing" in plan.rows.get().errors[0]["message"]

    def test_reports_all_errors_of_a_row_and_a_key_that_comes_twice(self, analyst):
        plan = planned(analyst, HEADER + "A1,N,NOWHERE,x\nA2,N,,1\nA2,N,,1\n")
        assert len(plan.rows.get(number=1).errors) == 2
        assert "stands in row 2 already" in plan.rows.get(number=3).errors[0]["message"]

    def test_fails_with_a_reason_when_there_is_no_table(self, analyst):
        plan = planned(analyst, "")
        assert plan.state == Plan.State.FAILED and plan.notes[0]
        assert Job.objects.get(pk=plan.making_id).state == Job.State.FAILED


class TestRights:
    def test_importing_needs_the_right_to_import(self):
        reader = give_role(UserFactory(), "customers.view_customer", "customers.change_customer")
        with pytest.raises(NotPermitted):
            planned(reader, HEADER)

    def test_a_row_outside_the_scope_is_neither_shown_nor_written(self):
        mine, theirs = RegionFactory(code="MINE"), RegionFactory(code="THEIRS")
        CustomerFactory(code="S1", name="Secret", region=theirs)
        actor = give_role(
            UserFactory(),
            *[f"customers.{right}_customer" for right in ("view", "add", "change", "import")],
            "customers.view_region",
        )
        actor = grant(actor, "access_region", mine)
        plan = planned(
            actor, "code,name,region\nS1,Taken,MINE\nS1,Secret,THEIRS\nN1,New,THEIRS\nN2,New,MINE\nN3,New,\n"
        )
        outcomes = dict(plan.rows.values_list("number", "action"))
        assert outcomes == {1: "refused", 2: "invalid", 3: "invalid", 4: "create", 5: "refused"}
        told = str(list(plan.rows.values("before", "after", "errors")))
        assert "Secret" not in told
        applied(actor, plan)
        assert Customer.objects.get(code="S1").name == "Secret"
        assert Customer.objects.filter(code__startswith="N").count() == 1

    def test_a_right_lost_between_plan_and_apply_stops_the_run(self, analyst):
        RegionFactory(code="NORD")
        plan = apply_plan(actor=analyst, plan=planned(analyst, HEADER + "A1,N,NORD,1\n"), mode="keep_good")
        with change_set(actor=None, door="shell"):
            type(analyst).objects.filter(pk=analyst.pk).update(is_active=False)
        run_job(plan.applying_id)
        assert Job.objects.get(pk=plan.applying_id).state == Job.State.FAILED
        assert not Customer.objects.filter(code="A1").exists()

    def test_an_import_never_moves_a_state(self, analyst):
        CustomerFactory(code="A1", name="N")
        plan = planned(analyst, "code,name,status\nA1,N,closed\n")
        assert plan.counts == {"refused": 1}
        assert "never moves it" in plan.rows.get().errors[0]["message"]


class TestCancelledBeforeItBegan:
    """No worker ends a job that never began."""

    def test_a_plan_that_was_to_be_made_says_so_and_can_be_made_after_all(self, analyst):
        RegionFactory(code="NORD")
        source = ContentFile((HEADER + "A1,N,NORD,1\n").encode())
        plan = submit_import(actor=analyst, source=source, name="file.csv", resource="customers.Customer")
        cancel_job(actor=analyst, job=plan.making)
        plan.refresh_from_db()
        assert (plan.state, plan.notes) == (Plan.State.FAILED, ["It was cancelled."])
        retry_job(actor=analyst, job=Job.objects.get(pk=plan.making_id))
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert (plan.state, plan.counts) == (Plan.State.READY, {"create": 1})

    def test_a_plan_that_was_to_be_applied_is_its_reviewers_again(self, analyst):
        RegionFactory(code="NORD")
        plan = apply_plan(actor=analyst, plan=planned(analyst, HEADER + "A1,N,NORD,1\n"), mode="keep_good")
        first = cancel_job(actor=analyst, job=plan.applying)
        plan.refresh_from_db()
        assert plan.state == Plan.State.READY
        discard_plan(actor=analyst, plan=plan)
        retry_job(actor=analyst, job=first)
        run_job(first.pk)
        first.refresh_from_db()
        assert first.state == Job.State.FAILED and "is discarded. Apply it from its own page" in first.error
        assert not Customer.objects.filter(code="A1").exists()


class TestApplying:
    def test_writes_under_one_change_set_with_a_receipt(self, analyst):
        RegionFactory(code="NORD")
        CustomerFactory(code="A2", name="Before")
        plan = applied(analyst, planned(analyst, HEADER + "A1,New,NORD,7\nA2,After,NORD,0\nA3,Bad,NORD,x\n"))
        assert plan.state == Plan.State.APPLIED
        assert plan.counts == {"create": 1, "update": 1, "invalid": 1}
        written = plan.applying.change_set
        written.refresh_from_db()
        assert (written.door, written.actor, written.rows) == ("import", analyst, 2)
        assert written.counts == plan.counts and written.file_sha256 == plan.file.sha256 and written.finished_at
        made = Customer.objects.get(code="A1")
        assert (made.status, made.brought_in, made.region.code) == ("active", True, "NORD")
        assert made.history.get().change_set == written

    def test_the_same_file_again_changes_nothing(self, analyst):
        RegionFactory(code="NORD")
        text = HEADER + "A1,New,NORD,7\n"
        applied(analyst, planned(analyst, text))
        before = Customer.history.count()
        assert applied(analyst, planned(analyst, text)).counts == {"unchanged": 1}
        assert Customer.history.count() == before

    def test_a_row_that_moved_since_is_never_overwritten(self, analyst):
        customer = CustomerFactory(code="A1", name="Before")
        plan = planned(analyst, "code,name\nA1,From file\nA2,New\n")
        with change_set(actor=None, door="shell"):
            Customer.objects.filter(pk=customer.pk).update(name="By hand")
        CustomerFactory(code="A2", name="Made meanwhile")
        plan = applied(analyst, plan)
        assert plan.counts == {"drifted": 2}
        assert Customer.objects.get(code="A1").name == "By hand"
        assert Customer.objects.get(code="A2").name == "Made meanwhile"

    def test_all_or_nothing_refuses_a_plan_with_bad_rows(self, analyst):
        with pytest.raises(PlanHasBadRows):
            apply_plan(actor=analyst, plan=planned(analyst, HEADER + "A1,N,NOWHERE,1\n"), mode="all_or_nothing")

    def test_all_or_nothing_leaves_nothing_when_a_row_moved(self, analyst):
        CustomerFactory(code="A2", name="Before")
        plan = planned(analyst, "code,name\nA1,New\nA2,After\n")
        with change_set(actor=None, door="shell"):
            Customer.objects.filter(code="A2").update(name="By hand")
        plan = applied(analyst, plan, mode="all_or_nothing")
        job = plan.applying
        assert job.state == Job.State.FAILED and "Nothing was applied" in job.error
        assert not Customer.objects.filter(code="A1").exists()
        assert plan.state == Plan.State.READY

    def test_a_delivery_twice_applies_once(self, analyst):
        plan = applied(analyst, planned(analyst, "code,name\nA1,New\n"))
        run_job(plan.applying_id)
        run_job(plan.making_id)
        assert Customer.history.filter(code="A1").count() == 1

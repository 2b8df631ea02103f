"""Policies in files: what goes in, what comes out, and what was made before a policy was."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from admin_ext.access.models import FieldPolicy
from admin_ext.access.rights import NotPermitted
from admin_ext.access.veils import DOTS
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.making import submit_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.changes import submit_changes
from admin_ext.transfers.exporting import UnknownColumn, submit_export
from admin_ext.transfers.failures import write_failed_rows
from admin_ext.transfers.importing import ColumnNotYours, submit_import
from admin_ext.transfers.outputs import download
from apps.accounts.models import User
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, give_role, police
from tests.moments import moment

pytestmark = pytest.mark.django_db
TAX = "customers.Customer:tax_number"
CANARY = "QQ7531975QQ"
UNREAD = pytest.mark.parametrize("kind", ["hidden", "masked"])


@pytest.fixture
def analyst():
    return give_role(person_for(Customer), "customers.view_region")


@pytest.fixture
def customer():
    return CustomerFactory(code="A1", name="Ann", tax_number=CANARY, credit_limit=7531, region=RegionFactory(code="N"))


def planned(actor, text, **kwargs):
    plan = submit_import(
        actor=actor, source=ContentFile(text.encode()), name="file.csv", resource="customers.Customer", **kwargs
    )
    return made(plan)


def made(plan):
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def applied(actor, plan, reason="x"):
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good", reason=reason)
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


def edited(actor, name, **change):
    selection = Selection(model="customers.Customer").to_json()
    return submit_plan(
        actor=actor,
        source="edit",
        title="Edit",
        model="customers.Customer",
        parameters={"selection": selection, "changes": {name: change}, "reason": "x"},
    )


class TestImporting:
    @UNREAD
    def test_a_column_that_is_not_theirs_to_read_is_refused_in_words(self, analyst, customer, kind):
        person = police(analyst, TAX, kind)
        plan = planned(person, "code,name,tax_number\nA1,Ann,FORGED\nA2,New,FORGED\n")
        assert plan.state == Plan.State.FAILED
        assert "You may not read tax number of customers" in plan.making.error and not plan.rows.exists()
        mapping = {"columns": {"code": {"from": "a"}, "tax_number": {"constant": "FORGED"}}}
        with pytest.raises(ColumnNotYours):
            planned(person, "a\nA1\n", mapping=mapping)

    def test_a_column_that_is_read_only_comes_back_unchanged_and_changes_nothing(self, analyst, customer):
        person = police(analyst, TAX, "read_only")
        plan = planned(person, f"code,name,tax_number\nA1,Ann,{CANARY}\nA2,New,\n")
        assert plan.counts == {"unchanged": 1, "create": 1}
        plan = planned(person, "code,name,tax_number\nA1,Ann,FORGED\nA2,New,FORGED\n")
        assert plan.counts == {"refused": 1, "invalid": 1}
        for row in plan.rows.all():
            assert "not yours to write" in row.errors[0]["message"] and CANARY not in str(row.errors)

    def test_a_policy_made_meanwhile_stops_what_was_planned_before_it(self, analyst, customer):
        for kind in ("read_only", "masked", "hidden"):
            plan = planned(analyst, f"code,name,tax_number\nA1,Ann,{kind}\n")
            assert plan.counts == {"update": 1}
            police(analyst, TAX, kind)
            plan = applied(analyst, plan)
            customer.refresh_from_db()
            assert customer.tax_number == CANARY and plan.counts == {"refused": 1}
            with change_set(actor=None, door="shell", reason="x"):
                FieldPolicy.objects.all().delete()
            analyst = User.objects.get(pk=analyst.pk)

    def test_leaves_alone_what_the_file_does_not_bring(self, analyst, customer):
        person = police(analyst, TAX, "hidden")
        applied(person, planned(person, "code,name,city\nA1,Ann,Lund\n"))
        customer.refresh_from_db()
        assert (customer.city, customer.tax_number) == ("Lund", CANARY)


class TestPlans:
    @pytest.mark.parametrize("kind", ["hidden", "masked", "read_only"])
    def test_bulk_edits_write_no_column_that_is_not_theirs(self, analyst, customer, kind):
        plan = made(edited(police(analyst, "customers.Customer:credit_limit", kind), "credit_limit", operation="clear"))
        assert plan.state == Plan.State.FAILED and "no right to write credit limit" in plan.making.error
        assert not plan.rows.exists()

    @UNREAD
    def test_the_review_of_a_plan_made_before_tells_no_value(self, analyst, customer, kind, client):
        plan = made(edited(analyst, "credit_limit", operation="set", value="8642"))
        where = reverse("admin:plans_plan_change", args=[plan.pk])
        client.force_login(analyst)
        assert "7531" in client.get(where).text
        police(analyst, "customers.Customer:credit_limit", kind)
        page = client.get(where).text
        assert "7531" not in page and "8642" not in page
        assert (DOTS in page) == (kind == "masked")

    @UNREAD
    def test_what_is_wrong_with_a_row_is_not_told_of_what_is_not_theirs(self, analyst, kind, client, tmp_path):
        CustomerFactory(code="A1", status="on_hold")
        plan = planned(analyst, "code,name,status,credit_limit\nA1,Ann,closed,5\nA2,Bea,active,qq75\n")
        assert plan.counts == {"refused": 1, "invalid": 1}
        where = reverse("admin:plans_plan_change", args=[plan.pk])
        client.force_login(analyst)
        assert "on_hold" in client.get(where).text and "qq75" in client.get(where).text
        police(analyst, "customers.Customer:status", kind)
        person = police(analyst, "customers.Customer:credit_limit", kind)
        page = client.get(where).text
        assert "on_hold" not in page and "qq75" not in page and "you may not read" in page
        file = tmp_path / "failed.csv"
        write_failed_rows(plan, file, reader=person)
        reasons = [row["reason"] for row in csv.DictReader(io.StringIO(file.read_text("utf-8-sig")))]
        assert reasons and all("you may not read" in reason for reason in reasons), reasons

    def test_what_its_maker_was_told_is_not_told_to_who_may_read_less(self, analyst, client):
        from admin_ext.plans.reverting import revert_row

        customer = CustomerFactory(status="on_hold")
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(status="closed", city="Oslo")
        plan = revert_row(actor=analyst, row=customer, to=customer.history.earliest(), reason="x")
        assert any("“Closed”" in note for note in plan.notes)
        other = give_role(person_for(Customer), "plans.view_plan")
        where = reverse("admin:plans_plan_change", args=[plan.pk])
        client.force_login(other)
        assert "“Closed”" in client.get(where).text
        police(other, "customers.Customer:status", "masked")
        page = client.get(where)
        assert page.status_code == 200 and "Closed" not in page.text

    @UNREAD
    def test_a_verb_that_moves_it_is_reviewed_without_it(self, analyst, customer, kind, client):
        person = give_role(analyst, "customers.hold_customer")
        plan = made(
            submit_plan(
                actor=person,
                source="verb",
                title="Hold",
                model="customers.Customer",
                parameters={
                    "selection": Selection(model="customers.Customer").to_json(),
                    "verb": "customers.hold",
                    "arguments": {"reason": "x"},
                    "reason": "x",
                },
            )
        )
        assert plan.rows.get().after == {"status": "on_hold"}
        police(person, "customers.Customer:status", kind)
        client.force_login(person)
        page = client.get(reverse("admin:plans_plan_change", args=[plan.pk])).text
        assert "On hold" not in page and "Active" not in page
        assert (DOTS in page) == (kind == "masked")


class TestExporting:
    @UNREAD
    def test_a_queued_export_is_written_under_the_policies_of_the_moment_it_runs(self, analyst, customer, kind):
        job = submit_export(
            actor=analyst, selection=Selection(model="customers.Customer"), columns=["code", "tax_number"]
        )
        person = police(analyst, TAX, kind)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.FAILED and "no column tax_number" in job.error and not job.files.exists()
        with pytest.raises(UnknownColumn, match="no column tax_number"):
            submit_export(actor=person, selection=Selection(model="customers.Customer"), columns=["tax_number"])

    @UNREAD
    def test_a_file_made_before_a_policy_is_not_handed_out_after_it(self, analyst, customer, kind, client):
        jobs = {
            columns: submit_export(
                actor=analyst, selection=Selection(model="customers.Customer"), columns=list(columns)
            )
            for columns in (("code", "tax_number"), ("code", "city"))
        }
        for job in jobs.values():
            run_job(job.pk)
        files = {columns: job.files.get(kind=JobFile.Kind.OUTPUT) for columns, job in jobs.items()}
        assert CANARY in Path(files["code", "tax_number"].file.path).read_text("utf-8")
        person = police(analyst, TAX, kind)
        with pytest.raises(NotPermitted, match="tells tax number"):
            download(actor=person, file=files["code", "tax_number"])
        assert download(actor=person, file=files["code", "city"])
        client.force_login(person)
        refused = client.get(reverse("admin:jobs_jobfile_download", args=[files["code", "tax_number"].pk]))
        assert refused.status_code == 403

    @UNREAD
    def test_what_changed_is_written_without_it_and_not_handed_out_after_a_policy(self, analyst, customer, kind):
        since = moment()
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(tax_number="QQAFTERQQ", city="Lund")

        def written(actor):
            selection = Selection(model="customers.Customer")
            job = submit_changes(actor=actor, selection=selection, since=since, until=moment())
            run_job(job.pk)
            job.refresh_from_db()
            assert job.state == Job.State.SUCCEEDED, job.error
            return job.files.get(kind=JobFile.Kind.OUTPUT)

        before = written(analyst)
        assert "QQAFTERQQ" in Path(before.file.path).read_text("utf-8")
        person = police(analyst, TAX, kind)
        with pytest.raises(NotPermitted, match="tells"):
            download(actor=person, file=before)
        text = Path(written(person).file.path).read_text("utf-8")
        assert "Lund" in text
        assert "QQAFTERQQ" not in text and CANARY not in text and DOTS not in text and "tax_number" not in text

    @UNREAD
    def test_is_neither_filtered_nor_ordered_by_it(self, analyst, kind):
        for n, limit in enumerate((2, 3, 1)):
            CustomerFactory(code=f"C-{n}", credit_limit=limit)
        selection = Selection(model="customers.Customer", ordering=["credit_limit"])
        assert [row.code for row in selection.resolve(actor=analyst, action="export")] == ["C-2", "C-0", "C-1"]
        person = police(analyst, "customers.Customer:credit_limit", kind)
        assert [row.code for row in selection.resolve(actor=person, action="export")] == ["C-0", "C-1", "C-2"]
        asked = Selection(model="customers.Customer", filters={"credit_limit_min": ["2"]})
        job = submit_export(actor=person, selection=asked, columns=["code"])
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.FAILED and "no filter credit_limit_min" in job.error

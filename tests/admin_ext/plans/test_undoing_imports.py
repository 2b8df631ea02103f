"""Many rows at once: an import taken back while others worked on, and a plan whose rows all moved before it was applied."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command

from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.plans import touched
from admin_ext.plans.making import submit_plan
from admin_ext.transfers.importing import submit_import
from apps.customers.models import Customer
from tests.admin_ext.plans.undos import applied, planned, said, undone
from tests.contracts.world import person_for
from tests.factories import RegionFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db
HEADER = "code,name,city,credit_limit,region\n"


@pytest.fixture
def analyst():
    RegionFactory(code="N")
    return give_role(person_for(Customer), "customers.view_region")


def imported(actor, rows):
    text = HEADER + "".join(f"C{n:04},Customer {n},{city},{limit},N\n" for n, city, limit in rows)
    plan = submit_import(actor=actor, source=ContentFile(text.encode()), name="file.csv", resource="customers.Customer")
    run_job(plan.making_id)
    plan.refresh_from_db()
    return applied(plan)


def edited_by_others(every):
    keys = list(Customer.objects.order_by("code").values_list("pk", flat=True))[::every]
    with change_set(actor=UserFactory(username="berta"), door="form", verb="tests.edit", reason="Because"):
        Customer.objects.filter(pk__in=keys).update(phone="since")
    return set(keys)


def rows():
    """Every customer, without what says when and how often it was written."""
    found = Customer.objects.values()
    return {
        row["id"]: {name: value for name, value in row.items() if name not in ("version", "updated_at")}
        for row in found
    }


class TestAnImport:
    def test_of_new_and_changed_rows_goes_back_but_for_those_edited_since(self, analyst, monkeypatch):
        monkeypatch.setattr(touched, "PAGE", 70)
        imported(analyst, ((n, "Lund", 5) for n in range(200)))
        before = rows()
        plan = imported(analyst, ((n, "Malmö", n) for n in range(500)))
        assert plan.counts == {"update": 200, "create": 300}
        kept = edited_by_others(every=10)
        between = rows()
        plan = undone(analyst, plan.applying.change_set)
        assert plan.counts == {"update": 180, "delete": 270, "drifted": 50}
        assert set(plan.rows.filter(action="drifted").values_list("target_id", flat=True)) == kept
        assert said(plan).count("berta") == 50
        expected = {key: row for key, row in before.items() if key not in kept} | {key: between[key] for key in kept}
        assert rows() == expected
        plan = undone(analyst, plan.applying.change_set)
        assert plan.counts == {"update": 180, "create": 270}
        assert rows() == between

    def test_that_was_cancelled_half_way_goes_back_as_far_as_it_came(self, analyst, monkeypatch):
        from admin_ext.plans import writing

        monkeypatch.setattr(writing.SetBased, "size", 10)
        plan = submit_import(
            actor=analyst,
            source=ContentFile((HEADER + "".join(f"C{n},N,Lund,1,N\n" for n in range(30))).encode()),
            name="file.csv",
            resource="customers.Customer",
        )
        run_job(plan.making_id)
        plan.refresh_from_db()
        real = writing.Table._insert

        def insert(self, *part):
            made = real(self, *part)
            Job.objects.filter(pk=plan.applying_id).update(cancel_requested_at="2026-01-01T00:00Z")
            return made

        from admin_ext.plans.applying import apply_plan

        plan = apply_plan(actor=analyst, plan=plan, mode="keep_good", reason="Because")
        monkeypatch.setattr(writing.Table, "_insert", insert)
        run_job(plan.applying_id)
        plan.refresh_from_db()
        assert (plan.counts, Customer.objects.count()) == ({"create": 10, "left": 20}, 10)
        assert undone(analyst, plan.applying.change_set).counts == {"delete": 10}
        assert not Customer.objects.exists()


class TestAThousandRowsEditedBetweenReviewAndApply:
    """Issue 5: 1,000 reported, 0 overwritten, whatever made the plan."""

    def moved_since(self):
        with change_set(actor=UserFactory(username="berta"), door="form", verb="tests.edit", reason="Because"):
            Customer.objects.update(city="Ystad")
        return rows()

    @pytest.fixture
    def thousand(self, analyst):
        return imported(analyst, ((n, "Lund", 5) for n in range(1000))).applying.change_set

    def test_by_an_import(self, analyst, thousand):
        text = HEADER + "".join(f"C{n:04},Customer {n},Malmö,5,N\n" for n in range(1000))
        plan = submit_import(
            actor=analyst, source=ContentFile(text.encode()), name="file.csv", resource="customers.Customer"
        )
        self.check(plan, "update")

    def test_by_a_bulk_edit(self, analyst, thousand):
        plan = submit_plan(
            actor=analyst,
            source="edit",
            title="Edit",
            model="customers.Customer",
            parameters={
                "selection": Selection(model="customers.Customer").to_json(),
                "changes": {"credit_limit": {"operation": "percent", "value": "4"}},
                "reason": "Spring",
            },
        )
        self.check(plan, "update")

    def test_by_an_undo(self, analyst, thousand):
        self.check(planned(analyst, thousand), "delete")

    def check(self, plan, action):
        if plan.state == "making":
            run_job(plan.making_id)
            plan.refresh_from_db()
        assert plan.counts == {action: 1000}
        moved = self.moved_since()
        plan = applied(plan)
        assert plan.counts == {"drifted": 1000}
        assert plan.rows.filter(outcome="drifted").count() == 1000
        assert rows() == moved


class TestTheCommand:
    def run(self, *arguments):
        out, err = StringIO(), StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("undo", *map(str, arguments), stdout=out, stderr=err)
        return ended.value.code, out.getvalue(), err.getvalue()

    @pytest.fixture(autouse=True)
    def here(self, monkeypatch):
        monkeypatch.setattr("admin_ext.transfers.waiting.PATIENCE", 0)
        monkeypatch.setattr("admin_ext.transfers.waiting._worker_about", lambda: False)

    def test_takes_a_change_set_back_and_prints_the_receipt(self, analyst):
        act = imported(analyst, ((n, "Lund", 5) for n in range(20))).applying.change_set
        edited_by_others(every=10)
        code, out, _ = self.run(act.pk, "--actor", analyst.username, "--reason", "Wrong file", "--json")
        receipt = json.loads(out)
        assert (code, receipt["rows"], receipt["delete"], receipt["drifted"]) == (1, 20, 18, 2)
        assert Customer.objects.count() == 2

    def test_can_leave_the_plan_for_review(self, analyst):
        act = imported(analyst, [(1, "Lund", 5)]).applying.change_set
        code, out, _ = self.run(act.pk, "--actor", analyst.username, "--reason", "Wrong file", "--plan-only")
        assert code == 0 and "Nothing was applied." in out
        assert Customer.objects.count() == 1

    def test_says_what_it_cannot_do(self, analyst):
        act = imported(analyst, [(1, "Lund", 5)]).applying.change_set
        assert self.run(act.pk, "--actor", "nobody", "--reason", "x")[::2] == (2, "There is no user nobody.\n")
        stranger = UserFactory(username="stranger")
        code, _, err = self.run(act.pk, "--actor", stranger.username, "--reason", "x")
        assert code == 2 and "no right to see" in err

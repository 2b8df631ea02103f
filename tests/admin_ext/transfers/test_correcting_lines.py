"""Lines of a file that fills several entities are corrected where their plan is reviewed: the plan is made again from the
file with what was put in, and is then that of a corrected file."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection, models, transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import claim, run_job
from admin_ext.plans import making
from admin_ext.plans.applying import PlanNotReady, apply_plan, discard_plan
from admin_ext.plans.correcting import (
    PlanMovedOn,
    RowNotCorrectable,
    RowNotDroppable,
    correct_rows,
    drop_rows,
    submit_recheck,
    take_rows_back,
)
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.transfers import flat
from admin_ext.transfers.failures import write_corrected_rows, write_failed_rows
from apps.accounts.models import RolePermission
from apps.customers.models import Customer
from apps.orders.models import Order, OrderLine
from tests.admin_ext.transfers.test_flat import (
    RIGHTS,
    SALES,
    applied,
    imported,
    mapping,
    outcomes,
    planned,
)
from tests.apps.inventory.factories import WarehouseFactory
from tests.factories import CustomerFactory, UserFactory, give_role, police

pytestmark = pytest.mark.django_db
# Invoice 2 cannot be: its second line, line 7 of the file, has no number of units.
BROKEN = SALES + "2,2026-01-03,11.0,Eleven,B,Bread,x,1\n"
MENDED = BROKEN.replace(",x,", ",5,")
# Line 7 says another customer of invoice 2 than line 5 does.
DISAGREES = SALES + "2,2026-01-03,10.0,Ten,B,Bread,1,1\n"
INVOICE, DAY, CUSTOMER, NAME, SKU, TEXT, UNITS, PRICE = range(8)
FAILED = (Action.INVALID, Action.REFUSED)


@pytest.fixture
def analyst():
    WarehouseFactory(code="W")
    return give_role(UserFactory(), *RIGHTS)


def line(plan, number):
    """The row of a line of the file."""
    return plan.rows.get(line=number, raw__isnull=False)


def checked(plan):
    """The plan when what was put in was checked."""
    plan.refresh_from_db()
    assert plan.state == Plan.State.MAKING
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.READY, plan.notes
    return plan


def corrected(actor, plan, cells):
    """The plan with texts by line and position."""
    correct_rows(actor=actor, plan=plan, cells={line(plan, number).number: texts for number, texts in cells.items()})
    return checked(plan)


def contents(plan, *, places=True):
    """All that a plan says, without keys that its sequences gave and without what a reviewer did; `places` are those of
    lines within their documents."""
    rows = list(plan.rows.exclude(action=Action.LEFT))
    made = {(row.model, row.target_id): f"new {row.key}" for row in rows if row.action == Action.CREATE}
    told = []
    for row in rows:
        after = dict(row.after or {})
        for field in plan.model_of(row)._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and field.column in after:
                key = (field.related_model._meta.label, after[field.column])
                after[field.column] = made.get(key, after[field.column])
        is_line = row.raw is not None
        if is_line and not places:
            after.pop("number", None)
        target = row.target_id if row.action in (Action.UPDATE, Action.UNCHANGED) else None
        key = "" if is_line and not places else row.key
        told.append((row.model, row.line, is_line, key, row.action, target, row.before, after, row.errors))
    return sorted(told, key=str)


def receipt(plan):
    """What became of rows and lines, without what was dropped."""
    entities = {
        name: {action: n for action, n in of.items() if action != "left"} for name, of in outcomes(plan).items()
    }
    lines = {name: n for name, n in plan.parameters["lines"].items() if name in ("accepted", "rejected")}
    return {name: of for name, of in entities.items() if of}, lines


def adds_up(plan):
    lines = plan.parameters["lines"]
    assert lines["read"] == lines["accepted"] + lines["rejected"] + lines.get("dropped", 0)
    assert lines["read"] == plan.rows.filter(raw__isnull=False).count()
    assert plan.counts == plan.count_outcomes()
    of_all = {}
    for counts in outcomes(plan).values():
        for action, number in counts.items():
            of_all[action] = of_all.get(action, 0) + number
    assert of_all == plan.counts
    assert sorted(plan.rows.values_list("number", flat=True)) == list(range(1, plan.total + 1))
    return True


class TestCorrecting:
    def test_a_line_makes_its_document_whole(self, analyst):
        plan = corrected(analyst, planned(analyst, BROKEN), {7: {UNITS: "5"}})
        assert plan.parameters["lines"] == {"read": 6, "accepted": 6, "rejected": 0} and adds_up(plan)
        assert outcomes(plan)["Order"] == {"create": 2} and not plan.bad
        row = line(plan, 7)
        assert row.raw[UNITS] == "x" and row.cells[UNITS] == "5"
        (entry,) = row.corrections["log"]
        assert (entry["name"], entry["column"], entry["before"], entry["after"]) == (str(analyst), "units", "x", "5")
        assert applied(analyst, plan, "all_or_nothing").counts == {"create": 13}
        lines = OrderLine.objects.filter(order__number="2").order_by("number")
        assert list(lines.values_list("number", "quantity")) == [(1, 3), (2, 5)]

    def test_one_after_the_other_keeps_what_was_put_in_before(self, analyst):
        plan = planned(analyst, BROKEN + "3,2026-01-03,11.0,Eleven,B,Bread,y,1\n")
        plan = corrected(analyst, plan, {7: {UNITS: "5"}})
        assert plan.counts["invalid"] == 1
        plan = corrected(analyst, plan, {8: {UNITS: "6"}})
        assert not plan.bad and line(plan, 7).cells[UNITS] == "5" and line(plan, 8).cells[UNITS] == "6"
        assert plan.rows.filter(corrections__isnull=False).count() == 2

    def test_a_line_is_moved_to_another_document(self, analyst):
        plan = corrected(analyst, planned(analyst, DISAGREES), {7: {INVOICE: "1"}})
        assert contents(plan) == contents(
            planned(analyst, DISAGREES[: -len(DISAGREES.splitlines()[-1]) - 1] + "1,2026-01-03,10.0,Ten,B,Bread,1,1\n")
        )
        errors = plan.rows.get(model="orders.Order", key="1").errors
        assert "Line 7 says “2026-01-03” where line 2 says “2026-01-02”" in errors[0]["message"]
        plan = corrected(analyst, plan, {7: {DAY: "2026-01-02"}})
        assert not plan.bad and adds_up(plan)
        applied(analyst, plan)
        assert list(
            OrderLine.objects.filter(order__number="1").values_list("number", flat=True).order_by("number")
        ) == [1, 2, 3, 4]

    def test_a_product_that_no_line_names_any_more_is_not_made(self, analyst):
        plan = planned(analyst, SALES + "9,2026-01-03,11.0,Eleven,AA,Typo,z,1\n")
        assert outcomes(plan)["Product"] == {"create": 3}
        plan = corrected(analyst, plan, {7: {SKU: "A", UNITS: "1"}})
        assert outcomes(plan)["Product"] == {"create": 2} and not plan.bad

    def test_a_row_of_many_lines_is_corrected_in_all_that_say_the_same(self, analyst):
        wrong = SALES.replace("1,2026-01-02", "1,2026-01-32")
        plan = planned(analyst, wrong)
        order = plan.rows.get(model="orders.Order", key="1")
        assert order.errors[0]["line"] == 2
        number = line(plan, 2).number
        correct_rows(actor=analyst, plan=plan, cells={number: {DAY: "2026-01-02"}}, alike={(number, DAY): order.number})
        plan = checked(plan)
        assert not plan.bad and contents(plan) == contents(planned(analyst, SALES))
        assert [line(plan, each).corrections is not None for each in (2, 3, 4, 5)] == [True, True, True, False]

    def test_and_in_no_other(self, analyst):
        more = "2,2026-01-03,10.0,Ten,A,Apple,1,1\n"
        plan = planned(analyst, DISAGREES + more + f"2{more}")
        order, number = plan.rows.get(model="orders.Order", key="2"), line(plan, 7).number
        cells = {number: {CUSTOMER: "12.0"}}
        correct_rows(actor=analyst, plan=plan, cells=cells, alike={(number, CUSTOMER): order.number}, checks=False)
        # Line 5 of this order says 11.0, and all lines of the orders 1 and 22 say 10.0 too.
        lines = plan.rows.filter(corrections__isnull=False).values_list("line", flat=True)
        assert sorted(lines) == [7, 8]

    def test_a_good_line_is_corrected_only_where_its_row_failed(self, analyst):
        plan = planned(analyst, DISAGREES)
        order, number = plan.rows.get(model="orders.Order", key="2"), line(plan, 2).number
        for cells, alike in (
            ({number: {CUSTOMER: "11"}}, {}),
            ({number: {CUSTOMER: "11"}}, {(number, CUSTOMER): order.number}),
            ({order.number: {CUSTOMER: "11"}}, {}),
            ({line(plan, 7).number: {9: "x"}}, {}),
            ({line(plan, 7).number: {CUSTOMER: "11"}}, {(line(plan, 7).number, CUSTOMER): number}),
        ):
            with pytest.raises(RowNotCorrectable):
                correct_rows(actor=analyst, plan=plan, cells=cells, alike=alike)
        plan.refresh_from_db()
        assert plan.state == Plan.State.READY and not plan.is_unchecked
        assert not plan.rows.filter(corrections__isnull=False).exists()

    def test_a_line_of_broken_shape_is_put_in_shape(self, analyst):
        plan = planned(analyst, SALES + "2,2026-01-03,11.0,Ele, ven,B,Bread,4,1\n")
        mended = {NAME: "Eleven", SKU: "B", TEXT: "Bread", UNITS: "4", PRICE: "1", 8: ""}
        plan = corrected(analyst, plan, {7: mended})
        assert not plan.bad and line(plan, 7).raw[3:5] == ["Ele", " ven"]
        assert contents(plan) == contents(planned(analyst, SALES + "2,2026-01-03,11.0,Eleven,B,Bread,4,1\n"))

    def test_groups_hold_over_batches(self, analyst, monkeypatch):
        monkeypatch.setattr(flat, "BATCH", 2)
        plan = corrected(analyst, planned(analyst, BROKEN), {7: {UNITS: "5"}})
        assert contents(plan) == contents(planned(analyst, MENDED)) and adds_up(plan)

    def test_what_was_missing_may_be_there_by_now(self, analyst):
        using = mapping(**{"orders.Order": {"warehouse": {"constant": "X"}}})
        plan = planned(analyst, SALES, using)
        assert plan.bad
        with change_set(actor=None, door="shell"):
            WarehouseFactory(code="X")
        submit_recheck(actor=analyst, plan=plan)
        assert not checked(plan).bad


class TestKeeping:
    def test_what_is_kept_is_checked_in_one_go_and_nothing_is_applied_before(self, analyst):
        plan = planned(analyst, BROKEN + "3,2026-01-03,11.0,Eleven,B,Bread,y,1\n")
        for number, units in ((7, "5"), (8, "6")):
            plan = correct_rows(
                actor=analyst, plan=plan, cells={line(plan, number).number: {UNITS: units}}, checks=False
            )
        assert plan.state == Plan.State.READY and plan.is_unchecked and plan.counts["invalid"] == 2
        with pytest.raises(PlanNotReady):
            apply_plan(actor=analyst, plan=plan, mode="keep_good")
        submit_recheck(actor=analyst, plan=plan)
        plan = checked(plan)
        assert not plan.bad and not plan.is_unchecked
        assert applied(analyst, plan).state == Plan.State.APPLIED


class TestDropping:
    def test_a_line_makes_its_document_whole_without_it(self, analyst):
        plan = planned(analyst, BROKEN)
        assert drop_rows(actor=analyst, plan=plan, numbers=[line(plan, 7).number]) == 1
        plan = checked(plan)
        assert plan.parameters["lines"] == {"read": 6, "accepted": 5, "rejected": 0, "dropped": 1} and adds_up(plan)
        assert not plan.bad and line(plan, 7).action == Action.LEFT
        applied(analyst, plan, "all_or_nothing")
        assert plan.rows.model.objects.filter(plan=plan, outcome="left").count() == 0
        assert OrderLine.objects.filter(order__number="2").count() == 1

    def test_the_lines_after_it_stay_at_their_places(self, analyst):
        plan = planned(analyst, SALES.replace("1,2026-01-02,10.0,Ten,B,Bread,1,", "1,2026-01-02,10.0,Ten,B,Bread,x,"))
        drop_rows(actor=analyst, plan=plan, numbers=[line(plan, 3).number])
        applied(analyst, checked(plan), "all_or_nothing")
        assert list(
            OrderLine.objects.filter(order__number="1").values_list("number", flat=True).order_by("number")
        ) == [1, 3]
        again = imported(analyst, SALES, mode="all_or_nothing")
        assert outcomes(again)["OrderLine"] == {"unchanged": 3, "create": 1}

    def test_all_lines_of_an_outcome_and_what_only_they_named(self, analyst):
        plan = planned(analyst, BROKEN.replace("11.0", "12.0"))
        assert drop_rows(actor=analyst, plan=plan, outcome="invalid") == 1
        plan = checked(plan)
        assert not plan.bad
        numbers = list(plan.rows.filter(model="orders.OrderLine", line=5).values_list("number", flat=True))
        drop_rows(actor=analyst, plan=plan, numbers=numbers)
        plan = checked(plan)
        assert outcomes(plan)["Order"] == {"create": 1} and adds_up(plan)
        assert plan.parameters["lines"]["dropped"] == 2

    def test_is_taken_back(self, analyst):
        plan = planned(analyst, BROKEN)
        before = contents(plan)
        drop_rows(actor=analyst, plan=plan, numbers=[line(plan, 7).number])
        plan = checked(plan)
        assert take_rows_back(actor=analyst, plan=plan, numbers=[line(plan, 7).number]) == 1
        plan = checked(plan)
        assert contents(plan) == before and adds_up(plan)
        assert [entry["did"] for entry in line(plan, 7).corrections["log"]] == ["dropped", "taken back"]

    def test_a_new_row_of_many_lines_is_not_dropped_from_under_them(self, analyst):
        plan = planned(analyst, BROKEN)
        with pytest.raises(RowNotDroppable):
            drop_rows(actor=analyst, plan=plan, numbers=[plan.rows.get(model="orders.Order", key="1").number])

    def test_a_row_that_is_there_stays_as_it_is_when_the_plan_is_made_again(self, analyst):
        CustomerFactory(code="10", name="Ours")
        using = mapping()
        using["entities"][0]["existing"] = "update"
        plan = planned(analyst, BROKEN, using)
        drop_rows(actor=analyst, plan=plan, numbers=[plan.rows.get(model="customers.Customer", key="10").number])
        plan = corrected(analyst, checked(plan), {7: {UNITS: "5"}})
        assert outcomes(plan)["Customer"] == {"left": 1, "create": 1} and adds_up(plan)
        applied(analyst, plan, "all_or_nothing")
        assert Customer.objects.get(code="10").name == "Ours" and Order.objects.filter(number="1").exists()


class TestWhatHappensMeanwhile:
    def test_a_second_window_does_not_write_over_the_first(self, analyst):
        plan = planned(analyst, BROKEN)
        seen, number = plan.revision, line(plan, 7).number
        correct_rows(actor=analyst, plan=plan, cells={number: {UNITS: "5"}}, seen=seen)
        with pytest.raises(PlanNotReady):
            correct_rows(actor=analyst, plan=plan, cells={number: {UNITS: "6"}}, seen=seen)
        plan = checked(plan)
        with pytest.raises(PlanMovedOn):
            correct_rows(actor=analyst, plan=plan, cells={number: {UNITS: "6"}}, seen=seen)
        with pytest.raises(PlanMovedOn):
            drop_rows(actor=analyst, plan=plan, numbers=[number], seen=seen)
        assert line(plan, 7).cells[UNITS] == "5"

    @pytest.mark.parametrize("end", [discard_plan, lambda **kw: apply_plan(mode="keep_good", **kw)])
    def test_a_plan_that_was_discarded_or_applied_refuses(self, analyst, end):
        plan = planned(analyst, BROKEN)
        end(actor=analyst, plan=plan)
        with pytest.raises(PlanNotReady):
            correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        with pytest.raises(PlanNotReady):
            drop_rows(actor=analyst, plan=plan, numbers=[line(plan, 7).number])
        assert line(plan, 7).corrections is None

    def test_while_it_is_made_again_it_is_not_applied(self, analyst):
        plan = planned(analyst, BROKEN)
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        for service in (lambda **kw: apply_plan(mode="keep_good", **kw), discard_plan):
            with pytest.raises(PlanNotReady):
                service(actor=analyst, plan=plan)

    def test_a_job_that_fails_half_way_leaves_the_plan_as_it_was(self, analyst, monkeypatch):
        monkeypatch.setattr(flat, "BATCH", 2)
        plan = planned(analyst, BROKEN)
        before = [*plan.rows.values_list("pk", "number", "action")]
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        stop_after(monkeypatch, 4)
        plan.refresh_from_db()
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert Job.objects.get(pk=plan.making_id).state == Job.State.FAILED
        assert plan.state == Plan.State.READY and plan.is_unchecked
        assert [*plan.rows.values_list("pk", "number", "action")] == before
        assert not PlanRow.objects.filter(plan_id__lt=0).exists()
        assert "Not all rows were checked again" in plan.notes[-1]
        with pytest.raises(PlanNotReady):
            apply_plan(actor=analyst, plan=plan, mode="keep_good")
        monkeypatch.undo()
        submit_recheck(actor=analyst, plan=plan)
        assert contents(checked(plan)) == contents(planned(analyst, MENDED))

    def test_a_worker_that_died_half_way_is_followed_by_one_that_begins_anew(self, analyst, monkeypatch):
        monkeypatch.setattr(flat, "BATCH", 2)
        plan = planned(analyst, BROKEN)
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        plan.refresh_from_db()
        stop_after(monkeypatch, 4, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            run_job(plan.making_id)
        monkeypatch.undo()
        assert PlanRow.objects.filter(plan_id=-plan.pk).exists() and plan.rows.count() == 13
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE jobs_job SET lease_until = now() - interval '1 hour' WHERE id = %s", [plan.making_id]
            )
        plan = checked(plan)
        assert contents(plan) == contents(planned(analyst, MENDED)) and adds_up(plan)
        assert not PlanRow.objects.filter(plan_id__lt=0).exists()
        assert claim(plan.making_id) is None

    def test_the_first_making_that_comes_back_late_does_not_throw_corrections_away(self, analyst):
        plan = planned(analyst, BROKEN)
        first = plan.making_id
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        Job.objects.filter(pk=first).update(state=Job.State.QUEUED, finished_at=None)
        run_job(first)
        assert line(plan, 7).corrections is not None
        assert not checked(plan).bad

    def test_a_job_that_is_cancelled_at_work_gives_the_plan_back(self, analyst):
        plan = planned(analyst, BROKEN)
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        plan.refresh_from_db()
        Job.objects.filter(pk=plan.making_id).update(cancel_requested_at=timezone.now())
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert plan.state == Plan.State.READY and plan.is_unchecked


class TestRights:
    def test_is_for_who_made_the_plan_and_as_long_as_they_may_import(self, analyst):
        plan = planned(analyst, BROKEN)
        cells = {line(plan, 7).number: {UNITS: "5"}}
        for act in (correct_rows, lambda cells, **kw: drop_rows(numbers=list(cells), **kw)):
            with pytest.raises(NotPermitted):
                act(actor=give_role(UserFactory(), *RIGHTS), plan=plan, cells=cells)
        with change_set(actor=None, door="shell"):
            RolePermission.objects.filter(permission__codename="import_order").delete()
        lost = type(analyst).objects.get(pk=analyst.pk)
        with pytest.raises(NotPermitted):
            correct_rows(actor=lost, plan=plan, cells=cells)

    @pytest.mark.parametrize("treatment", ["hidden", "masked"])
    def test_a_column_that_was_taken_since_is_neither_shown_nor_corrected(self, analyst, client, treatment):
        canary = "QQ7531975QQ" * 40
        plan = planned(analyst, BROKEN + f"9,2026-01-03,12.0,{canary},A,,1,1\n9,2026-01-03,12.0,,A,,x,1\n")
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 9).number: {NAME: canary[:-1]}}, checks=False)
        address = reverse("admin:plans_plan_change", args=[plan.pk])
        client.force_login(analyst)
        assert canary[:-1] in client.get(address).text
        analyst = police(analyst, "customers.Customer:name", treatment)
        client.force_login(analyst)
        page = client.get(address)
        assert "QQ7531975QQ" not in page.text and 'name="cell-' not in page.text
        assert client.get(reverse("admin:plans_plan_row", args=[plan.pk, line(plan, 9).number])).status_code == 404
        with pytest.raises(NotPermitted):
            correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})

    def test_a_right_that_goes_while_the_job_waits_gives_the_plan_back(self, analyst):
        plan = planned(analyst, BROKEN)
        correct_rows(actor=analyst, plan=plan, cells={line(plan, 7).number: {UNITS: "5"}})
        police(analyst, "customers.Customer:name", "hidden")
        plan.refresh_from_db()
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert plan.state == Plan.State.READY and plan.is_unchecked
        assert Job.objects.get(pk=plan.making_id).state == Job.State.FAILED
        assert not PlanRow.objects.filter(plan_id__lt=0).exists()


class TestThePage:
    @pytest.fixture
    def client(self, client, analyst):
        client.force_login(analyst)
        return client

    def post(self, client, plan, **sent):
        sent = {"seen": plan.revision, **{name.replace("_", "-"): text for name, text in sent.items()}}
        response = client.post(reverse("admin:plans_plan_rows", args=[plan.pk]), sent)
        return client.get(response.url)

    def test_cells_of_lines_and_of_rows_of_many_lines_are_corrected_on_the_page(self, analyst, client):
        plan = planned(analyst, BROKEN.replace("2026-01-02", "2026-01-32"))
        order, number, units = plan.rows.get(model="orders.Order", key="1"), line(plan, 2).number, line(plan, 7).number
        page = client.get(reverse("admin:plans_plan_change", args=[plan.pk]))
        assert f'name="cell-{units}-{UNITS}" value="x"' in page.text
        assert f'name="cell-{number}-{DAY}-{order.number}" value="2026-01-32"' in page.text
        assert "the whole file is read again" in page.text
        sent = {f"cell_{units}_{UNITS}": "5", f"cell_{number}_{DAY}_{order.number}": "2026-01-02"}
        page = self.post(client, plan, do="correct", **sent)
        assert page.context["busy"] and not page.context["reviews"]
        plan = checked(plan)
        assert contents(plan) == contents(planned(analyst, MENDED))
        file = client.get(reverse("admin:plans_plan_corrected", args=[plan.pk]))
        lines = b"".join(file.streaming_content).decode().splitlines()
        assert lines[1].startswith("1,2026-01-32,") and "“2026-01-32” became “2026-01-02”" in lines[1]
        assert (
            len(lines) == 5
            and str(analyst) in lines[4]
            and lines[4].startswith("2,2026-01-03,11.0,Eleven,B,Bread,x,1,")
        )

    def test_what_is_kept_waits_and_the_page_says_so(self, analyst, client):
        plan = planned(analyst, BROKEN)
        page = self.post(client, plan, do="keep", **{f"cell_{line(plan, 7).number}_{UNITS}": "5"})
        assert "It is kept." in page.text and "waits to be checked" in page.text
        assert 'value="keep_good"' not in page.text and "Check what I kept" in page.text
        plan.refresh_from_db()
        self.post(client, plan, do="correct")
        assert not checked(plan).bad

    def test_a_page_that_was_opened_before_is_refused(self, analyst, client):
        plan = planned(analyst, BROKEN)
        number = line(plan, 7).number
        self.post(client, plan, do="keep", **{f"cell_{number}_{UNITS}": "5"})
        for sent in ({"seen": "0"}, {"seen": ""}):
            page = self.post(client, plan, do="correct", **sent, **{f"cell_{number}_{UNITS}": "6"})
            assert "was corrected or checked meanwhile" in page.text
        assert line(plan, 7).cells[UNITS] == "5"

    def test_all_cells_of_a_line_also_of_that_behind_a_row_of_many(self, analyst, client):
        plan = planned(analyst, DISAGREES)
        order, number = plan.rows.get(model="orders.Order", key="2"), line(plan, 7).number
        page = client.get(reverse("admin:plans_plan_row", args=[plan.pk, order.number]))
        assert f'name="cell-{number}-{CUSTOMER}-{order.number}" value="10.0"' in page.text
        assert (
            f'name="cell-{number}-{TEXT}" value="Bread"'
            in client.get(reverse("admin:plans_plan_row", args=[plan.pk, number])).text
        )

    def test_the_failed_lines_come_as_they_came_and_the_corrected_ones_say_what_was_done(self, analyst, tmp_path):
        plan = planned(analyst, BROKEN + "3,2026-01-03,11.0,Eleven,B,Bread,y,1\n")
        plan = corrected(analyst, plan, {7: {UNITS: "zero"}})
        assert write_failed_rows(plan, tmp_path / "failed.csv") == 3
        _, *rows = csv.reader(io.StringIO((tmp_path / "failed.csv").read_text()))
        assert [row[UNITS] for row in rows] == ["3", "x", "y"] and "“zero”" in rows[1][-1]
        assert write_corrected_rows(plan, tmp_path / "corrected.csv") == 1
        _, row = csv.reader(io.StringIO((tmp_path / "corrected.csv").read_text()))
        assert row[UNITS] == "x" and "units: “x” became “zero”" in row[-1]


def stop_after(monkeypatch, batches, error=RuntimeError):
    """Writing stops when so many batches were written."""
    write, done = making.write_rows, []

    def written(*args):
        done.append(1)
        if len(done) > batches:
            raise error("stopped")
        return write(*args)

    monkeypatch.setattr(making, "write_rows", written)


# -- any file -----------------------------------------------------------------------------------

texts = {
    INVOICE: st.sampled_from(["1", "2", "3", "C4", ""]),
    DAY: st.sampled_from(["2026-01-02", "2026-01-02", "2026-01-03", "yesterday", ""]),
    CUSTOMER: st.sampled_from(["10.0", "10.0", "11", "12", ""]),
    NAME: st.sampled_from(["Ten", "Ten", "Eleven", ""]),
    SKU: st.sampled_from(["A", "B", "A", ""]),
    TEXT: st.sampled_from(["Apple", "Bread", ""]),
    UNITS: st.sampled_from(["1", "2", "-1", "x"]),
    PRICE: st.sampled_from(["1", "1.50", "free"]),
}
files = st.lists(st.tuples(*texts.values()).filter(any), min_size=1, max_size=7)
puts = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(list(texts))).flatmap(
        lambda place: st.tuples(st.just(place), texts[place[1]])
    ),
    max_size=6,
)


def as_lines(rows):
    """The lines of a file; a dropped one stays as a blank one."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


class TestAnyFile:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(files, st.lists(puts, min_size=1, max_size=2), st.booleans())
    def test_a_corrected_plan_is_that_of_the_corrected_file(self, analyst, rows, rounds, is_there):
        with transaction.atomic():
            if is_there:
                imported(analyst, SALES)
            rows = [list(row) for row in rows]
            plan = planned(analyst, as_lines(rows))
            for put in rounds:
                failed = [row.line for row in plan.rows.filter(raw__isnull=False, action__in=FAILED)]
                cells = {}
                for (which, position), text in put if failed else ():
                    cells.setdefault(failed[which % len(failed)], {})[position] = text
                before = [list(row) for row in rows]
                for number, of_line in cells.items():
                    for position, text in of_line.items():
                        rows[number - 2][position] = text
                if rows != before:
                    plan = corrected(analyst, plan, cells)
            assert contents(plan) == contents(planned(analyst, as_lines(rows))) and adds_up(plan)
            transaction.set_rollback(True)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(files, st.lists(st.integers(0, 20), min_size=1, max_size=4))
    def test_a_plan_without_dropped_lines_is_that_of_the_file_without_them(self, analyst, rows, dropped):
        with transaction.atomic():
            plan = planned(analyst, as_lines(rows))
            numbers = {which % len(rows) + 2 for which in dropped}
            drop_rows(actor=analyst, plan=plan, numbers=[line(plan, number).number for number in numbers])
            plan = checked(plan)
            assert adds_up(plan) and plan.parameters["lines"]["dropped"] == len(numbers)
            if len(numbers) < len(rows):
                rest = planned(analyst, as_lines([() if i in numbers else row for i, row in enumerate(rows, 2)]))
                assert contents(plan, places=False) == contents(rest, places=False)
                assert receipt(plan) == receipt(rest)
            transaction.set_rollback(True)

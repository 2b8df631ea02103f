"""Rows that failed are corrected where they are reviewed, dropped and taken back; what came is never lost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import orjson
import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import PlanNotReady, apply_plan
from admin_ext.plans.correcting import (
    NothingToCorrect,
    RowNotCorrectable,
    correct_rows,
    drop_rows,
    submit_recheck,
    take_rows_back,
)
from admin_ext.plans.making import submit_plan
from admin_ext.transfers.cells import as_kept, from_kept
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.reading import CellError
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.contracts.world import everywhere, make, person_for, rights_on
from tests.factories import CustomerFactory, RegionFactory, give_role, police

pytestmark = pytest.mark.django_db
HEADER = "code,name,region,credit_limit\n"


@pytest.fixture
def analyst():
    RegionFactory(code="NORD")
    return give_role(person_for(Customer), "customers.view_region")


def planned(actor, text, **kwargs):
    plan = submit_import(
        actor=actor, source=ContentFile(text.encode()), name="file.csv", resource="customers.Customer", **kwargs
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def applied(actor, plan, mode="all_or_nothing"):
    plan = apply_plan(actor=actor, plan=plan, mode=mode)
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


class TestCorrecting:
    def test_checks_the_row_again_and_keeps_who_put_in_what(self, analyst):
        plan = planned(analyst, HEADER + "A1,One,NORD,1\nA2,Two,NROD,x\n")
        assert plan.counts == {"create": 1, "invalid": 1}
        plan = correct_rows(actor=analyst, plan=plan, cells={2: {2: "NORD"}})
        row = plan.rows.get(number=2)
        assert row.action == "invalid" and [error["column"] for error in row.errors] == ["credit_limit"]
        plan = correct_rows(actor=analyst, plan=plan, cells={2: {3: "7"}})
        assert plan.counts == {"create": 2}
        row = plan.rows.get(number=2)
        assert row.raw == ["A2", "Two", "NROD", "x"] and row.cells == ["A2", "Two", "NORD", "7"]
        said = [(entry["name"], entry["column"], entry["before"], entry["after"]) for entry in row.corrections["log"]]
        assert said == [(str(analyst), "region", "NROD", "NORD"), (str(analyst), "credit_limit", "x", "7")]
        assert applied(analyst, plan).counts == {"create": 2}
        assert Customer.objects.get(code="A2").region.code == "NORD"

    def test_corrects_nothing_that_is_right_and_no_cell_that_there_is_not(self, analyst):
        plan = planned(analyst, HEADER + "A1,One,NORD,1\nA2,Two,NORD,x\n")
        for cells in ({1: {1: "Other"}}, {3: {1: "x"}}, {2: {9: "x"}}):
            with pytest.raises(RowNotCorrectable):
                correct_rows(actor=analyst, plan=plan, cells=cells)
        assert not plan.rows.filter(corrections__isnull=False).exists()

    def test_a_row_cannot_be_corrected_into_one_that_stands_in_the_plan(self, analyst):
        CustomerFactory(code="OLD", name="Before")
        plan = planned(analyst, HEADER + "A1,One,NORD,1\nOLD,Two,,\nB1,Three,NROD,1\nB2,Four,NROD,1\n")
        plan = correct_rows(actor=analyst, plan=plan, cells={3: {0: "A1", 2: "NORD"}, 4: {0: "OLD", 2: "NORD"}})
        told = [plan.rows.get(number=number).errors[0]["message"] for number in (3, 4)]
        assert told == ["The same code stands in row 1 already.", "The same code stands in row 2 already."]

    def test_a_row_with_a_cell_too_many_is_put_in_shape(self, analyst):
        plan = planned(analyst, HEADER + "A1,One, Two,NORD,1\n")
        assert plan.counts == {"invalid": 1}
        plan = correct_rows(actor=analyst, plan=plan, cells={1: {1: "One, Two", 2: "NORD", 3: "1", 4: ""}})
        assert plan.counts == {"create": 1}
        assert plan.rows.get().after["name"] == "One, Two"

    def test_is_for_who_made_the_plan_and_as_long_as_they_may_import(self, analyst):
        plan = planned(analyst, HEADER + "A1,One,NROD,1\n")
        with pytest.raises(NotPermitted):
            correct_rows(actor=person_for(Customer), plan=plan, cells={1: {2: "NORD"}})
        with change_set(actor=None, door="shell"):
            analyst.groups.clear()
        lost = type(analyst).objects.get(pk=analyst.pk)
        with pytest.raises(NotPermitted):
            correct_rows(actor=lost, plan=plan, cells={1: {2: "NORD"}})
        assert plan.rows.get().action == "invalid"

    def test_a_plan_that_was_applied_or_has_no_cells_refuses(self, analyst):
        plan = planned(analyst, HEADER + "A1,One,NORD,1\nA2,Two,NORD,x\n")
        plan = applied(analyst, plan, mode="keep_good")
        with pytest.raises(PlanNotReady):
            correct_rows(actor=analyst, plan=plan, cells={2: {3: "1"}})
        with pytest.raises(PlanNotReady):
            drop_rows(actor=analyst, plan=plan, numbers=[2])
        edit = submit_plan(
            actor=analyst,
            source="edit",
            title="Edit",
            model="customers.Customer",
            parameters={
                "selection": {"model": "customers.Customer"},
                "changes": {"city": {"operation": "set", "value": "Lund"}},
            },
        )
        run_job(edit.making_id)
        with pytest.raises(NothingToCorrect):
            correct_rows(actor=analyst, plan=edit, cells={1: {0: "1"}})

    def test_all_that_failed_is_checked_again_when_what_it_missed_is_there(self, analyst):
        plan = planned(analyst, HEADER + "A1,One,SUD,1\nA2,Two,SUD,1\nA3,Three,SUD,x\n")
        assert plan.counts == {"invalid": 3}
        RegionFactory(code="SUD")
        plan = submit_recheck(actor=analyst, plan=plan)
        assert plan.state == "making"
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert (plan.state, plan.counts) == ("ready", {"create": 2, "invalid": 1})


class TestDropping:
    def test_leaves_rows_out_and_takes_them_back(self, analyst):
        plan = planned(analyst, HEADER + "A1,One,NORD,1\nA2,Two,NORD,x\nA3,Three,NORD,y\nA4,Four,NORD,1\n")
        assert drop_rows(actor=analyst, plan=plan, numbers=[1]) == 1
        assert drop_rows(actor=analyst, plan=plan, outcome="invalid") == 2
        plan.refresh_from_db()
        assert plan.counts == {"left": 3, "create": 1}
        assert take_rows_back(actor=analyst, plan=plan, numbers=[1, 4]) == 1
        plan.refresh_from_db()
        assert plan.counts == {"left": 2, "create": 2}
        assert applied(analyst, plan).counts == {"left": 2, "create": 2}
        assert set(Customer.objects.values_list("code", flat=True)) == {"A1", "A4"}


class TestThePage:
    @pytest.fixture
    def client(self, client, analyst):
        client.force_login(analyst)
        return client

    def test_three_cells_are_corrected_on_the_page(self, analyst, client):
        plan = planned(analyst, HEADER + "A1,One,NROD,x\nA2,,NORD,1\nA3,Three,NORD,3\n")
        page = client.get(reverse("admin:plans_plan_change", args=[plan.pk])).text
        for name, value in (("cell-1-2", "NROD"), ("cell-1-3", "x"), ("cell-2-1", "")):
            assert f'name="{name}" value="{value}"' in page
        sent = {"do": "correct", "cell-1-2": "NORD", "cell-1-3": "1", "cell-2-1": "Two", "query": "?rows=invalid"}
        response = client.post(reverse("admin:plans_plan_rows", args=[plan.pk]), sent)
        assert response.url.endswith("?rows=invalid")
        assert "2 rows are right now." in client.get(response.url).text
        plan.refresh_from_db()
        assert plan.counts == {"create": 3}
        file = client.get(reverse("admin:plans_plan_corrected", args=[plan.pk]))
        lines = b"".join(file.streaming_content).decode().splitlines()
        assert lines[1].startswith("A1,One,NROD,x,") and "“NROD” became “NORD”" in lines[1] and str(analyst) in lines[1]

    def test_one_row_with_all_its_cells(self, analyst, client):
        plan = planned(analyst, HEADER + "A1,One,NROD,x\nA3,Three,NORD,3\n")
        page = client.get(reverse("admin:plans_plan_row", args=[plan.pk, 1])).text
        assert 'name="cell-1-0" value="A1"' in page
        assert client.get(reverse("admin:plans_plan_row", args=[plan.pk, 9])).status_code == 404
        client.force_login(person_for(Customer))
        assert client.get(reverse("admin:plans_plan_row", args=[plan.pk, 1])).status_code == 404

    def test_rows_are_found_by_outcome_column_and_name(self, analyst, client):
        plan = planned(analyst, HEADER + "A1,One,NROD,1\nA2,Two,NORD,x\nA3,Three,NORD,3\nB3,Three,NORD,3\n")
        address = reverse("admin:plans_plan_change", args=[plan.pk])

        def numbers(query):
            return [each["row"].number for each in client.get(address + query).context["rows"]]

        assert numbers("") == [1, 2, 3, 4]
        assert numbers("?rows=invalid") == [1, 2]
        assert numbers("?column=region") == [1]
        assert numbers("?q=a&rows=create") == [3]
        assert numbers("?column=name") == []
        assert numbers("?after=2") == [3, 4]

    def test_what_was_taken_from_its_maker_since_is_neither_shown_nor_found_nor_corrected(self, analyst, client):
        text = "code,name,tax_number,region\nA1,One,QQ7531975QQ-far-too-long-for-a-tax-number-of-anybody-at-all,NROD\n"
        plan = planned(analyst, text)
        plan = correct_rows(actor=analyst, plan=plan, cells={1: {2: "QQ7531975QQ-again-far-too-long-for-it-" * 2}})
        address = reverse("admin:plans_plan_change", args=[plan.pk])
        assert "QQ7531975QQ" in client.get(address).text
        client.force_login(police(analyst, "customers.Customer:tax_number", "hidden"))
        page = client.get(address)
        assert "QQ7531975QQ" not in page.text and "tax_number" not in page.context["columns"]
        assert not client.get(f"{address}?column=tax_number").context["rows"]
        assert client.get(reverse("admin:plans_plan_row", args=[plan.pk, 1])).status_code == 404
        client.post(reverse("admin:plans_plan_rows", args=[plan.pk]), {"do": "correct", "cell-1-2": "1"})
        assert plan.rows.get().cells[2].startswith("QQ7531975QQ-again")

    def test_cells_of_a_workbook_keep_their_kind(self):
        kept = [Decimal("1234.50"), date(2026, 3, 31), datetime(2026, 3, 31, 14, 5), CellError("#N/A"), 7, "7", None]
        assert [from_kept(orjson.loads(orjson.dumps(as_kept(cell)))) for cell in kept] == kept


def test_new_parts_are_numbered_behind_those_that_the_plan_numbers(analyst):
    order, *products = make(Order, brought_in=True), *(make(Product) for _ in range(4))
    mapping = {
        "key": ["order", "product"],
        "columns": {
            "order": {"from": "O"},
            "product": {"from": "P"},
            "quantity": {"from": "Q"},
            "unit_price": {"constant": "2.50"},
            "number": {"sequence": ["order"]},
        },
    }
    person = give_role(person_for(Order), *rights_on(Product), *everywhere(Order))
    quantities = ("1", "x", "y", "4")
    lines = [f"{order.number},{product.sku},{how}" for product, how in zip(products, quantities, strict=True)]
    plan = submit_import(
        actor=person,
        source=ContentFile("\n".join(["O,P,Q", *lines]).encode()),
        name="lines.csv",
        resource="orders.OrderLine",
        mapping=mapping,
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.counts == {"create": 2, "invalid": 2}
    plan = correct_rows(actor=person, plan=plan, cells={2: {2: "2"}, 3: {2: "3"}})
    assert plan.counts == {"create": 4}
    assert sorted(row.after["number"] for row in plan.rows.all()) == [1, 2, 3, 4]
    assert applied(person, plan).counts == {"create": 4}

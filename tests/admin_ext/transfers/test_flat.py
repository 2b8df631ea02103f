"""Several entities from one flat file: a dozen lines for each rule."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.audit.history import tracked_models
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers import flat
from admin_ext.transfers.failures import write_failed_rows
from admin_ext.transfers.importing import ColumnNotYours, submit_import
from apps.accounts.models import RolePermission
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order, OrderLine, Return, ReturnLine
from tests.apps.inventory.factories import WarehouseFactory
from tests.factories import CustomerFactory, UserFactory, give_role, police

pytestmark = pytest.mark.django_db
HEADER = "invoice,day,customer,name,sku,text,units,price\n"
SALES = (
    "1,2026-01-02,10.0,Ten,A,Apple,2,1.50\n"
    "1,2026-01-02,10.0,Ten,B,Bread,1,0.333\n"
    "1,2026-01-02,10.0,Ten,A,Apple,2,1.50\n"
    "2,2026-01-03,11.0,Eleven,A,Apples,3,1.50\n"
    "C3,2026-01-04,11.0,Eleven,A,,-1,1.50\n"
)
SALE, CREDIT = {"invoice": {"not_begins": "C"}}, {"invoice": {"begins": "C"}}
RIGHTS = [
    *(f"customers.{right}_customer" for right in ("view", "add", "change", "import")),
    *(f"catalogue.{right}_product" for right in ("view", "add", "change", "import")),
    *(f"orders.{right}_{model}" for right in ("view", "add", "change", "import") for model in ("order", "return")),
    "customers.access_all_region",
    "inventory.view_warehouse",
    "inventory.access_all_warehouse",
]


def mapping(**changes):
    """Customers, products, orders and returns with their lines; `changes` by the label of an entity."""
    code = {"from": "customer", "whole": True}
    entities = [
        {
            "resource": "customers.Customer",
            "group_by": ["customer"],
            "existing": "keep",
            "columns": {"code": code, "name": {"from": "name"}},
        },
        {
            "resource": "catalogue.Product",
            "group_by": ["sku"],
            "existing": "fill",
            "columns": {"sku": {"from": "sku"}, "name": {"from": "text", "or_from": "sku", "differs": "first"}},
        },
        {
            "resource": "orders.Order",
            "group_by": ["invoice"],
            "when": SALE,
            "columns": {
                "number": {"from": "invoice"},
                "customer": code,
                "ordered_on": {"from": "day"},
                "warehouse": {"constant": "W"},
            },
        },
        {
            "resource": "orders.Return",
            "group_by": ["invoice"],
            "when": CREDIT,
            "columns": {
                "number": {"from": "invoice"},
                "customer": code,
                "returned_on": {"from": "day"},
                "reason": {"constant": "Credited"},
                "warehouse": {"constant": "W"},
            },
        },
        {
            "resource": "orders.OrderLine",
            "when": {**SALE, "units": {"below": 0}},
            "refuse": "It sells less than nothing.",
        },
        {
            "resource": "orders.OrderLine",
            "when": SALE,
            "columns": {
                "order": {"from": "invoice"},
                "number": {"position": True},
                "product": {"from": "sku"},
                "quantity": {"from": "units"},
                "unit_price": {"from": "price"},
            },
        },
        {
            "resource": "orders.ReturnLine",
            "when": CREDIT,
            "columns": {
                "goods_return": {"from": "invoice"},
                "number": {"position": True},
                "product": {"from": "sku"},
                "quantity": {"from": "units", "negate": True},
                "unit_price": {"from": "price"},
            },
        },
    ]
    for each in entities:
        if "refuse" not in each:
            each["columns"] = {**each["columns"], **changes.get(each["resource"], {})}
    return {"document": ["invoice"], "entities": entities}


@pytest.fixture
def analyst():
    WarehouseFactory(code="W")
    return give_role(UserFactory(), *RIGHTS)


def planned(actor, lines, using=None):
    plan = submit_import(
        actor=actor,
        source=ContentFile((HEADER + lines).encode()),
        name="file.csv",
        resource="orders.Order",
        mapping=using or mapping(),
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.READY, plan.notes
    return plan


def applied(actor, plan, mode="keep_good"):
    plan = apply_plan(actor=actor, plan=plan, mode=mode)
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


def imported(actor, lines, using=None, mode="keep_good"):
    return applied(actor, planned(actor, lines, using), mode)


def outcomes(plan):
    return {each["model"].partition(".")[2]: each["counts"] for each in plan.parameters["entities"]}


def said(plan, line, model="orders.OrderLine"):
    return " ".join(error["message"] for error in plan.rows.get(line=line, model=model).errors)


def history():
    return {model._meta.label: model.history.count() for model in tracked_models()}


class TestOneFile:
    def test_fills_all_its_entities_in_one_plan(self, analyst):
        plan = planned(analyst, SALES)
        assert not Customer.objects.exists() and not Order.objects.exists()
        assert outcomes(plan) == {
            "Customer": {"create": 2},
            "Product": {"create": 2},
            "Order": {"create": 2},
            "Return": {"create": 1},
            "OrderLine": {"create": 4},
            "ReturnLine": {"create": 1},
        }
        assert plan.parameters["lines"] == {"read": 5, "accepted": 5, "rejected": 0}
        plan = applied(analyst, plan, "all_or_nothing")
        assert plan.counts == {"create": 12}
        assert Order.objects.get(number="1").customer.code == "10"
        assert Order.objects.get(number="1").net_total == Decimal("6.333")
        assert Order.objects.get(number="1").brought_in
        (credit,) = ReturnLine.objects.all()
        assert (credit.goods_return.customer.code, credit.quantity, credit.amount) == ("11", 1, Decimal("1.5"))
        assert Return.objects.with_total().get().total == Decimal("1.5")

    def test_lines_that_repeat_keep_a_number_of_their_own(self, analyst):
        imported(analyst, SALES)
        lines = OrderLine.objects.filter(order__number="1").order_by("number")
        assert [(line.number, line.product.sku, line.quantity) for line in lines] == [
            (1, "A", 2),
            (2, "B", 1),
            (3, "A", 2),
        ]

    def test_again_changes_nothing_and_writes_no_history(self, analyst):
        imported(analyst, SALES)
        before = history()
        plan = imported(analyst, SALES)
        assert set(plan.counts) == {"unchanged"} and history() == before
        assert plan.parameters["lines"] == {"read": 5, "accepted": 5, "rejected": 0}

    def test_groups_hold_over_batches(self, analyst, monkeypatch):
        monkeypatch.setattr(flat, "BATCH", 2)
        plan = imported(analyst, SALES, mode="all_or_nothing")
        assert plan.counts == {"create": 12}
        assert list(
            OrderLine.objects.filter(order__number="1").order_by("number").values_list("number", flat=True)
        ) == [
            1,
            2,
            3,
        ]

    def test_a_whole_stands_before_its_parts(self, analyst):
        rows = list(planned(analyst, SALES).rows.values_list("number", "model"))
        assert [number for number, _ in rows] == list(range(1, 13))
        assert [model for _, model in rows].index("orders.OrderLine") == 7


class TestGroups:
    def test_lines_that_disagree_are_told_and_their_document_stays_out(self, analyst):
        plan = imported(analyst, SALES + "2,2026-01-03,10.0,Ten,B,Bread,1,1\n")
        assert (
            "Line 7 says “10” where line 5 says “11”, for the same invoice"
            in plan.rows.get(model="orders.Order", key="2").errors[0]["message"]
        )
        assert plan.rows.get(model="orders.Order", key="2").line == 7
        assert "Its order cannot be imported" in said(plan, 5) and "Its order" in said(plan, 7)
        assert list(Order.objects.values_list("number", flat=True)) == ["1"]
        assert plan.parameters["lines"] == {"read": 6, "accepted": 4, "rejected": 2}

    @pytest.mark.parametrize(("rule", "name"), [("first", "Ten"), ("last", "Dix")])
    @pytest.mark.parametrize("batch", [1, 2000])
    def test_or_the_first_or_the_last_counts(self, analyst, monkeypatch, rule, name, batch):
        monkeypatch.setattr(flat, "BATCH", batch)
        using = mapping(**{"customers.Customer": {"name": {"from": "name", "differs": rule}}})
        imported(analyst, SALES + "4,2026-01-03,10.0,Dix,B,Bread,1,1\n4,2026-01-03,10.0,,B,Bread,1,1\n", using)
        assert Customer.objects.get(code="10").name == name

    def test_a_blank_contradicts_nobody(self, analyst):
        lines = "5,,12.0,,A,,1,1\n5,2026-02-02,12.0,Twelve,A,,1,1\n5,2026-02-02,,Twelve,A,,1,1\n"
        using = mapping()
        using["entities"][0]["when"] = {"customer": {"blank": False}}
        imported(analyst, lines, using, "all_or_nothing")
        order = Order.objects.get()
        assert (str(order.ordered_on), order.customer.name) == ("2026-02-02", "Twelve")

    def test_two_times_of_one_day_are_one_day(self, analyst):
        lines = "5,2026-02-02 10:01:00,12,Twelve,A,,1,1.50\n5,2026-02-02 10:02:00,12,Twelve,A,,1,1.5\n"
        plan = imported(analyst, lines, mode="all_or_nothing")
        assert plan.parameters["lines"]["accepted"] == 2

    def test_a_name_of_last_resort_gives_way_to_a_better_one(self, analyst):
        imported(analyst, "6,2026-01-01,10.0,Ten,A,,1,1\n")
        assert Product.objects.get().name == "A"
        imported(analyst, "7,2026-01-01,10.0,Ten,A,,1,1\n7,2026-01-01,10.0,Ten,A,Apple,1,1\n")
        assert Product.objects.get().name == "Apple"
        imported(analyst, "8,2026-01-01,10.0,Ten,A,Pear,1,1\n9,2026-01-01,10.0,Ten,A,,1,1\n")
        assert Product.objects.get().name == "Apple"

    def test_what_is_there_is_kept(self, analyst):
        CustomerFactory(code="10", name="Ours")
        plan = imported(analyst, SALES)
        assert Customer.objects.get(code="10").name == "Ours"
        assert outcomes(plan)["Customer"] == {"unchanged": 1, "create": 1}

    def test_an_earlier_entity_of_the_same_kind_goes_before(self, analyst):
        using = mapping()
        using["entities"].insert(
            1, {**using["entities"][0], "columns": {**using["entities"][0]["columns"], "name": {"from": "text"}}}
        )
        plan = imported(analyst, "1,2026-01-02,10.0,Ten,A,Apple,2,1.50\n", using)
        assert outcomes(plan)["Customer"] == {"create": 1} and Customer.objects.get().name == "Ten"


class TestDocuments:
    BROKEN = SALES + "2,2026-01-03,11.0,Eleven,B,Bread,x,1\n"

    def test_go_in_together_or_not_at_all(self, analyst):
        plan = imported(analyst, self.BROKEN)
        assert plan.parameters["lines"] == {"read": 6, "accepted": 4, "rejected": 2}
        assert "Line 7 cannot be imported" in said(plan, 5) and "not a number" in said(plan, 7)
        assert list(Order.objects.values_list("number", flat=True)) == ["1"]
        assert outcomes(plan)["Order"] == {"create": 1, "refused": 1}

    def test_come_back_whole_and_go_in_when_corrected(self, analyst, tmp_path):
        plan = imported(analyst, self.BROKEN)
        assert write_failed_rows(plan, tmp_path / "failed.csv") == 2
        with (tmp_path / "failed.csv").open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header[-1] == "reason" and [row[0] for row in rows] == ["2", "2"] and all(row[-1] for row in rows)
        rows[1][6] = "5"
        imported(analyst, "".join(",".join(row[:-1]) + "\n" for row in rows), mode="all_or_nothing")
        lines = OrderLine.objects.filter(order__number="2").order_by("number")
        assert list(lines.values_list("number", "quantity")) == [(1, 3), (2, 5)]

    def test_a_line_that_is_there_comes_back_with_its_document(self, analyst):
        imported(analyst, SALES)
        plan = imported(analyst, self.BROKEN)
        assert "go in together" in said(plan, 5)
        assert outcomes(plan)["Order"] == {"unchanged": 2}

    def test_a_line_of_broken_shape_spoils_its_document(self, analyst):
        plan = imported(analyst, SALES + "2,2026-01-03,11.0,Ele, ven,B,Bread,4,1\n")
        assert plan.parameters["lines"] == {"read": 6, "accepted": 4, "rejected": 2}
        assert "Line 7" in said(plan, 5)
        assert Order.objects.count() == 1

    def test_a_refused_line_says_what_the_mapping_says(self, analyst):
        plan = imported(analyst, SALES + "9,2026-01-03,11.0,Eleven,A,,-4,0\n")
        assert said(plan, 7) == "It sells less than nothing."
        assert plan.parameters["lines"]["rejected"] == 1 and OrderLine.objects.count() == 4

    def test_a_line_that_nothing_takes_is_told(self, analyst):
        using = mapping()
        using["entities"].pop()
        plan = planned(analyst, SALES, using)
        assert said(plan, 6) == "Nothing in the mapping takes this line."


class TestRights:
    def test_an_entity_without_the_right_is_refused_with_what_hangs_from_it(self):
        WarehouseFactory(code="W")
        actor = give_role(UserFactory(), *[right for right in RIGHTS if right != "customers.import_customer"])
        CustomerFactory(code="10", name="Ours")
        plan = imported(actor, SALES)
        assert outcomes(plan)["Customer"] == {"unchanged": 1, "refused": 1}
        assert (
            "no right to import customers" in plan.rows.get(model="customers.Customer", key="11").errors[0]["message"]
        )
        assert "no right to import customers" in said(plan, 6, "orders.ReturnLine")
        assert list(Order.objects.values_list("number", flat=True)) == ["1"]

    def test_the_right_to_each_entity_is_asked_again(self, analyst):
        plan = planned(analyst, SALES)
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            RolePermission.objects.filter(permission__codename="import_product").delete()
        plan = apply_plan(actor=analyst, plan=plan, mode="keep_good")
        run_job(plan.applying_id)
        job = Job.objects.get(pk=plan.applying_id)
        assert job.state == Job.State.FAILED and "import products" in job.error
        assert not Product.objects.exists()

    def test_a_hidden_column_of_any_entity_is_refused(self, analyst):
        analyst = police(analyst, "customers.Customer:name", "hidden")
        with pytest.raises(ColumnNotYours):
            planned(analyst, SALES)

    def test_the_main_entity_needs_its_right(self):
        actor = give_role(UserFactory(), *[right for right in RIGHTS if right != "orders.import_order"])
        with pytest.raises(NotPermitted):
            planned(actor, SALES)

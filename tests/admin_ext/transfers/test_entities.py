"""Mappings of several entities: what they may say, and the words that rewrite a cell."""

from __future__ import annotations

import io
import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse

from admin_ext.plans.rows import told_errors
from admin_ext.transfers.conditions import NoSuchTest, check_condition, compile_condition
from admin_ext.transfers.entities import Entities
from admin_ext.transfers.mapping import Mapping, MappingNotUsable
from admin_ext.transfers.models import Profile
from apps.customers.models import Customer
from apps.orders.models import OrderLine
from tests.admin_ext.transfers.test_flat import HEADER, SALES, analyst, mapping, planned  # noqa: F401
from tests.factories import police

CODE = {"code": {"from": "c"}}
CUSTOMER = {"resource": "customers.Customer", "columns": CODE}


@pytest.mark.parametrize(
    ("condition", "cell", "holds"),
    [
        ({"a": {"blank": True}}, " ", True),
        ({"a": {"blank": True}}, None, True),
        ({"a": {"blank": False}}, "x", True),
        ({"a": {"is": ["x", "y"]}}, " y ", True),
        ({"a": {"is": "x"}}, "xy", False),
        ({"a": {"not": "x"}}, "y", True),
        ({"a": {"begins": ["C", "A"]}}, "A1", True),
        ({"a": {"not_begins": "C"}}, "C1", False),
        ({"a": {"below": 0}}, "-1", True),
        ({"a": {"below": 0}}, "0", False),
        ({"a": {"below": 0}}, "none", False),
        ({"a": {"not_below": 0}}, "none", True),
        ({"a": {"begins": "C", "not": "C2"}}, "C2", False),
        ({}, "anything", True),
    ],
)
def test_a_condition_tests_cells(condition, cell, holds):
    check_condition(condition)
    assert compile_condition(condition, lambda name: 0)([cell]) is holds


@pytest.mark.parametrize("tests", [{"like": "x"}, {"below": "much"}])
def test_a_condition_without_meaning_is_told(tests):
    with pytest.raises(NoSuchTest):
        check_condition({"a": tests})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"entities": [{"resource": "customers.Nobody", "columns": {}}]}, "no resource"),
        ({"entities": [{**CUSTOMER, "colums": {}}]}, "colums"),
        ({"entities": [{**CUSTOMER, "group_by": ["c"]}]}, "No entity takes single lines"),
        ({"entities": [{**CUSTOMER, "group_by": ["c"]}, CUSTOMER]}, "by groups and by single lines"),
        ({"entities": [{**CUSTOMER, "existing": "burn"}]}, "burn"),
        ({"entities": [{**CUSTOMER, "refuse": "No."}]}, "neither columns nor groups"),
        ({"entities": [{**CUSTOMER, "when": {"c": {"like": "x"}}}]}, "nobody knows the test"),
        ({"entities": [{**CUSTOMER, "columns": {"code": {"from": "c", "differs": "loudest"}}}]}, "differs is one of"),
        ({"entities": [{**CUSTOMER, "columns": {"code": {"position": True}}}]}, "only where document says"),
        ({"entities": [{**CUSTOMER, "columns": {"shoe_size": {"from": "c"}}}]}, "no column shoe_size"),
    ],
)
def test_a_mapping_without_meaning_is_told(told, said):
    with pytest.raises(MappingNotUsable, match=said):
        Entities.from_json(told)
    with pytest.raises(ValidationError):
        Profile(name="x", resource="customers.Customer", mapping=told).clean()


def test_what_it_says_is_kept_as_it_was_said():
    entities = Entities.from_json(mapping())
    assert Entities.from_json(entities.to_json()) == entities
    header = [*HEADER.strip().split(","), "extra"]
    assert entities.left_out(header) == ["extra"]


def test_words_of_entities_mean_nothing_in_a_plain_mapping():
    with pytest.raises(MappingNotUsable, match="position"):
        Mapping.from_json({"columns": {"code": {"position": True}}}, resource="customers.Customer")


@pytest.mark.parametrize(
    ("rule", "cell", "value"),
    [
        ({"whole": True}, "17850.0", "17850"),
        ({"whole": True}, "17850.5", "17850.5"),
        ({"whole": True, "when_blank": "X"}, "", "X"),
        ({"trim": "ends", "replace": {" ": "-"}}, " BANK CHARGES ", "BANK-CHARGES"),
        ({"negate": True}, "-5", 5),
        ({"negate": True}, "", ""),
    ],
)
def test_cells_are_rewritten(rule, cell, value):
    plain = Mapping.from_json({"columns": {"code": {"from": "c", **rule}}}, resource="customers.Customer")
    assert plain.extractors(["c"])["code"]([cell]) == (value, None)


def test_what_is_no_number_is_not_turned_round():
    plain = Mapping.from_json({"columns": {"code": {"from": "c", "negate": True}}}, resource="customers.Customer")
    assert plain.extractors(["c"])["code"](["five"])[1]


@pytest.mark.django_db
class TestTelling:
    def test_the_review_tells_entities_and_lines_and_names_what_is_new(self, client, analyst):  # noqa: F811
        plan = planned(analyst, SALES + "2,2026-01-03,11.0,Eleven,B,Bread,x,1\n")
        client.force_login(analyst)
        address = reverse("admin:plans_plan_change", args=[plan.pk])
        page = client.get(address).text
        assert "6 lines of the file: <strong>4</strong> accepted, <strong>2</strong> rejected." in page
        assert "Order lines" in page and "Return lines" in page
        orders = client.get(address, {"of": "orders.Order", "rows": "create"}).text
        assert "10, new" in orders and "Apple" not in orders
        assert "Apple" in client.get(address, {"of": "catalogue.Product"}).text
        assert "Apple" in client.get(address, {"of": "nothing.Known"}).text

    def test_a_fault_of_a_whole_is_told_by_its_own_policy(self, analyst):  # noqa: F811
        plan = planned(analyst, SALES.replace("Eleven", "E" * 201))
        (error,) = plan.rows.get(model="orders.ReturnLine").errors
        assert "at most 200 fit" in error["message"] and error["model"] == "customers.Customer"
        reader = police(analyst, "customers.Customer:name", "hidden")
        assert "may not read" in told_errors([error], OrderLine, reader)[0]["message"]
        assert "200" not in str(told_errors([error], OrderLine, reader))

    def test_the_shell_tells_lines_and_entities(self, analyst, tmp_path):  # noqa: F811
        (tmp_path / "sales.csv").write_text(HEADER + SALES)
        (tmp_path / "mapping.json").write_text(json.dumps(mapping()))
        asked = {"resource": "orders.Order", "user": analyst.username, "mapping": tmp_path / "mapping.json"}
        for options in ({}, {"json": True}):
            out = io.StringIO()
            with pytest.raises(SystemExit) as ended:
                call_command("import_file", tmp_path / "sales.csv", stdout=out, **asked, **options)
            assert ended.value.code == 0
            if options:
                receipt = json.loads(out.getvalue())
                assert receipt["lines"] == {"read": 5, "accepted": 5, "rejected": 0}
                assert {"model": "orders.ReturnLine", "counts": {"unchanged": 1}} in receipt["entities"]
            else:
                assert "5 lines of the file: 5 accepted, 0 rejected" in out.getvalue()
                assert "order lines: 4 new" in out.getvalue()
        assert Customer.objects.count() == 2

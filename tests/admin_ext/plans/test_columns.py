"""Rows are cleaned, compared and written by columns and in bulk; what comes out is what each alone would have given."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, models

from admin_ext.plans.applying import apply_plan
from admin_ext.plans.constraints import CheckConstraints
from admin_ext.plans.documents import TypedColumns
from admin_ext.plans.models import Action, PlanRow
from admin_ext.plans.rows import DraftRow, write_rows
from admin_ext.plans.seen import SMALLEST, SeenKeys
from admin_ext.plans.values import ABSENT, Cleaner, Wrong
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.admin_ext.plans.test_import import HEADER, analyst, planned  # noqa: F401
from tests.factories import CustomerFactory, RegionFactory


class TestCleaning:
    def test_true_and_one_are_not_taken_for_each_other(self):
        cleaner = Cleaner(models.CharField(max_length=9))
        assert cleaner.column([1, True, 1.0, "1"]) == (["1", "True", "1", "1"], True)

    def test_a_text_that_does_not_fit_is_wrong_and_the_others_are_taken(self):
        found, is_tidy = Cleaner(models.CharField(max_length=3)).column([" ab ", "abcd", "", "a\x00"])
        assert not is_tidy
        assert (found[0], found[2]) == ("ab", "")
        assert "at most 3 fit" in found[1].told[0] and "NUL" in found[3].told[0]

    def test_a_text_that_may_be_null_is_null_when_blank(self):
        assert Cleaner(models.CharField(max_length=3, null=True)).column(["a", "  "]) == (["a", None], True)

    def test_a_wrong_cell_is_wrong_every_time(self):
        cleaner = Cleaner(models.DecimalField(max_digits=6, decimal_places=2))
        assert cleaner.column(["1.5", "2"]) == ([Decimal("1.5"), Decimal("2")], True)
        for _ in range(2):
            found, is_tidy = cleaner.column(["1.5", "x"])
            assert not is_tidy and found[0] == Decimal("1.5") and type(found[1]) is Wrong

    def test_where_nothing_is_proposed_nothing_is_taken(self):
        found, is_tidy = Cleaner(models.IntegerField()).column(["1", ABSENT])
        assert found == [1, ABSENT] and not is_tidy

    def test_own_validators_of_a_text_are_asked(self):
        field = models.CharField(max_length=9, validators=[models.SlugField().validators[0]])
        assert not Cleaner(field).column(["a b"])[1]


class TestSeenKeys:
    def test_tell_the_first_row_of_each_key_however_many_there_are(self):
        seen = SeenKeys()
        for n in range(1, SMALLEST * 3):
            assert seen.first((f"K{n}", n % 7), n) == n
        for n in range(1, SMALLEST * 3):
            assert seen.first((f"K{n}", n % 7), n + SMALLEST * 3) == n


@pytest.mark.django_db
class TestWritingPlanRows:
    def test_every_character_arrives(self, analyst):  # noqa: F811
        nasty = ["a\tb", "back\\slash", "\\N", "line\nbreak", "\r", 'quote "', "ü", "\\", "{}"]
        plan = planned(analyst, HEADER)
        rows = [DraftRow(n, Action.INVALID, key=text, raw=[text, None], errors=[]) for n, text in enumerate(nasty, 1)]
        assert write_rows(plan.pk, rows) == {Action.INVALID: len(nasty)}
        found = PlanRow.objects.filter(plan=plan).order_by("number")
        assert [row.key for row in found] == nasty
        assert [row.raw for row in found] == [[text, None] for text in nasty]
        assert all(row.errors is None and row.after is None and row.line is None for row in found)

    def test_values_with_such_characters_reach_the_record(self, analyst):  # noqa: F811
        from admin_ext.jobs.running import run_job

        text, nasty = io.StringIO(), ["a\tb", "back\\slash", "\\N", 'quote "']
        csv.writer(text).writerows([["code", "name"], *([f"N{n}", name] for n, name in enumerate(nasty))])
        plan = planned(analyst, text.getvalue())
        assert plan.counts == {"create": len(nasty)}, plan.rows.first().errors
        run_job(apply_plan(actor=analyst, plan=plan, mode="keep_good").applying_id)
        assert list(Customer.objects.order_by("code").values_list("name", flat=True)) == nasty

    def test_a_name_taken_since_costs_its_own_row_only(self, analyst):  # noqa: F811
        from admin_ext.jobs.running import run_job

        RegionFactory(code="NORD")
        plan = planned(analyst, HEADER + "".join(f"T{n},New,NORD,1\n" for n in range(9)))
        CustomerFactory(code="T4", name="Faster")
        plan = apply_plan(actor=analyst, plan=plan, mode="keep_good")
        run_job(plan.applying_id)
        plan.refresh_from_db()
        assert plan.counts == {"create": 8, "drifted": 1}
        assert plan.rows.get(outcome="drifted").key == "T4"
        assert Customer.objects.get(code="T4").name == "Faster"
        assert Customer.history.filter(change_set=plan.applying.change_set).count() == 8

    def test_new_and_changed_rows_that_take_turns_are_each_written_as_such(self, analyst):  # noqa: F811
        from admin_ext.jobs.running import run_job

        region = RegionFactory(code="NORD")
        for n in range(0, 9, 2):
            CustomerFactory(code=f"M{n}", name="Before", region=region, credit_limit=1)
        plan = planned(analyst, HEADER + "".join(f"M{n},After,NORD,1\n" for n in range(9)))
        plan = apply_plan(actor=analyst, plan=plan, mode="keep_good")
        run_job(plan.applying_id)
        plan.refresh_from_db()
        assert plan.counts == {"update": 5, "create": 4}, plan.applying.error
        assert set(Customer.objects.values_list("name", flat=True)) == {"After"} and Customer.objects.count() == 9


@pytest.mark.django_db
class TestConstraints:
    @pytest.mark.parametrize(
        ("after", "broken"),
        [
            ({"number": "X", "state": "draft", "freight": Decimal("1.50")}, []),
            ({"number": "", "state": "draft"}, ["an_order_has_a_number"]),
            ({"number": "X", "state": "shipped"}, ["a_shipped_order_has_a_ship_day"]),
            ({"number": "X", "state": "lost", "freight": Decimal(-1)}, None),
            (
                {"number": "X", "state": "draft", "ordered_on": date(2026, 2, 1), "required_on": date(2026, 1, 1)},
                ["an_order_is_required_after_it_came_in"],
            ),
        ],
    )
    def test_a_new_row_is_judged_as_a_whole_document_would_be(self, after, broken):
        constraints = CheckConstraints(Order)
        draft = DraftRow(1, Action.CREATE, after=after)
        good = DraftRow(2, Action.CREATE, after={"number": "Y", "state": "draft"})
        found = constraints.broken_by([good, draft])
        asked = constraints._broken_by_changed([good, draft], constraints.checks)
        assert found == asked
        told = broken if broken is not None else ["an_order_state_is_known", "freight_is_not_negative"]
        assert found == ([(draft, told)] if told else [])


@pytest.mark.django_db
class TestDocuments:
    def test_columns_come_out_as_the_database_would_read_a_whole_record(self):
        columns = ["number", "customer_id", "ordered_on", "shipped_on", "freight", "brought_in", "created_at"]
        document = (
            '{"number": "X 1", "customer_id": 7, "ordered_on": "2026-02-01", "shipped_on": null, "freight": "1.5",'
            ' "brought_in": true, "created_at": "2026-02-01T10:00:00+01:00"}'
        )
        typed = TypedColumns("orders_order", columns)
        assert not typed.join
        whole = ", ".join(f"r.{column}" for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(typed.expressions)} FROM (SELECT %s::jsonb AS after) p", [document])
            found = cursor.fetchone()
            cursor.execute(f"SELECT {whole} FROM jsonb_populate_record(NULL::orders_order, %s::jsonb) r", [document])
            assert found == cursor.fetchone()

    def test_a_column_of_another_type_is_read_with_its_record(self):
        typed = TypedColumns("plans_planrow", ["key", "raw"])
        document = '{"key": "a", "raw": "b"}'
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(typed.expressions)} FROM (SELECT %s::jsonb AS after) p {typed.join}", [document]
            )
            assert cursor.fetchone() == ("a", '"b"')

"""The page of a bulk edit: several columns at once, each as its kind allows; very many rows are confirmed by number."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse

from admin_ext.admin.bulk_edit_form import EditForm
from admin_ext.jobs.running import run_job
from admin_ext.plans.editing import edited, operations_for
from admin_ext.plans.models import Plan
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.contracts.world import make, person_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client):
    client.force_login(person_for(Product))
    return client


def asked(client, rows):
    listed = reverse("admin:catalogue_product_changelist")
    return client.post(listed, {"action": "edit", "_selected_action": [row.pk for row in rows]}).url


def planned(client, address, **posted):
    page = client.get(address)
    response = client.post(address, {"selection": page.context["selection"], "_go": "1", **posted})
    if response.status_code != 302:
        return response
    plan = Plan.objects.latest("pk")
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def test_changes_several_columns_at_once(client):
    products = [make(Product, list_price="10.00", reorder_level=3), make(Product, list_price="20.05", reorder_level=5)]
    plan = planned(
        client,
        asked(client, products),
        **{
            "do-list_price": "percent",
            "value-list_price": "4",
            "do-reorder_level": "amount",
            "value-reorder_level": "2",
        },
        reason="Spring",
    )
    assert plan.counts == {"update": 2}
    afters = [{name: float(value) for name, value in row.after.items()} for row in plan.rows.all()]
    assert afters == [{"list_price": 10.4, "reorder_level": 5}, {"list_price": 20.852, "reorder_level": 7}]


@pytest.mark.parametrize(
    ("posted", "wrong"),
    [
        ({}, "__all__"),
        ({"do-list_price": "percent", "value-list_price": "x"}, "value-list_price"),
        ({"do-list_price": "set"}, "value-list_price"),
        ({"value-list_price": "4"}, "do-list_price"),
        ({"do-list_price": "replace"}, "do-list_price"),
        ({"do-description": "replace", "value-description": "x"}, "find-description"),
    ],
)
def test_says_what_is_missing(posted, wrong):
    form = EditForm(Product, ["list_price", "description"], {"reason": "Spring", **posted})
    assert wrong in form.errors


def test_offers_what_the_kind_of_a_column_allows():
    def offered(model, name):
        return operations_for(model._meta.get_field(name))

    assert offered(Customer, "credit_limit") == ["set", "percent", "amount"]
    assert offered(Customer, "city") == ["set", "clear", "replace"]
    assert "days" in offered(Order, "ordered_on") and "replace" not in offered(Customer, "status")


def test_a_value_becomes_what_was_asked():
    days, text = Order._meta.get_field("ordered_on"), Customer._meta.get_field("city")
    assert edited(date(2026, 1, 31), {"operation": "days", "value": "-31"}, days) == date(2025, 12, 31)
    assert edited("Old Town", {"operation": "replace", "find": "Old", "value": "New"}, text) == "New Town"
    assert edited(None, {"operation": "days", "value": "3"}, days) is None


def test_very_many_rows_are_confirmed_by_their_number(client, settings):
    settings.BULK_CONFIRM_ROWS = 1
    products = [make(Product, list_price="10.00"), make(Product, list_price="20.00")]
    posted = {"do-list_price": "amount", "value-list_price": "1", "reason": "Spring"}
    plan = planned(client, asked(client, products), **posted)
    assert "Type 2 to confirm" in client.get(reverse("admin:plans_plan_change", args=[plan.pk])).text
    address = reverse("admin:plans_plan_apply", args=[plan.pk])
    for typed in ("", "3"):
        client.post(address, {"mode": "keep_good", "confirm": typed})
        plan.refresh_from_db()
        assert plan.state == "ready"
    client.post(address, {"mode": "keep_good", "confirm": "2"})
    plan.refresh_from_db()
    assert plan.state == "applying"

"""What people do with products on the pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.jobs.running import run_job
from admin_ext.plans.models import Plan
from apps.catalogue.models import Product
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockLevelFactory
from tests.factories import UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

RIGHTS = [f"catalogue.{verb}_product" for verb in ("view", "change", "activate", "discontinue", "reprice")]


@pytest.fixture
def product():
    return ProductFactory(status="draft", list_price="10.00")


@pytest.fixture
def buyer(client):
    person = give_role(UserFactory(), *RIGHTS)
    client.force_login(person)
    return person


def do(client, product, verb, **data):
    response = client.post(reverse("admin:catalogue_product_do", args=[product.pk, verb]), data)
    product.refresh_from_db()
    return response


def test_verbs_are_offered_when_they_make_sense(client, buyer, product):
    do(client, product, "activate")
    assert product.status == "active"
    shown = client.get(reverse("admin:catalogue_product_change", args=[product.pk])).text
    assert "/do/discontinue/" in shown
    assert "/do/activate/" not in shown
    do(client, product, "discontinue", reason="Not asked for")
    assert product.status == "discontinued"


def test_a_price_holds_from_its_day_and_shows_in_the_list(client, buyer, product):
    assert do(client, product, "reprice", amount="12.5", currency="EUR", valid_from="2020-01-01").status_code == 302
    assert product.prices.get().amount == 12.5
    assert "12.50\u00a0EUR" in client.get(reverse("admin:catalogue_product_changelist")).text


def test_the_available_stock_is_that_of_the_warehouses_one_may_see(client, buyer, product):
    near, far = StockLevelFactory(product=product, on_hand=7), StockLevelFactory(product=product, on_hand=100)
    person = give_role(buyer, "inventory.view_stocklevel")
    client.force_login(grant(person, "access_warehouse", near.warehouse))

    def shown():
        return client.get(reverse("admin:catalogue_product_changelist")).context["cl"].result_list[0].available

    assert shown() == 7
    grant(person, "access_warehouse", far.warehouse)
    assert shown() == 107


def test_prices_change_by_percent_over_a_selection(client, buyer, product):
    ProductFactory(list_price="0.01")
    chosen = {"action": "edit", "_selected_action": [product.pk], "select_across": "0"}
    ask = client.post(reverse("admin:catalogue_product_changelist"), chosen)
    form = client.get(ask.url)
    assert "List price" in form.text
    data = {"selection": form.context["selection"], "_go": "1", "do-list_price": "percent"}
    client.post(ask.url, {**data, "value-list_price": "4", "reason": "Freight went up"})
    plan = Plan.objects.get()
    run_job(plan.making_id)
    assert plan.rows.get().after == {"list_price": "10.4000"}
    assert Product.objects.get(pk=product.pk).list_price == 10

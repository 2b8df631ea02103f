"""A row's own name may tell of other rows: stock is called by its product and its warehouse. Nobody reads more in it."""

from __future__ import annotations

import pytest
from django.core import signing
from django.urls import reverse

from admin_ext.admin.bulk import SALT
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.running import run_job
from admin_ext.plans.making import submit_plan
from apps.catalogue.models import Product
from apps.inventory.models import StockLevel, Warehouse
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockLevelFactory, WarehouseFactory
from tests.factories import CustomerFactory, RoleFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
SECRET, PLACE = "SECRET-PRODUCT", "SECRET-PLACE"


@pytest.fixture
def level():
    product, house = ProductFactory(name=SECRET), WarehouseFactory(name=PLACE)
    return StockLevel.objects.get(pk=StockLevelFactory(product=product, warehouse=house).pk)


@pytest.fixture
def keeper(level):
    """May do everything to one line of the stock, and knows neither its product nor its warehouse."""
    person = give_role(UserFactory(), "inventory.access_all_warehouse")
    for action in ("view", "change", "delete"):
        person = grant(person, action, level)
    return person


def page(name, *args):
    return reverse(f"admin:inventory_stocklevel_{name}", args=args)


@pytest.mark.parametrize("name", ["change", "history", "compare", "delete"])
def test_the_pages_of_a_row_tell_nothing_of_its_product(name, level, keeper, client):
    client.force_login(keeper)
    response = client.get(page(name, level.pk))
    assert response.status_code == 200
    assert SECRET not in response.text and PLACE not in response.text


def test_messages_tell_nothing_of_it(level, keeper, client):
    client.force_login(keeper)
    fields = {"reorder_level": "3", "reorder_quantity": "4", "record_version": level.version}
    for address, data in (
        (page("change", level.pk), fields),
        (page("delete", level.pk), {"post": "yes", "_reason": "x"}),
    ):
        response = client.post(address, data, follow=True)
        assert response.status_code == 200 and response.redirect_chain
        assert SECRET not in response.text and PLACE not in response.text
    assert not StockLevel.objects.filter(pk=level.pk).exists()


def test_lists_and_the_palette_tell_nothing_of_it(level, keeper, client):
    client.force_login(keeper)
    asked = {"s": level.product.sku, "extended": "1"}
    selection = signing.dumps(Selection.picked(StockLevel, [level.pk]).to_json(), salt=SALT)
    for address, query in (
        (page("changelist"), {}),
        (reverse("admin:search"), asked),
        (page("bulk", "edit"), {"selection": selection}),
    ):
        response = client.get(address, query)
        assert response.status_code == 200
        assert SECRET not in response.text and PLACE not in response.text


def test_plans_tell_nothing_of_it(level, keeper):
    selection = Selection.picked(StockLevel, [level.pk]).to_json()
    changes = {"reorder_level": {"operation": "set", "value": "7"}}
    plan = submit_plan(
        actor=keeper,
        source="edit",
        title="x",
        model="inventory.StockLevel",
        parameters={"selection": selection, "reason": "x", "changes": changes},
    )
    run_job(plan.making_id)
    row = plan.rows.get()
    assert row.action == "update" and row.key and SECRET not in row.key and PLACE not in row.key


def test_who_sees_them_reads_them(level, client):
    person = give_role(
        UserFactory(), "inventory.view_stocklevel", "inventory.view_warehouse", "catalogue.view_product",
        "inventory.access_all_warehouse",
    )  # fmt: skip
    client.force_login(person)
    assert SECRET in client.get(page("history", level.pk)).text
    assert Product.objects.filter(name=SECRET).exists() and Warehouse.objects.filter(name=PLACE).exists()


def test_a_selection_of_another_list_is_not_taken(client):
    """Its keys would name other rows: a customer's key is some order's, too."""
    client.force_login(UserFactory(is_superuser=True))
    selection = signing.dumps(Selection.picked(type(CustomerFactory()), [1]).to_json(), salt=SALT)
    address = reverse("admin:catalogue_product_bulk", args=["edit"])
    assert client.get(address, {"selection": selection}).status_code == 404
    change = {"field": "list_price", "operation": "set", "value": "1", "reason": "x", "_go": "1"}
    assert client.post(address, {"selection": selection, **change}).status_code == 404


def test_members_are_offered_to_who_may_see_them(client):
    """People are narrowed down by roles: their names are for those who may see roles."""
    role = RoleFactory(name="SECRET-ROLE")
    address = reverse("admin:accounts_user_changelist")
    client.force_login(give_role(UserFactory(), "accounts.view_user"))
    assert "SECRET-ROLE" not in client.get(address).text
    assert "no rows are shown" in client.get(address, {"groups": role.pk}).text
    client.force_login(give_role(UserFactory(), "accounts.view_user", "accounts.view_role"))
    assert "SECRET-ROLE" in client.get(address).text

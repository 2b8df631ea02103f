"""What people do with stock on the pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.inventory.models import StockCount, StockLevel, StockMovement
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockLevelFactory, WarehouseFactory
from tests.factories import UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

RIGHTS = [
    *(f"inventory.{verb}_stockmovement" for verb in ("view", "open", "receive", "issue", "transfer", "adjust")),
    *(f"inventory.{verb}_stockcount" for verb in ("view", "add", "change", "finish", "post")),
    "inventory.view_warehouse",
    "inventory.view_stocklevel",
    "inventory.change_stocklevel",
    "catalogue.view_product",
]


@pytest.fixture
def level():
    return StockLevelFactory(on_hand=10)


@pytest.fixture
def keeper(client, level):
    person = grant(give_role(UserFactory(), *RIGHTS), "access_warehouse", level.warehouse)
    client.force_login(person)
    return person


def do(client, row, verb, **data):
    name = f"{row._meta.app_label}_{row._meta.model_name}"
    return client.post(reverse(f"admin:{name}_do", args=[row.pk, verb]), data)


def on_hand(level):
    return StockLevel.objects.get(pk=level.pk).on_hand


class TestALevelsPage:
    @pytest.mark.parametrize(
        ("verb", "data", "left"),
        [
            ("receive", {"quantity": 5, "reference": "PO-1"}, 15),
            ("issue", {"quantity": 4}, 6),
            ("adjust", {"quantity": -3, "reason": "Broken"}, 7),
        ],
    )
    def test_moves_stock(self, client, keeper, level, verb, data, left):
        assert do(client, level, verb, **data).status_code == 302
        assert on_hand(level) == left
        assert StockMovement.objects.first().history.get().history_user == keeper

    @pytest.mark.parametrize(
        ("verb", "data"),
        [
            ("receive", {"quantity": 2**63}),
            ("adjust", {"quantity": 2**31}),
            ("adjust", {"quantity": 1, "reason": "9" * 201}),
        ],
    )
    def test_refuses_in_words_what_does_not_fit(self, client, keeper, level, verb, data):
        told = do(client, level, verb, **{"reason": "Broken", **data})
        assert told.status_code == 200
        assert "too long or too large" in told.content.decode()
        assert on_hand(level) == 10

    def test_transfers_to_where_the_person_works_and_offers_no_other_place(self, client, keeper, level):
        near, far = WarehouseFactory(), WarehouseFactory()
        grant(keeper, "access_warehouse", near)
        assert do(client, level, "transfer", target=far.pk, quantity=1).status_code == 200
        assert do(client, level, "transfer", target=near.pk, quantity=3).status_code == 302
        assert on_hand(level) == 7

    def test_tells_what_is_missing(self, client, keeper, level):
        assert "11 wanted, 10 available" in do(client, level, "issue", quantity=11).text

    def test_asks_for_the_right_on_movements(self, client, level):
        person = give_role(UserFactory(), "inventory.view_stocklevel", "inventory.access_all_warehouse")
        client.force_login(person)
        assert do(client, level, "receive", quantity=5).status_code == 403

    def test_is_not_there_for_those_who_work_elsewhere(self, client, keeper):
        assert do(client, StockLevelFactory(on_hand=1), "receive", quantity=5).status_code == 404


class TestAWarehousesPage:
    def test_receives_a_product_for_the_first_time(self, client, keeper, level):
        product = ProductFactory()
        do(client, level.warehouse, "receive", product=product.pk, quantity=8)
        assert StockLevel.objects.get(product=product).on_hand == 8

    def test_makes_a_count_sheet_that_is_counted_finished_and_posted(self, client, keeper, level):
        do(client, level.warehouse, "open_count")
        count = StockCount.objects.get()
        line = count.lines.get()
        fields = {
            "counted_on": "04/05/2026",
            "record_version": count.version,
            "lines-TOTAL_FORMS": 1,
            "lines-INITIAL_FORMS": 1,
            "lines-0-id": line.pk,
            "lines-0-count": count.pk,
            "lines-0-product": line.product_id,
            "lines-0-counted_quantity": 8,
            "lines-0-record_version": line.version,
        }
        assert client.post(reverse("admin:inventory_stockcount_change", args=[count.pk]), fields).status_code == 302
        do(client, count, "finish_count")
        page = client.get(reverse("admin:inventory_stockcount_change", args=[count.pk])).text
        assert 'name="lines-0-counted_quantity"' not in page
        do(client, count, "post_count")
        assert on_hand(level) == 8

    def test_expects_of_an_added_line_what_the_ledger_says(self, client, keeper, level):
        fields = {
            "warehouse": level.warehouse_id,
            "counted_on": "04/05/2026",
            "lines-TOTAL_FORMS": 1,
            "lines-INITIAL_FORMS": 0,
            "lines-0-product": level.product_id,
        }
        assert client.post(reverse("admin:inventory_stockcount_add"), fields).status_code == 302
        assert StockCount.objects.get().lines.get().expected_quantity == 10


class TestTheLists:
    def listed(self, client, **parameters):
        response = client.get(reverse("admin:inventory_stocklevel_changelist"), parameters)
        return set(response.context["cl"].queryset.values_list("pk", flat=True))

    def test_find_what_is_below_its_reorder_point_where_the_person_works(self, client, keeper, level):
        low = StockLevelFactory(warehouse=level.warehouse, reorder_level=5)
        StockLevelFactory(reorder_level=5)
        assert self.listed(client, below_reorder_point="true") == {low.pk}
        assert self.listed(client, below_reorder_point="false") == {level.pk}
        assert "Below reorder point" in client.get(reverse("admin:inventory_stocklevel_changelist")).text

    def test_find_stock_by_sku(self, client, keeper, level):
        assert self.listed(client, q=level.product.sku) == {level.pk}

    def test_a_parent_out_of_scope_has_no_name(self, client, keeper, level):
        hidden = WarehouseFactory(name="Headquarters")
        inner = WarehouseFactory(parent=hidden)
        grant(keeper, "access_warehouse", inner)
        for name, arguments in (("changelist", []), ("change", [inner.pk])):
            shown = client.get(reverse(f"admin:inventory_warehouse_{name}", args=arguments)).text
            assert "Headquarters" not in shown
            assert "not visible to you" in shown

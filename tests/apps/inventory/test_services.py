"""What a person can do with stock, and where."""

from __future__ import annotations

import pytest

from admin_ext.access.rights import NotPermitted, OutOfScope
from admin_ext.audit.context import NoChangeSet, change_set
from apps.inventory import services
from apps.inventory.models import StockCount, StockCountLine, StockLevel, StockMovement, Warehouse
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockLevelFactory, WarehouseFactory
from tests.factories import UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

RIGHTS = [f"inventory.{verb}_stockmovement" for verb in ("open", "receive", "issue", "transfer", "adjust")]
COUNTING = ["inventory.add_stockcount", "inventory.finish_stockcount", "inventory.post_stockcount"]


@pytest.fixture
def actor():
    return give_role(UserFactory(), "inventory.access_all_warehouse", *RIGHTS, *COUNTING)


@pytest.fixture
def level():
    return StockLevelFactory(on_hand=10)


def on_hand(warehouse, product):
    return StockLevel.objects.get(warehouse=warehouse, product=product).on_hand


class TestReceiveStock:
    def test_writes_a_movement_that_says_who_and_raises_the_level(self, actor, level):
        moved = services.receive_stock(
            actor=actor, warehouse=level.warehouse, product=level.product, quantity=5, reference="PO-7", reason="Spring"
        )
        assert on_hand(level.warehouse, level.product) == 15
        row = moved.history.get()
        assert (row.quantity, row.reference, row.history_user, row.change_set.verb) == (
            5, "PO-7", actor, "inventory.receive",
        )  # fmt: skip

    def test_is_done_only_where_the_person_works(self, level):
        person = give_role(UserFactory(), *RIGHTS)
        arguments = {"warehouse": level.warehouse, "product": level.product, "quantity": 5}
        with pytest.raises(OutOfScope):
            services.receive_stock(actor=person, **arguments)
        assert on_hand(level.warehouse, level.product) == 10
        services.receive_stock(actor=grant(person, "access_warehouse", level.warehouse), **arguments)

    def test_needs_its_own_right(self, level):
        person = give_role(UserFactory(), "inventory.access_all_warehouse", "inventory.add_stockmovement")
        with pytest.raises(NotPermitted):
            services.receive_stock(actor=person, warehouse=level.warehouse, product=level.product, quantity=5)

    @pytest.mark.parametrize("quantity", [0, -1])
    def test_refuses_less_than_one_unit(self, actor, level, quantity):
        with pytest.raises(services.QuantityNotPositive):
            services.receive_stock(actor=actor, warehouse=level.warehouse, product=level.product, quantity=quantity)

    def test_refuses_a_warehouse_that_was_given_up(self, actor):
        with pytest.raises(services.WarehouseNotActive):
            services.receive_stock(
                actor=actor, warehouse=WarehouseFactory(is_active=False), product=ProductFactory(), quantity=1
            )


class TestIssueStock:
    def test_takes_what_is_there_and_not_promised(self, actor, level):
        arguments = {"actor": actor, "warehouse": level.warehouse, "product": level.product}
        with change_set(actor=actor, door="shell"):
            services.allocate_stock(warehouse=level.warehouse, quantities={level.product_id: 4})
        services.issue_stock(**arguments, quantity=6)
        with pytest.raises(services.StockNotAvailable, match="1 wanted, 0 available"):
            services.issue_stock(**arguments, quantity=1)
        assert on_hand(level.warehouse, level.product) == 4

    def test_says_what_is_missing_where_it_never_was(self, actor):
        product, warehouse = ProductFactory(sku="TEA-1"), WarehouseFactory(name="Lund")
        with pytest.raises(services.StockNotAvailable, match=r"TEA-1 .* in Lund: 3 wanted, 0 available"):
            services.issue_stock(actor=actor, warehouse=warehouse, product=product, quantity=3)


class TestTransferStock:
    def test_leaves_one_warehouse_and_comes_to_the_other(self, actor, level):
        target = WarehouseFactory()
        out, into = services.transfer_stock(
            actor=actor, source=level.warehouse, target=target, product=level.product, quantity=4
        )
        assert (out.quantity, into.quantity) == (-4, 4)
        assert (on_hand(level.warehouse, level.product), on_hand(target, level.product)) == (6, 4)

    def test_needs_both_warehouses_in_scope(self, level):
        person = grant(give_role(UserFactory(), *RIGHTS), "access_warehouse", level.warehouse)
        with pytest.raises(OutOfScope):
            services.transfer_stock(
                actor=person, source=level.warehouse, target=WarehouseFactory(), product=level.product, quantity=1
            )
        assert on_hand(level.warehouse, level.product) == 10

    def test_refuses_more_than_there_is_and_a_way_that_leads_nowhere(self, actor, level):
        arguments = {"actor": actor, "source": level.warehouse, "product": level.product}
        with pytest.raises(services.StockNotAvailable):
            services.transfer_stock(**arguments, target=WarehouseFactory(), quantity=11)
        with pytest.raises(services.SameWarehouse):
            services.transfer_stock(**arguments, target=level.warehouse, quantity=1)


class TestAdjustStock:
    def test_goes_both_ways_but_not_below_what_is_available(self, actor, level):
        arguments = {"actor": actor, "warehouse": level.warehouse, "product": level.product, "reason": "Broken"}
        services.adjust_stock(**arguments, quantity=-10)
        services.adjust_stock(**arguments, quantity=2)
        with pytest.raises(services.StockNotAvailable):
            services.adjust_stock(**arguments, quantity=-3)
        with pytest.raises(services.QuantityNotPositive):
            services.adjust_stock(**arguments, quantity=0)
        assert on_hand(level.warehouse, level.product) == 2


class TestOpenStock:
    def test_is_posted_once(self, actor):
        arguments = {"actor": actor, "warehouse": WarehouseFactory(), "product": ProductFactory(), "quantity": 39}
        services.open_stock(**arguments)
        with pytest.raises(services.StockAlreadyOpened):
            services.open_stock(**arguments)


class TestACount:
    @pytest.fixture
    def count(self, actor, level):
        return services.open_count(actor=actor, warehouse=level.warehouse)

    def found(self, count, units):
        with change_set(actor=None, door="shell"):
            StockCountLine.objects.filter(count=count).update(counted_quantity=units)

    def test_lists_what_the_ledger_says(self, count, level):
        line = count.lines.get()
        assert (line.product, line.expected_quantity, line.difference) == (level.product, 10, None)

    def test_corrects_the_stock_by_what_was_found_and_not_by_what_moved_since(self, actor, count, level):
        services.receive_stock(actor=actor, warehouse=level.warehouse, product=level.product, quantity=5)
        self.found(count, 7)
        services.finish_count(actor=actor, count=count)
        services.post_count(actor=actor, count=count, reason="Year end")
        assert on_hand(level.warehouse, level.product) == 12
        posted = StockMovement.objects.get(kind="count")
        assert (posted.quantity, posted.reference, posted.reason) == (-3, count.number, "Year end")

    def test_goes_from_counting_to_counted_to_posted_and_no_other_way(self, actor, count):
        with pytest.raises(services.CountNotFinished):
            services.post_count(actor=actor, count=count)
        with pytest.raises(services.CountNotFinished, match="1 lines without a count"):
            services.finish_count(actor=actor, count=count)
        self.found(count, 10)
        services.finish_count(actor=actor, count=count)
        with pytest.raises(services.CountNotOpen):
            services.finish_count(actor=actor, count=count)
        services.post_count(actor=actor, count=count)
        with pytest.raises(services.CountNotFinished):
            services.post_count(actor=actor, count=count)
        assert not StockMovement.objects.filter(kind="count").exists()

    def test_is_final_once_posted(self, actor, count):
        self.found(count, 10)
        services.finish_count(actor=actor, count=count)
        services.post_count(actor=actor, count=count)
        with pytest.raises(Exception, match="A posted count is final"), change_set(actor=None, door="shell"):
            StockCount.objects.filter(pk=count.pk).update(state="draft", posted_at=None)

    def test_is_opened_only_where_the_person_works(self, level):
        with pytest.raises(OutOfScope):
            services.open_count(actor=give_role(UserFactory(), *COUNTING), warehouse=level.warehouse)


class TestStepsOfOtherVerbs:
    def test_need_the_act_that_they_are_part_of(self, level):
        with pytest.raises(NoChangeSet):
            services.allocate_stock(warehouse=level.warehouse, quantities={level.product_id: 1})

    def test_promise_all_or_nothing(self, level):
        other = StockLevelFactory(warehouse=level.warehouse, on_hand=1)
        wanted = {level.product_id: 5, other.product_id: 2}
        with pytest.raises(services.StockNotAvailable) as refused, change_set(actor=None, door="shell"):
            services.allocate_stock(warehouse=level.warehouse, quantities=wanted)
        assert "2 wanted, 1 available" in str(refused.value)
        assert "5 wanted" not in str(refused.value)
        assert not StockLevel.objects.exclude(allocated=0).exists()

    def test_ship_what_was_promised(self, level):
        with change_set(actor=None, door="shell"):
            services.allocate_stock(warehouse=level.warehouse, quantities={level.product_id: 10})
            services.ship_stock(warehouse=level.warehouse, quantities={level.product_id: 10}, reference="SH-1")
        level.refresh_from_db()
        assert (level.on_hand, level.allocated) == (0, 0)


class TestWarehouses:
    def test_are_seen_with_everything_below_them(self):
        north = WarehouseFactory()
        shelf = WarehouseFactory(parent=north)
        WarehouseFactory()
        person = grant(give_role(UserFactory(), "inventory.view_warehouse"), "access_warehouse", north)
        assert set(Warehouse.objects.restrict(person)) == {north, shelf}

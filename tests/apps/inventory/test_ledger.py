"""Stock on hand is the sum of the movements, whatever path a movement takes; and nothing else writes it."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import F, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_ext.audit.context import change_set
from apps.inventory import services
from apps.inventory.models import StockLevel, StockMovement, Warehouse
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockLevelFactory, StockMovementFactory, WarehouseFactory
from tests.concurrency import together
from tests.factories import UserFactory, give_role

pytestmark = pytest.mark.django_db


def levels():
    return {(row.warehouse_id, row.product_id): row.on_hand for row in StockLevel.objects.exclude(on_hand=0)}


def sums():
    rows = StockMovement.objects.order_by().values_list("warehouse_id", "product_id").annotate(Sum("quantity"))
    return {(warehouse, product): total for warehouse, product, total in rows if total}


def movement(level, quantity, kind="adjust"):
    return StockMovement(warehouse=level.warehouse, product=level.product, kind=kind, quantity=quantity)


def _execute(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _copy(level):
    columns = "kind, quantity, reference, reason, warehouse_id, product_id"
    with connection.cursor() as cursor, cursor.copy(f"COPY inventory_stockmovement ({columns}) FROM STDIN") as copy:
        for quantity in (5, -3):
            copy.write_row(("adjust", quantity, "", "", level.warehouse_id, level.product_id))


PATHS = {
    "save": lambda level: movement(level, 2).save(),
    "bulk_create of several for one level": lambda level: StockMovement.objects.bulk_create(
        [movement(level, 5), movement(level, -3)]
    ),
    "insert from a select": lambda level: _execute(
        "INSERT INTO inventory_stockmovement (kind, quantity, reference, reason, warehouse_id, product_id) "
        "SELECT 'adjust', 1, '', '', warehouse_id, product_id FROM inventory_stocklevel, generate_series(1, 2)"
    ),
    "copy": _copy,
}


class TestStockOnHand:
    @pytest.mark.parametrize("path", PATHS)
    def test_follows_the_movements_on_every_path(self, path, act):
        level, other = StockLevelFactory(on_hand=10), StockLevelFactory(on_hand=4)
        PATHS[path](level)
        level.refresh_from_db()
        assert (level.on_hand, level.available) == (12, 12)
        assert levels() == sums()
        assert levels()[other.warehouse_id, other.product_id] == (6 if path == "insert from a select" else 4)

    def test_begins_with_the_first_movement_and_takes_its_reorder_level_from_the_product(self):
        first = StockMovementFactory(product__reorder_level=25, product__reorder_quantity=100, quantity=7)
        level = StockLevel.objects.get(product=first.product)
        assert (level.on_hand, level.reorder_level, level.reorder_quantity) == (7, 25, 100)

    def test_is_on_the_record_with_the_act_that_moved_it(self, act):
        level = StockLevelFactory(on_hand=10)
        StockMovement.objects.bulk_create([movement(level, 5), movement(level, -3)])
        row = level.history.latest()
        assert (row.on_hand, row.changed, row.change_set_id) == (12, ["on_hand", "available"], act.id)

    def test_does_not_move_for_movements_that_cancel_out(self, act):
        level = StockLevelFactory(on_hand=10)
        before = StockLevel.objects.get(pk=level.pk).version
        StockMovement.objects.bulk_create([movement(level, 5), movement(level, -5)])
        assert StockLevel.objects.get(pk=level.pk).version == before

    @pytest.mark.parametrize(
        "by_hand",
        [
            lambda level: StockLevel.objects.update(on_hand=99),
            lambda level: StockLevel.objects.update(on_hand=F("on_hand") + 1),
            lambda level: _execute("UPDATE inventory_stocklevel SET on_hand = 0, allocated = 0"),
            lambda level: StockLevel.objects.bulk_create(
                [StockLevel(warehouse=level.warehouse, product=ProductFactory(), on_hand=1)]
            ),
        ],
    )
    def test_is_not_written_by_hand(self, by_hand, act):
        level = StockLevelFactory(on_hand=10)
        with pytest.raises(IntegrityError, match="follows from the movements"), transaction.atomic():
            by_hand(level)

    def test_stays_where_it_is(self, act):
        level = StockLevelFactory(on_hand=10)
        with pytest.raises(IntegrityError, match="keeps its warehouse"), transaction.atomic():
            StockLevel.objects.update(warehouse=WarehouseFactory())
        with pytest.raises(IntegrityError, match="is not deleted"), transaction.atomic():
            level.delete()
        StockLevelFactory().delete()
        assert levels() == sums()

    def test_is_never_negative_nor_less_than_what_is_promised(self, act):
        level = StockLevelFactory(on_hand=5)
        with pytest.raises(IntegrityError), transaction.atomic():
            movement(level, -6).save()
        with pytest.raises(IntegrityError), transaction.atomic():
            StockLevel.objects.update(allocated=6)
        StockLevel.objects.update(allocated=5)
        with pytest.raises(IntegrityError), transaction.atomic():
            movement(level, -1).save()
        with pytest.raises(IntegrityError), transaction.atomic():
            StockLevel.objects.update(allocated=-1)
        assert levels() == sums()


class TestMovements:
    @pytest.mark.parametrize(
        "attempt",
        [
            lambda: StockMovement.objects.update(quantity=1),
            lambda: StockMovement.objects.all().delete(),
            lambda: _execute("DELETE FROM inventory_stockmovement"),
        ],
    )
    def test_are_never_changed_or_deleted(self, attempt, act):
        StockMovementFactory()
        with pytest.raises(ProgrammingError, match="never changed or deleted"), transaction.atomic():
            attempt()

    @pytest.mark.parametrize(("kind", "quantity"), [("receive", -1), ("issue", 1), ("adjust", 0), ("gift", 1)])
    def test_go_the_way_of_their_kind(self, kind, quantity):
        level = StockLevelFactory(on_hand=10)
        with pytest.raises(IntegrityError), transaction.atomic(), change_set(actor=None, door="shell"):
            movement(level, quantity, kind).save()

    def test_draw_their_numbers_from_one_series(self):
        first, second = StockMovementFactory(), StockMovementFactory()
        assert first.number.startswith("SM-1")
        assert int(second.number[3:]) == int(first.number[3:]) + 1


class TestBelowReorderPoint:
    def test_counts_what_is_available_not_what_is_on_hand(self, act):
        enough = StockLevelFactory(on_hand=10, reorder_level=10)
        assert not StockLevel.objects.below_reorder_point().exists()
        StockLevel.objects.update(allocated=1)
        assert StockLevel.objects.below_reorder_point().get() == enough


def clerk():
    rights = ["receive", "issue", "transfer", "adjust"]
    return give_role(
        UserFactory(), "inventory.access_all_warehouse", *(f"inventory.{right}_stockmovement" for right in rights)
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["receive", "issue", "transfer", "adjust", "bulk", "allocate", "release"]),
        st.integers(-20, 20),
        st.integers(0, 1),
    ),
    max_size=12,
)


class TestTheLedger:
    @settings(
        max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(steps=STEPS)
    def test_adds_up_after_any_sequence_of_acts(self, db, steps):
        with transaction.atomic():
            actor, product, places = clerk(), ProductFactory(), [WarehouseFactory(), WarehouseFactory()]
            for verb, quantity, at in steps:
                try:
                    with transaction.atomic(), change_set(actor=actor, door="shell"):
                        self._do(verb, quantity, actor, product, places[at], places[1 - at])
                except (services.StockNotAvailable, services.QuantityNotPositive, IntegrityError):
                    continue
            assert levels() == sums()
            assert not StockLevel.objects.filter(available__lt=0).exists()
            transaction.set_rollback(True)

    def _do(self, verb, quantity, actor, product, here, there):
        if verb == "transfer":
            services.transfer_stock(actor=actor, source=here, target=there, product=product, quantity=quantity)
        elif verb == "bulk":
            StockMovement.objects.bulk_create(
                StockMovement(warehouse=place, product=product, kind="adjust", quantity=quantity or 1)
                for place in (here, there, here)
            )
        elif verb in ("allocate", "release"):
            getattr(services, f"{verb}_stock")(warehouse=here, quantities={product.pk: quantity})
        else:
            reason = {"reason": "Found"} if verb == "adjust" else {}
            act = getattr(services, f"{verb}_stock")
            act(actor=actor, warehouse=here, product=product, quantity=quantity, **reason)


@pytest.mark.django_db(transaction=True)
class TestTwoPeopleAtOnce:
    def test_cannot_be_promised_the_same_last_unit(self):
        level = StockLevelFactory(on_hand=1)
        raised = together(
            *[lambda: services.allocate_stock(warehouse=level.warehouse, quantities={level.product_id: 1})] * 3
        )
        assert sorted(type(error).__name__ for error in raised) == ["NoneType"] + ["StockNotAvailable"] * 2
        level.refresh_from_db()
        assert (level.on_hand, level.allocated, level.available) == (1, 1, 0)

    def test_may_begin_the_same_level(self):
        warehouse, product = WarehouseFactory(), ProductFactory()

        def receive():
            StockMovementFactory(warehouse=warehouse, product=product, quantity=3)

        assert together(receive, receive, receive) == [None] * 3
        assert levels() == sums() == {(warehouse.pk, product.pk): 9}

    def test_do_not_lock_each_other_out(self):
        warehouse = Warehouse.objects.get(pk=WarehouseFactory().pk)
        products = [StockLevelFactory(warehouse=warehouse, on_hand=50).product for _ in range(6)]

        def post(order):
            for _ in range(5):
                StockMovement.objects.bulk_create(
                    StockMovement(warehouse=warehouse, product=product, kind="issue", quantity=-1) for product in order
                )

        assert together(lambda: post(products), lambda: post(products[::-1])) == [None, None]
        assert levels() == sums()
        assert set(levels().values()) == {40}

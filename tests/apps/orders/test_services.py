"""An order from its confirmation to the goods that come back: who may, what moves, what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from apps.customers.services import CustomerNotActive
from apps.inventory.models import StockLevel, StockMovement
from apps.inventory.services import QuantityNotPositive, StockNotAvailable
from apps.orders import services
from apps.orders.models import MOVES, Order, State
from tests.apps.inventory.factories import StockMovementFactory
from tests.apps.orders.factories import OrderFactory, OrderLineFactory, order_with_stock
from tests.concurrency import together
from tests.factories import CustomerFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

VERBS = [f"orders.{verb}_order" for verb in ("confirm", "reopen", "allocate", "ship", "cancel", "return", "close")]
EVERYWHERE = ["customers.access_all_region", "inventory.access_all_warehouse"]
SHIPPED_ON = date(2026, 5, 6)


@pytest.fixture
def actor():
    return give_role(UserFactory(), *VERBS, *EVERYWHERE)


def move(order, actor, *verbs):
    """The order after these verbs."""
    for verb in verbs:
        arguments = {"reason": "Because"} if verb in ("cancel", "reopen") else {}
        arguments |= {"shipped_on": SHIPPED_ON} if verb == "ship" else {}
        getattr(services, f"{verb}_order")(actor=actor, order=order, **arguments)
    return Order.objects.get(pk=order.pk)


WAYS = {
    State.DRAFT: [],
    State.CONFIRMED: ["confirm"],
    State.ALLOCATED: ["confirm", "allocate"],
    State.SHIPPED: ["confirm", "allocate", "ship"],
    State.CLOSED: ["confirm", "allocate", "ship", "close"],
    State.CANCELLED: ["cancel"],
}
LEADS_TO = {
    "confirm": State.CONFIRMED,
    "reopen": State.DRAFT,
    "allocate": State.ALLOCATED,
    "ship": State.SHIPPED,
    "close": State.CLOSED,
    "cancel": State.CANCELLED,
}


def stock(order):
    """(on hand, allocated) of each product of the order, in line order."""
    levels = {level.product_id: level for level in StockLevel.objects.filter(warehouse=order.warehouse)}
    return [(levels[line.product_id].on_hand, levels[line.product_id].allocated) for line in order.lines.all()]


class TestEveryVerb:
    @pytest.mark.parametrize("state", WAYS)
    @pytest.mark.parametrize("verb", LEADS_TO)
    def test_moves_an_order_by_the_table_or_refuses_in_a_sentence(self, actor, state, verb):
        order = move(order_with_stock(), actor, *WAYS[state])
        assert order.state == state
        # Only the release of its stock makes an allocated order a confirmed one again.
        if LEADS_TO[verb] in MOVES[state] and (verb, state) != ("confirm", State.ALLOCATED):
            assert move(order, actor, verb).state == LEADS_TO[verb]
        else:
            with pytest.raises(services.OrderCannotMove, match=f"{order} is {state} and cannot become"):
                move(order, actor, verb)

    @pytest.mark.parametrize("verb", LEADS_TO)
    def test_needs_its_own_right(self, verb):
        others = [right for right in VERBS if right != f"orders.{verb}_order"]
        person = give_role(UserFactory(), *others, *EVERYWHERE, "orders.view_order", "orders.change_order")
        with pytest.raises(NotPermitted, match=f"no right to {verb}"):
            move(order_with_stock(), person, verb)

    def test_is_done_only_in_regions_and_warehouses_where_the_person_works(self):
        order = order_with_stock()
        person = grant(give_role(UserFactory(), *VERBS), "access_region", order.customer.region)
        with pytest.raises(NotPermitted):
            move(order, person, "confirm")
        person = grant(person, "access_warehouse", order.warehouse)
        assert move(order, person, "confirm").state == State.CONFIRMED

    def test_stands_in_the_record_as_one_act(self, actor):
        order = move(order_with_stock(3), actor, "confirm", "allocate")
        shipment = services.ship_order(actor=actor, order=order, shipped_on=SHIPPED_ON)
        act = order.history.latest().change_set
        assert (act.actor, act.verb) == (actor, "orders.ship")
        moved = StockMovement.objects.get(reference=shipment.number)
        level = StockLevel.objects.get(product=moved.product)
        for row in (shipment, order.lines.get(), moved, level):
            assert row.history.latest().change_set == act


class TestConfirmOrder:
    def test_refuses_an_order_without_lines(self, actor):
        with pytest.raises(services.OrderHasNoLines, match="Add what the customer wants"):
            services.confirm_order(actor=actor, order=OrderFactory())

    @pytest.mark.parametrize("status", ["on_hold", "closed"])
    def test_refuses_a_customer_who_is_not_active(self, actor, status):
        order = order_with_stock(customer=CustomerFactory(status=status))
        with pytest.raises(CustomerNotActive, match=status.replace("_", " ")):
            services.confirm_order(actor=actor, order=order)

    def test_refuses_a_product_that_is_still_a_draft(self, actor):
        line = OrderLineFactory(product__status="draft")
        with pytest.raises(services.ProductNotForSale, match=line.product.sku):
            services.confirm_order(actor=actor, order=line.order)

    def test_keeps_the_address_of_the_day_and_never_overwrites_one_that_was_given(self, actor):
        customer = CustomerFactory(street="Storgatan 1", city="Lund")
        plain, addressed = order_with_stock(customer=customer), order_with_stock(customer=customer, ship_to_city="Kiel")
        plain, addressed = move(plain, actor, "confirm"), move(addressed, actor, "confirm")
        assert (plain.ship_to_name, plain.ship_to_street, plain.ship_to_country) == (customer.name, "Storgatan 1", "SE")
        assert (addressed.ship_to_name, addressed.ship_to_city) == ("", "Kiel")


class TestAllocateOrder:
    def test_promises_every_line(self, actor):
        order = move(order_with_stock(2, 10), actor, "confirm", "allocate")
        assert stock(order) == [(10, 2), (10, 10)]
        assert [line.allocated_quantity for line in order.lines.all()] == [2, 10]

    def test_promises_all_or_nothing_and_says_what_is_missing(self, actor):
        order = move(order_with_stock(2, 11), actor, "confirm")
        with pytest.raises(StockNotAvailable) as refused:
            services.allocate_order(actor=actor, order=order)
        missing = order.lines.last().product
        assert f"{missing} in {order.warehouse}: 11 wanted, 10 available" in str(refused.value)
        assert str(order.lines.first().product) not in str(refused.value)
        assert stock(order) == [(10, 0), (10, 0)]

    def test_adds_up_lines_of_the_same_product(self, actor):
        order = order_with_stock(6)
        OrderLineFactory(order=order, product=order.lines.get().product, quantity=5)
        with pytest.raises(StockNotAvailable, match="11 wanted, 10 available"):
            move(order, actor, "confirm", "allocate")

    def test_refuses_an_order_without_a_warehouse(self, actor):
        order = OrderLineFactory(order__warehouse=None).order
        with pytest.raises(services.OrderHasNoWarehouse):
            move(order, actor, "confirm", "allocate")


class TestReleaseOrder:
    def test_gives_the_stock_back(self, actor):
        order = move(order_with_stock(4), actor, "confirm", "allocate")
        services.release_order(actor=actor, order=order)
        order.refresh_from_db()
        assert (order.state, stock(order), order.lines.get().allocated_quantity) == (State.CONFIRMED, [(10, 0)], 0)
        with pytest.raises(services.OrderCannotMove, match="no stock to release"):
            services.release_order(actor=actor, order=order)


class TestShipOrder:
    def test_issues_what_was_promised_and_says_what_left(self, actor):
        order = move(order_with_stock(2, 10), actor, "confirm", "allocate")
        shipment = services.ship_order(
            actor=actor, order=order, shipped_on=SHIPPED_ON, carrier="DHL", tracking_number="JD01"
        )
        order.refresh_from_db()
        assert stock(order) == [(8, 0), (0, 0)]
        assert (order.state, order.shipped_on, order.carrier) == (State.SHIPPED, SHIPPED_ON, "DHL")
        assert [(line.allocated_quantity, line.shipped_quantity) for line in order.lines.all()] == [(0, 2), (0, 10)]
        assert shipment.number.startswith("SH-")
        assert [line.quantity for line in shipment.lines.all()] == [2, 10]
        issued = StockMovement.objects.filter(kind="issue").values_list("quantity", "reference")
        assert sorted(issued) == [(-10, shipment.number), (-2, shipment.number)]

    def test_refuses_a_day_before_the_order(self, actor):
        order = move(order_with_stock(), actor, "confirm", "allocate")
        with pytest.raises(services.ShippedBeforeOrdered):
            services.ship_order(actor=actor, order=order, shipped_on=date(2026, 5, 3))


class TestCancelOrder:
    @pytest.mark.parametrize("way", [[], ["confirm"], ["confirm", "allocate"]])
    def test_frees_what_was_promised(self, actor, way):
        order = move(order_with_stock(3), actor, *way, "cancel")
        assert (order.state, stock(order)) == (State.CANCELLED, [(10, 0)])
        assert order.lines.get().allocated_quantity == 0
        assert order.history.latest().change_set.reason == "Because"


class TestReturnGoods:
    @pytest.fixture
    def order(self, actor):
        return move(order_with_stock(2, 10), actor, "confirm", "allocate", "ship")

    def test_takes_units_back_into_the_warehouse(self, actor, order):
        back = services.return_goods(actor=actor, order=order, quantities={2: 4}, reason="Too many")
        assert stock(order) == [(8, 0), (4, 0)]
        assert [(line.order_line.number, line.quantity) for line in back.lines.all()] == [(2, 4)]
        assert order.lines.get(number=2).returned_quantity == 4
        assert StockMovement.objects.get(kind="return").reference == back.number

    def test_takes_no_more_than_was_shipped(self, actor, order):
        services.return_goods(actor=actor, order=order, quantities={2: 4}, reason="Too many")
        with pytest.raises(services.MoreThanShipped, match="10 were shipped and 4 came back before"):
            services.return_goods(actor=actor, order=order, quantities={2: 7}, reason="Too many")
        with pytest.raises(services.MoreThanShipped, match="no line 9"):
            services.return_goods(actor=actor, order=order, quantities={9: 1}, reason="Too many")
        with pytest.raises(QuantityNotPositive):
            services.return_goods(actor=actor, order=order, quantities={2: -1}, reason="Too many")
        assert stock(order) == [(8, 0), (4, 0)]

    def test_takes_back_what_was_shipped_elsewhere_before(self, actor):
        order = OrderFactory(state="shipped", shipped_on=SHIPPED_ON, brought_in=True)
        OrderLineFactory(order=order, quantity=5)
        services.return_goods(actor=actor, order=order, quantities={1: 5}, reason="Late")
        assert stock(order) == [(5, 0)]

    def test_refuses_an_order_that_is_still_here(self, actor):
        with pytest.raises(services.OrderNotShipped):
            services.return_goods(actor=actor, order=order_with_stock(), quantities={1: 1}, reason="Early")


@pytest.mark.django_db(transaction=True)
class TestTwoPeopleAtOnce:
    def test_cannot_allocate_the_same_last_units(self):
        actor = give_role(UserFactory(), *VERBS, *EVERYWHERE)
        orders = [order_with_stock(2, 3, stock=0) for _ in range(3)]
        with change_set(actor=None, door="shell"):
            Order.objects.update(warehouse=orders[0].warehouse)
            products = [line.product_id for line in orders[0].lines.all()]
            for order in orders:
                # Each in another sequence: what is locked must not follow it.
                for line, product in zip(order.lines.all(), products, strict=True):
                    line.product_id = product
                    line.save()
                products.reverse()
        for product in orders[0].lines.all():
            StockMovementFactory(warehouse=orders[0].warehouse, product=product.product, quantity=5)
        for order in orders:
            services.confirm_order(actor=actor, order=order)

        raised = together(*[lambda order=order: services.allocate_order(actor=actor, order=order) for order in orders])
        assert sorted(type(error).__name__ for error in raised) == ["NoneType", "NoneType", "StockNotAvailable"]
        assert stock(orders[0]) == [(5, 5), (5, 5)]
        assert Order.objects.filter(state="allocated").count() == 2

    def test_cannot_ship_an_order_twice(self):
        actor = give_role(UserFactory(), *VERBS, *EVERYWHERE)
        order = move(order_with_stock(5), actor, "confirm", "allocate")
        raised = together(*[lambda: services.ship_order(actor=actor, order=order, shipped_on=SHIPPED_ON)] * 2)
        assert sorted(type(error).__name__ for error in raised) == ["NoneType", "OrderCannotMove"]
        assert (order.shipments.count(), stock(order)) == (1, [(5, 0)])

"""What the database keeps true about orders, whatever path a write takes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError, Sum

from apps.orders.models import MOVES, Order, OrderLine, State
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.orders.factories import OrderFactory, OrderLineFactory, ShipmentFactory
from tests.concurrency import together
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

DAY = date(2026, 5, 6)


def _execute(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _copy(order):
    columns = "order_id, number, product_id, quantity, unit_price, discount"
    product = order.lines.first().product_id
    with connection.cursor() as cursor, cursor.copy(f"COPY orders_orderline ({columns}) FROM STDIN") as copy:
        for number in (7, 8):
            copy.write_row((order.pk, number, product, 3, "0.3333", "0.0125"))


def line(order, **fields):
    return OrderLine(order=order, product=order.lines.first().product, **{"quantity": 1, "unit_price": 5} | fields)


def refuses(match):
    return pytest.raises(IntegrityError, match=match)


WRITES = {
    "save": lambda order: line(order).save(),
    "bulk_create": lambda order: OrderLine.objects.bulk_create([line(order), line(order, discount=Decimal("0.25"))]),
    "bulk_update": lambda order: OrderLine.objects.bulk_update(
        [OrderLine(pk=row.pk, quantity=9) for row in order.lines.all()], ["quantity"]
    ),
    "update": lambda order: OrderLine.objects.update(unit_price=F("unit_price") + Decimal("0.0001")),
    "update of discounts": lambda order: order.lines.update(discount=1),
    "delete": lambda order: order.lines.first().delete(),
    "delete all": lambda order: order.lines.all().delete(),
    "raw delete": lambda order: _execute("DELETE FROM orders_orderline"),
    "insert from a select": lambda order: _execute(
        "INSERT INTO orders_orderline (order_id, product_id, quantity, unit_price, discount) "
        "SELECT order_id, product_id, 1, 0.0001, 0 FROM orders_orderline"
    ),
    "copy": _copy,
    "lines handed to another order": lambda order: OrderLine.objects.update(
        order=order, number=F("id") + 1000, quantity=1
    ),
    "upsert": lambda order: OrderLine.objects.bulk_create(
        [line(order, number=1, quantity=4), line(order, number=9)],
        update_conflicts=True,
        unique_fields=["order", "number"],
        update_fields=["quantity"],
    ),
}


def place_of(order):
    """Where the row lies in its table; every UPDATE moves it, also one that changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text FROM orders_order WHERE id = %s", [order.pk])
        return cursor.fetchone()[0]


class TestTotals:
    @pytest.mark.parametrize("path", WRITES)
    def test_are_the_sums_of_the_lines_on_every_path(self, path, act):
        order, other = OrderFactory(), OrderFactory()
        for each in (order, order, other):
            OrderLineFactory(order=each, quantity=3, unit_price=Decimal("9.9999"), discount=Decimal("0.05"))
        WRITES[path](order)
        for each in Order.objects.all():
            gross = sum(row.unit_price * row.quantity for row in each.lines.all())
            net = each.lines.aggregate(net=Sum("amount"))["net"] or 0
            assert (each.gross_total, each.net_total, each.discount_total) == (gross, net, gross - net)

    def test_are_on_the_record_and_written_once_per_statement(self, act):
        order = OrderLineFactory().order
        before = Order.objects.get(pk=order.pk).version
        OrderLine.objects.bulk_create([line(order), line(order)])
        row = order.history.latest()
        assert (row.gross_total, row.change_set_id, row.version) == (30, act.id, before + 1)
        assert sorted(row.changed) == ["gross_total", "net_total"]

    def test_are_not_written_when_nothing_of_them_changed(self, act):
        order = OrderLineFactory().order
        before = place_of(order)
        OrderLine.objects.update(allocated_quantity=1)
        OrderLine.objects.update(quantity=F("quantity"))
        OrderLine.objects.update(product=ProductFactory())
        assert place_of(order) == before

    def test_survive_a_save_of_what_was_read_earlier_and_a_write_by_hand(self, act):
        order = OrderFactory()
        OrderLineFactory(order=order)
        order.carrier = "DHL"
        order.save()
        Order.objects.update(gross_total=1, net_total=1)
        order.refresh_from_db()
        assert (order.carrier, order.gross_total, order.net_total) == ("DHL", 20, 20)
        assert order.history.latest().changed == ["carrier"]

    def test_cannot_be_invented_for_a_new_order(self):
        with refuses("before it has lines"), transaction.atomic():
            OrderFactory(gross_total=5)


@pytest.mark.django_db(transaction=True)
class TestTotalsOfTwoPeopleAtOnce:
    def test_miss_no_line(self):
        order = OrderLineFactory().order
        adding = [lambda number=number: line(order, number=number).save() for number in range(11, 15)]
        assert together(*adding) == [None] * 4
        assert Order.objects.get(pk=order.pk).gross_total == 40

    def test_do_not_lock_each_other_out(self):
        orders = [OrderLineFactory().order for _ in range(6)]

        def add(first, sequence):
            for step in range(4):
                OrderLine.objects.bulk_create(line(order, number=first + step) for order in sequence)

        assert together(lambda: add(10, orders), lambda: add(20, orders[::-1])) == [None, None]
        assert set(Order.objects.values_list("gross_total", flat=True)) == {60}


class TestMoves:
    @pytest.mark.parametrize("here", State.values)
    @pytest.mark.parametrize("there", State.values)
    def test_are_those_of_the_table_and_no_other(self, act, here, there):
        order = OrderFactory(brought_in=True, **arrived(here))
        if here == "allocated":
            Order.objects.update(state="allocated")
        write = {"state": there, "shipped_on": DAY if there in ("shipped", "closed") else None}
        if here == there or there in MOVES[State(here)]:
            Order.objects.filter(pk=order.pk).update(**write)
        else:
            with refuses(f"is {here} and cannot become {there}"), transaction.atomic():
                Order.objects.filter(pk=order.pk).update(**write)


def arrived(state):
    """Fields with which an order may be brought in in this state; allocated ones arrive confirmed."""
    return {
        "state": "confirmed" if state == "allocated" else state,
        "shipped_on": DAY if state in ("shipped", "closed") else None,
    }


class TestAnOrder:
    def test_begins_as_a_draft_unless_it_was_brought_in(self):
        assert OrderFactory().state == State.DRAFT
        for state in State.values:
            if state not in ("draft", "allocated"):
                OrderFactory(brought_in=True, **arrived(state))
                with refuses(f"cannot begin as {state}"), transaction.atomic():
                    OrderFactory(**arrived(state))

    def test_is_never_brought_in_with_stock_that_was_allocated_elsewhere(self):
        with refuses("cannot begin as allocated"), transaction.atomic():
            OrderFactory(brought_in=True, state="allocated")

    @pytest.mark.parametrize(
        ("impossible", "said"),
        [
            ({"state": "lost"}, "an_order_state_is_known"),
            ({"state": "shipped"}, "a_shipped_order_has_a_ship_day"),
            ({"state": "confirmed", "shipped_on": DAY}, "only_a_shipped_order_has_a_ship_day"),
            ({"required_on": date(2026, 5, 3)}, "an_order_is_required_after_it_came_in"),
            ({"state": "shipped", "shipped_on": date(2026, 5, 3)}, "an_order_is_shipped_after_it_came_in"),
            ({"freight": -1}, "freight_is_not_negative"),
            ({"number": ""}, "an_order_has_a_number"),
        ],
    )
    def test_is_never_in_an_impossible_state(self, impossible, said):
        with refuses(said), transaction.atomic():
            OrderFactory(brought_in=True, **impossible)

    def test_draws_its_number_from_one_series_and_keeps_one_that_it_brings(self):
        first, second = OrderFactory(), OrderFactory()
        assert first.number.startswith("SO-1")
        assert int(second.number[3:]) == int(first.number[3:]) + 1
        assert OrderFactory(number="10248").natural_key() == ("10248",)
        with refuses("orders_order_number_key"), transaction.atomic():
            OrderFactory(number="10248")

    def test_keeps_what_others_rely_on_once_it_is_under_way(self, act):
        order = OrderFactory()
        Order.objects.filter(pk=order.pk).update(customer=CustomerFactory(), currency="SEK")
        Order.objects.filter(pk=order.pk).update(state="confirmed")
        for change, said in [
            ({"customer": CustomerFactory()}, "keeps its customer"),
            ({"currency": "USD"}, "keeps its customer"),
            ({"brought_in": True}, "decided once"),
        ]:
            with refuses(said), transaction.atomic():
                Order.objects.filter(pk=order.pk).update(**change)
        Order.objects.filter(pk=order.pk).update(state="allocated")
        with refuses("stock allocated in its warehouse"), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(warehouse=None, state="confirmed")

    def test_is_deleted_only_as_a_draft_or_when_it_was_brought_in(self, act):
        OrderLineFactory().order.delete()
        brought = OrderFactory(brought_in=True, **arrived("shipped"))
        OrderLineFactory(order=brought)
        brought.delete()
        order = OrderFactory()
        Order.objects.update(state="confirmed")
        with refuses("Cancel it instead"), transaction.atomic():
            Order.objects.filter(pk=order.pk).delete()

    def test_stays_as_long_as_something_was_shipped_for_it(self):
        order = OrderFactory(brought_in=True, **arrived("shipped"))
        ShipmentFactory(order=order)
        with pytest.raises(ProtectedError):
            order.delete()


class TestALine:
    @pytest.fixture
    def order(self):
        return OrderLineFactory().order

    @pytest.mark.parametrize(
        "attempt",
        [
            lambda order: line(order).save(),
            lambda order: order.lines.update(quantity=5),
            lambda order: order.lines.update(product=ProductFactory()),
            lambda order: order.lines.update(order=OrderFactory()),
            lambda order: order.lines.all().delete(),
        ],
    )
    def test_changes_only_while_its_order_is_a_draft(self, act, order, attempt):
        Order.objects.filter(pk=order.pk).update(state="confirmed")
        with refuses("its lines change only while it is a draft"), transaction.atomic():
            attempt(order)

    def test_of_an_order_brought_in_can_be_completed_and_corrected_until_stock_is_allocated(self, act):
        order = OrderFactory(brought_in=True, state="confirmed")
        OrderLineFactory(order=order)
        order.lines.update(quantity=3)
        Order.objects.update(state="allocated")
        with refuses("is allocated"), transaction.atomic():
            order.lines.update(quantity=4)

    def test_gets_the_next_number_of_its_order(self, act, order):
        OrderLine.objects.bulk_create([line(order), line(order), line(order, number=10), line(order)])
        assert [row.number for row in order.lines.all()] == [1, 2, 3, 10, 11]
        with refuses("a_line_number_is_given_once"), transaction.atomic():
            line(order, number=10).save()

    @pytest.mark.parametrize(
        ("impossible", "said"),
        [
            ({"quantity": 0}, "a_line_orders_something"),
            ({"quantity": -1}, "a_line_orders_something"),
            ({"unit_price": -1}, "a_unit_price_is_not_negative"),
            ({"discount": Decimal("1.0001")}, "a_discount_is_part_of_a_price"),
            ({"discount": Decimal("-0.0001")}, "a_discount_is_part_of_a_price"),
            ({"number": -1}, "a_line_has_a_number"),
            ({"allocated_quantity": 2}, "no_more_is_allocated_and_shipped_than_ordered"),
            ({"allocated_quantity": 1, "shipped_quantity": 1}, "no_more_is_allocated_and_shipped_than_ordered"),
            ({"allocated_quantity": -1}, "no_more_is_allocated_and_shipped_than_ordered"),
            ({"returned_quantity": 2}, "no_more_comes_back_than_was_ordered"),
        ],
    )
    def test_is_never_impossible(self, act, order, impossible, said):
        with refuses(said), transaction.atomic():
            line(order, **impossible).save()

    def test_keeps_four_decimals_of_money(self, order):
        row = OrderLineFactory(order=order, quantity=3, unit_price=Decimal("0.3333"), discount=Decimal("0.0125"))
        assert row.amount == Decimal("0.9874")  # 0.98740125


class TestQueues:
    @pytest.fixture
    def today(self):
        return date(2026, 6, 30)

    def make(self, state, age, **fields):
        ordered_on = date(2026, 6, 30) - timedelta(days=age)
        ship_day = {"shipped_on": date(2026, 6, 30)} if state in ("shipped", "closed") else {}
        return OrderFactory(brought_in=True, state=state, ordered_on=ordered_on, **ship_day, **fields)

    def test_of_late_orders_hold_what_was_promised_before_today_and_has_not_left(self, today):
        late = self.make("confirmed", 9, required_on=date(2026, 6, 29))
        self.make("confirmed", 9, required_on=today)
        self.make("confirmed", 9)
        self.make("draft", 9, required_on=date(2026, 6, 29))
        self.make("shipped", 9, required_on=date(2026, 6, 29))
        assert list(Order.objects.late(today)) == [late]

    def test_by_state_and_age_count_every_open_order_once(self, today):
        for state, age in [("draft", 0), ("draft", 6), ("draft", 7), ("draft", 29), ("draft", 30), ("confirmed", 400)]:
            self.make(state, age)
        self.make("shipped", 3)
        rows = {row.pop("state"): row for row in Order.objects.by_state_and_age(today)}
        assert rows == {
            "draft": {"total": 5, "week": 2, "month": 2, "older": 1},
            "confirmed": {"total": 1, "week": 0, "month": 0, "older": 1},
        }

    def test_open_into_lists_of_the_same_orders(self, today):
        orders = [self.make("draft", age) for age in (0, 6, 7, 29, 30)]
        week, month = (today - timedelta(days=days) for days in (7, 30))
        assert set(Order.objects.open().placed(after=week)) == set(orders[:2])
        assert set(Order.objects.open().placed(after=month, until=week)) == set(orders[2:4])
        assert set(Order.objects.open().placed(until=month)) == set(orders[4:])

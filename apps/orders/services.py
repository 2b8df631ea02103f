"""What can be done to an order, from its confirmation to the goods that come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from django.db.models import F
from django.utils import timezone

from admin_ext.services import Refused, service
from apps.accounts.models import User
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.customers.services import CustomerNotActive
from apps.inventory.models import Warehouse
from apps.inventory.services import allocate_stock, release_stock, ship_stock, take_back_stock
from apps.orders.models import MOVES, Order, OrderLine, Return, ReturnLine, Shipment, ShipmentLine, State

ADDRESS = ("name", "street", "city", "state", "postal_code", "country")


def _can_become(state: State) -> Callable[[Order], bool]:
    return lambda order: state in MOVES[State(order.state)]


class OrderCannotMove(Refused):
    """An order in this state cannot become what was asked for; `orders.models.MOVES` lists what it can."""


class OrderHasNoLines(Refused):
    """An order without lines orders nothing."""


class OrderHasNoWarehouse(Refused):
    """Nobody said where the goods leave from."""


class ProductNotForSale(Refused):
    """A product that is still a draft cannot be sold."""


class ShippedBeforeOrdered(Refused):
    """Goods leave on the day of the order or later."""


class OrderNotShipped(Refused):
    """Only what was shipped can come back."""


class MoreThanShipped(Refused):
    """No more comes back than was shipped."""


@service("orders.confirm", right="confirm", possible=lambda order: order.state == State.DRAFT)
def confirm_order(*, actor: User, order: Order) -> Order:
    """Promise a draft to its customer. Without a ship-to address it goes to the customer's own, as of today.

    Raises OrderCannotMove, CustomerNotActive, OrderHasNoLines, ProductNotForSale.
    """
    if order.state != State.DRAFT:
        # An allocated order may become confirmed too, but only by giving its stock back.
        raise OrderCannotMove(f"{order} is {_named(order.state)} and cannot become confirmed.")
    customer = order.customer
    if customer.status != Customer.Status.ACTIVE:
        status = customer.get_status_display().lower()
        raise CustomerNotActive(
            f"{order} is for {customer}, who is {status}. Release the customer, or cancel the order."
        )
    if not order.lines.exists():
        raise OrderHasNoLines(f"{order} has no lines. Add what the customer wants.")
    if drafts := order.lines.filter(product__status=Product.Status.DRAFT).select_related("product"):
        names = ", ".join(str(line.product) for line in drafts)
        raise ProductNotForSale(
            f"{order} has products that are still drafts: {names}. Activate them, or take them off."
        )
    if any(getattr(order, f"ship_to_{part}") for part in ADDRESS):
        return _move(order, State.CONFIRMED)
    for part in ADDRESS:
        setattr(order, f"ship_to_{part}", getattr(customer, part))
    return _move(order, State.CONFIRMED, *(f"ship_to_{part}" for part in ADDRESS))


@service("orders.reopen", right="reopen", possible=_can_become(State.DRAFT), reason_required=True)
def reopen_order(*, actor: User, order: Order, reason: str) -> Order:
    """Make a confirmed order a draft again, so that its lines can change. Raises OrderCannotMove."""
    _check_move(order, State.DRAFT)
    return _move(order, State.DRAFT)


@service("orders.allocate", right="allocate", possible=_can_become(State.ALLOCATED))
def allocate_order(*, actor: User, order: Order) -> Order:
    """Promise stock in the order's warehouse to a confirmed order: all of it, or nothing.

    Raises OrderCannotMove, OrderHasNoWarehouse, StockNotAvailable.
    """
    _check_move(order, State.ALLOCATED)
    allocate_stock(warehouse=_warehouse(order), quantities=_units(order.lines.all()))
    order.lines.update(allocated_quantity=F("quantity"))
    return _move(order, State.ALLOCATED)


@service("orders.release", right="allocate", possible=lambda order: order.state == State.ALLOCATED)
def release_order(*, actor: User, order: Order, reason: str = "") -> Order:
    """Give the stock of an allocated order back, and keep the order confirmed. Raises OrderCannotMove."""
    if order.state != State.ALLOCATED:
        raise OrderCannotMove(f"{order} is {_named(order.state)}; there is no stock to release.")
    _release(order)
    return _move(order, State.CONFIRMED)


@service("orders.ship", right="ship", possible=_can_become(State.SHIPPED))
def ship_order(
    *,
    actor: User,
    order: Order,
    shipped_on: date | None = None,
    carrier: str = "",
    tracking_number: str = "",
) -> Shipment:
    """Send an allocated order out of its warehouse, today unless `shipped_on` says otherwise.

    Raises OrderCannotMove, ShippedBeforeOrdered.
    """
    _check_move(order, State.SHIPPED)
    day = shipped_on or timezone.localdate()
    if day < order.ordered_on:
        raise ShippedBeforeOrdered(f"{order} came in on {order.ordered_on}; it cannot be shipped on {day}.")
    carrier, warehouse = carrier or order.carrier, _warehouse(order)
    shipment = Shipment.objects.create(
        order=order,
        warehouse=warehouse,
        shipped_on=day,
        carrier=carrier,
        tracking_number=tracking_number,
    )
    lines = list(order.lines.all())
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, order_line=line, quantity=line.quantity) for line in lines
    )
    ship_stock(warehouse=warehouse, quantities=_units(lines), reference=shipment.number)
    order.lines.update(shipped_quantity=F("quantity"), allocated_quantity=0)
    order.shipped_on, order.carrier = day, carrier
    _move(order, State.SHIPPED, "shipped_on", "carrier")
    return shipment


@service("orders.cancel", right="cancel", possible=_can_become(State.CANCELLED), reason_required=True)
def cancel_order(*, actor: User, order: Order, reason: str) -> Order:
    """Call an order off that was not shipped; what was allocated is free again. Raises OrderCannotMove."""
    _check_move(order, State.CANCELLED)
    if order.state == State.ALLOCATED:
        _release(order)
    return _move(order, State.CANCELLED)


@service("orders.close", right="close", possible=_can_become(State.CLOSED))
def close_order(*, actor: User, order: Order, reason: str = "") -> Order:
    """Say that nothing more is to be done for a shipped order. Raises OrderCannotMove."""
    _check_move(order, State.CLOSED)
    return _move(order, State.CLOSED)


@service("orders.return", right="return", possible=lambda order: order.state in (State.SHIPPED, State.CLOSED))
def return_goods(
    *, actor: User, order: Order, quantities: Mapping[int, int], reason: str, returned_on: date | None = None
) -> Return:
    """Take back units of a shipped order into its warehouse; `quantities` are units by line number.

    Raises OrderNotShipped, OrderHasNoWarehouse, MoreThanShipped, QuantityNotPositive.
    """
    if order.state not in (State.SHIPPED, State.CLOSED):
        raise OrderNotShipped(f"{order} is {_named(order.state)}; only what was shipped can come back.")
    warehouse, lines = _warehouse(order), _returnable(order, quantities)
    back = Return.objects.create(
        order=order,
        customer=order.customer,
        currency=order.currency,
        warehouse=warehouse,
        returned_on=returned_on or timezone.localdate(),
        reason=reason,
    )
    units: Counter[int] = Counter()
    for line in lines:
        units[line.product_id] += quantities[line.number]
        line.returned_quantity += quantities[line.number]
    take_back_stock(warehouse=warehouse, quantities=units, reference=back.number, reason=reason)
    ReturnLine.objects.bulk_create(
        ReturnLine(
            goods_return=back,
            number=number,
            order_line=line,
            product=line.product,
            quantity=quantities[line.number],
            unit_price=line.unit_price,
            discount=line.discount,
        )
        for number, line in enumerate(lines, start=1)
    )
    OrderLine.objects.bulk_update(lines, ["returned_quantity"])
    return back


def _returnable(order: Order, quantities: Mapping[int, int]) -> list[OrderLine]:
    """The lines of which units come back. Raises MoreThanShipped."""
    lines = {line.number: line for line in order.lines.select_related("product")}
    for number, units in quantities.items():
        line = lines.get(number)
        if line is None:
            raise MoreThanShipped(f"{order} has no line {number}. Give the number of one of its lines.")
        # A line that was brought in was shipped elsewhere: all of it, as far as we know.
        shipped = line.shipped_quantity or (line.quantity if order.brought_in else 0)
        if units > shipped - line.returned_quantity:
            raise MoreThanShipped(
                f"{order} line {number}, {line.product}: {units} cannot come back; "
                f"{shipped} were shipped and {line.returned_quantity} came back before."
            )
    return [lines[number] for number in quantities]


def _check_move(order: Order, state: State) -> None:
    if not _can_become(state)(order):
        raise OrderCannotMove(f"{order} is {_named(order.state)} and cannot become {_named(state)}.")


def _move(order: Order, state: State, *changed: str) -> Order:
    """Write the state, and the columns that changed with it."""
    order.state = state
    order.save(update_fields=["state", *changed])
    return order


def _release(order: Order) -> None:
    release_stock(warehouse=_warehouse(order), quantities=_units(order.lines.all()))
    order.lines.update(allocated_quantity=0)


def _warehouse(order: Order) -> Warehouse:
    if order.warehouse is None:
        raise OrderHasNoWarehouse(f"{order} has no warehouse. Say where its goods lie.")
    return order.warehouse


def _units(lines: Iterable[OrderLine]) -> dict[int, int]:
    """Units by product key; a product may stand on several lines."""
    units: Counter[int] = Counter()
    for line in lines:
        units[line.product_id] += line.quantity
    return dict(units)


def _named(state: str) -> str:
    return State(state).label.lower()

"""How stock moves. Every unit that comes or goes is a movement; the levels follow in the database.

A verb takes an `actor` and asks for a right. The steps at the end take none: they are done within another app's verb,
whose right was asked, and need its open change set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.utils import timezone

from admin_ext.access.rights import check_inside
from admin_ext.audit.context import current_act
from admin_ext.services import Refused, service
from apps.accounts.models import User
from apps.catalogue.models import Product
from apps.inventory.models import StockCount, StockCountLine, StockLevel, StockMovement, Warehouse

Kind = StockMovement.Kind
MOVEMENT = "inventory.StockMovement"
Place = tuple[Warehouse, Product]


class StockNotAvailable(Refused):
    """Less is available than is wanted: the rest is not there, or promised to others."""


class QuantityNotPositive(Refused):
    """Stock moves in whole units, one or more."""


class WarehouseNotActive(Refused):
    """A warehouse that was given up takes in no goods."""


class StockAlreadyOpened(Refused):
    """Opening stock is posted once."""


class SameWarehouse(Refused):
    """A transfer goes from one warehouse to another."""


class CountNotOpen(Refused):
    """The sheet is counted or posted already."""


class CountNotFinished(Refused):
    """Only a sheet that was counted to the end can be posted."""


@service("inventory.open", right="open", model=MOVEMENT)
def open_stock(
    *, actor: User, warehouse: Warehouse, product: Product, quantity: int, reason: str = ""
) -> StockMovement:
    """Post what lay in a warehouse before we kept its stock. Raises StockAlreadyOpened, QuantityNotPositive."""
    if StockMovement.objects.filter(kind=Kind.OPENING, warehouse=warehouse, product=product).exists():
        raise StockAlreadyOpened(f"{product} was opened in {warehouse} already. Adjust the stock instead.")
    return _post_one(actor, "open", Kind.OPENING, warehouse, product, _units(quantity), "", reason)


@service("inventory.receive", right="receive", model=MOVEMENT)
def receive_stock(
    *, actor: User, warehouse: Warehouse, product: Product, quantity: int, reference: str = "", reason: str = ""
) -> StockMovement:
    """Take in goods. Raises WarehouseNotActive, QuantityNotPositive."""
    return _post_one(actor, "receive", Kind.RECEIVE, warehouse, product, _units(quantity), reference, reason)


@service("inventory.issue", right="issue", model=MOVEMENT)
def issue_stock(
    *, actor: User, warehouse: Warehouse, product: Product, quantity: int, reference: str = "", reason: str = ""
) -> StockMovement:
    """Give out goods that are not promised to an order. Raises StockNotAvailable, QuantityNotPositive."""
    return _post_one(actor, "issue", Kind.ISSUE, warehouse, product, -_units(quantity), reference, reason)


@service("inventory.transfer", right="transfer", model=MOVEMENT)
def transfer_stock(
    *,
    actor: User,
    source: Warehouse,
    target: Warehouse,
    product: Product,
    quantity: int,
    reference: str = "",
    reason: str = "",
) -> tuple[StockMovement, StockMovement]:
    """Move goods between warehouses: one movement out, one in. Raises StockNotAvailable, SameWarehouse."""
    if source == target:
        raise SameWarehouse(f"{source} is both where the goods are and where they should go. Choose another target.")
    out = StockMovement(
        kind=Kind.TRANSFER_OUT, warehouse=source, product=product, quantity=-_units(quantity), reference=reference
    )
    into = StockMovement(
        kind=Kind.TRANSFER_IN, warehouse=target, product=product, quantity=quantity, reference=reference
    )
    out.reason = into.reason = reason
    _post(actor, "transfer", [out, into])
    return out, into


@service("inventory.adjust", right="adjust", model=MOVEMENT, reason_required=True)
def adjust_stock(*, actor: User, warehouse: Warehouse, product: Product, quantity: int, reason: str) -> StockMovement:
    """Correct the stock by `quantity` units, negative to take some off. Raises StockNotAvailable."""
    if not quantity:
        raise QuantityNotPositive("An adjustment of 0 changes nothing. Say how many units more or less there are.")
    return _post_one(actor, "adjust", Kind.ADJUST, warehouse, product, quantity, "", reason)


@service("inventory.open_count", right="add", model="inventory.StockCount")
def open_count(
    *, actor: User, warehouse: Warehouse, products: Iterable[Product] | None = None, remark: str = ""
) -> StockCount:
    """Make a count sheet of `products`, or of everything that ever lay in the warehouse."""
    count = StockCount.objects.create(warehouse=warehouse, remark=remark)
    expected = dict(StockLevel.objects.filter(warehouse=warehouse).values_list("product_id", "on_hand"))
    keys = expected if products is None else [product.pk for product in products]
    StockCountLine.objects.bulk_create(
        StockCountLine(count=count, product_id=key, expected_quantity=expected.get(key, 0)) for key in keys
    )
    check_inside(actor, StockCount, [count.pk], "add")
    return count


@service("inventory.finish_count", right="finish", possible=lambda count: count.state == "draft")
def finish_count(*, actor: User, count: StockCount) -> StockCount:
    """Say that a sheet is counted to the end. Raises CountNotOpen, CountNotFinished."""
    if count.state != StockCount.State.DRAFT:
        raise CountNotOpen(f"{count} is {count.get_state_display().lower()} already.")
    left = count.lines.filter(counted_quantity=None).count()
    if left or not count.lines.exists():
        raise CountNotFinished(f"{count} has {left} lines without a count. Count them, or take them off the sheet.")
    count.state = StockCount.State.COUNTED
    count.save(update_fields=["state"])
    return count


@service("inventory.post_count", right="post", possible=lambda count: count.state == "counted")
def post_count(*, actor: User, count: StockCount, reason: str = "") -> StockCount:
    """Correct the stock by what the sheet found more or less. Raises CountNotFinished, StockNotAvailable."""
    if count.state != StockCount.State.COUNTED:
        raise CountNotFinished(f"{count} is {count.get_state_display().lower()}; only a counted sheet can be posted.")
    _write(
        StockMovement(
            kind=Kind.COUNT,
            warehouse=count.warehouse,
            product=line.product,
            quantity=line.difference,
            reference=count.number,
            reason=reason,
        )
        for line in count.lines.exclude(difference=0).select_related("product")
    )
    count.state, count.posted_at = StockCount.State.POSTED, timezone.now()
    count.save(update_fields=["state", "posted_at"])
    return count


# -- Steps of other apps' verbs. Quantities are units by product key. --


def allocate_stock(*, warehouse: Warehouse, quantities: Mapping[int, int]) -> None:
    """Promise stock, all of it or none. Raises StockNotAvailable."""
    _allocate(warehouse, quantities, sign=1)


def release_stock(*, warehouse: Warehouse, quantities: Mapping[int, int]) -> None:
    """Give promised stock back to everybody."""
    _allocate(warehouse, quantities, sign=-1)


def ship_stock(*, warehouse: Warehouse, quantities: Mapping[int, int], reference: str) -> None:
    """Let promised stock leave the house."""
    release_stock(warehouse=warehouse, quantities=quantities)
    _write(_movements(Kind.ISSUE, warehouse, quantities, sign=-1, reference=reference))


def take_back_stock(*, warehouse: Warehouse, quantities: Mapping[int, int], reference: str, reason: str) -> None:
    """Take in what a customer sent back. Raises WarehouseNotActive."""
    _write(_movements(Kind.RETURN, warehouse, quantities, reference=reference, reason=reason))


def _units(quantity: int) -> int:
    if quantity <= 0:
        raise QuantityNotPositive(f"{quantity} is no quantity. Stock moves in whole units, one or more.")
    return quantity


def _movements(
    kind: str, warehouse: Warehouse, quantities: Mapping[int, int], *, sign: int = 1, reference: str, reason: str = ""
) -> list[StockMovement]:
    products = Product.objects.in_bulk(quantities)
    return [
        StockMovement(
            kind=kind,
            warehouse=warehouse,
            product=products[key],
            quantity=sign * _units(units),
            reference=reference,
            reason=reason,
        )
        for key, units in quantities.items()
    ]


def _post_one(
    actor: User,
    right: str,
    kind: str,
    warehouse: Warehouse,
    product: Product,
    quantity: int,
    reference: str,
    reason: str,
) -> StockMovement:
    movement = StockMovement(
        kind=kind, warehouse=warehouse, product=product, quantity=quantity, reference=reference, reason=reason
    )
    return _post(actor, right, [movement])[0]


def _post(actor: User, right: str, movements: list[StockMovement]) -> list[StockMovement]:
    """Write movements that a person asked for, where that person may."""
    written = _write(movements)
    check_inside(actor, StockMovement, [movement.pk for movement in written], right)
    return written


def _write(movements: Iterable[StockMovement]) -> list[StockMovement]:
    """Write movements into the ledger, if what leaves is there. Raises StockNotAvailable, WarehouseNotActive."""
    current_act()
    movements = list(movements)
    change: Counter[Place] = Counter()
    for movement in movements:
        if movement.quantity > 0 and movement.kind != Kind.COUNT and not movement.warehouse.is_active:
            raise WarehouseNotActive(f"{movement.warehouse} is not active; choose another warehouse.")
        change[movement.warehouse, movement.product] += movement.quantity
    leaving = {place: -units for place, units in change.items() if units < 0}
    _refuse_shortage(_lock_levels(change), leaving)
    return StockMovement.objects.bulk_create(movements)


def _allocate(warehouse: Warehouse, quantities: Mapping[int, int], *, sign: int) -> None:
    current_act()
    products = Product.objects.in_bulk(quantities)
    wanted = {(warehouse, products[key]): _units(units) for key, units in quantities.items()}
    levels = _lock_levels(wanted)
    if sign > 0:
        _refuse_shortage(levels, wanted)
    for (_, product), level in levels.items():
        level.allocated += sign * quantities[product.pk]
    StockLevel.objects.bulk_update(levels.values(), ["allocated"])


def _lock_levels(places: Iterable[Place]) -> dict[Place, StockLevel]:
    """The levels as they are now, locked until the transaction ends; in key order, so that nobody waits in a circle."""
    named = {(warehouse.pk, product.pk): (warehouse, product) for warehouse, product in places}
    levels = StockLevel.objects.filter(
        warehouse__in={warehouse for warehouse, _ in named}, product__in={product for _, product in named}
    )
    return {
        named[key]: level
        for level in levels.order_by("pk").select_for_update(no_key=True)
        if (key := (level.warehouse_id, level.product_id)) in named
    }


def _refuse_shortage(levels: Mapping[Place, StockLevel], wanted: Mapping[Place, int]) -> None:
    """Raise StockNotAvailable, naming every product of which less is available than wanted."""
    available = {place: levels[place].available if place in levels else 0 for place in wanted}
    short = [
        f"{product} in {warehouse}: {units} wanted, {available[warehouse, product]} available"
        for (warehouse, product), units in wanted.items()
        if units > available[warehouse, product]
    ]
    if short:
        raise StockNotAvailable(f"Not enough stock. {'; '.join(short)}. Receive or transfer stock, or take less.")

"""What the demo's people did lately: by services, so that the record tells of it as it tells of everything."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.services import Refused, add_note
from apps.accounts.models import User
from apps.catalogue.models import Product
from apps.catalogue.services import reprice_product
from apps.customers.models import Customer
from apps.customers.services import change_credit_limit, hold_customer, release_customer
from apps.inventory.models import StockLevel
from apps.orders.models import Order, OrderLine
from apps.orders.services import allocate_order, cancel_order, confirm_order, ship_order

REASONS_TO_HOLD = [
    "Two invoices overdue",
    "Chargeback on the last order",
    "Asked to pause deliveries",
    "New owner, papers missing",
]
REASONS_TO_RAISE = ["Three years without a late payment", "Spring campaign", "Agreed with finance", "Seasonal peak"]


def live_a_little(*, seed: int, today: date) -> None:
    """A few weeks of work on top of a seeded world."""
    random = Random(seed + 1)
    people = {user.username: user for user in User.objects.all()}
    _work_on_customers(random, people)
    _work_on_prices(random, people, today)
    _work_on_orders(random, people, today)


def _work_on_customers(random: Random, people: dict[str, User]) -> None:
    for username, region in (("operator", "NORDICS"), ("maria.silva", "SOUTH"), ("jan.devries", "WEST")):
        actor = people[username]
        mine = list(Customer.objects.filter(region__code=region).order_by("code"))
        for customer in random.sample(mine, min(8, len(mine))):
            with change_set(actor=actor, door=Door.FORM):
                change_credit_limit(
                    actor=actor,
                    customer=customer,
                    credit_limit=customer.credit_limit + random.choice([1000, 2500, 5000]),
                    reason=random.choice(REASONS_TO_RAISE),
                )
        for customer in random.sample(mine, min(4, len(mine))):
            with change_set(actor=actor, door=Door.FORM):
                hold_customer(actor=actor, customer=customer, reason=random.choice(REASONS_TO_HOLD))
            if random.random() < 0.5:
                with change_set(actor=actor, door=Door.FORM):
                    release_customer(actor=actor, customer=customer, reason="Paid in full")
        add_note(actor=actor, record=mine[0], text="Prefers deliveries before nine in the morning.")


def _work_on_prices(random: Random, people: dict[str, User], today: date) -> None:
    analyst = people["analyst"]
    goods = list(Product.objects.filter(status="active", list_price__isnull=False).order_by("sku")[:200])
    for product in random.sample(goods, 12):
        assert product.list_price is not None
        with change_set(actor=analyst, door=Door.FORM):
            reprice_product(
                actor=analyst,
                product=product,
                amount=(product.list_price * random.choice([103, 105, 98])) / 100,
                currency=product.currency,
                valid_from=today - timedelta(days=random.randint(0, 20)),
                reason="Supplier raised prices",
            )


def _work_on_orders(random: Random, people: dict[str, User], today: date) -> None:
    """New orders on their way through the house: some shipped, some allocated, some waiting."""
    desks = (
        ("operator", "NORDICS", "STO", 40),
        ("jan.devries", "WEST", "RTM", 20),
        ("maria.silva", "SOUTH", "LIS", 10),
    )
    for username, region, warehouse, count in desks:
        actor = people[username]
        buyers = list(Customer.objects.filter(region__code=region, status="active").order_by("code"))
        shelves = list(
            StockLevel.objects.filter(
                warehouse__code=warehouse, available__gt=100, product__list_price__isnull=False
            ).select_related("product", "warehouse")[:60]
        )
        for _ in range(count):
            order = _place(random, actor, buyers, shelves, today)
            steps = random.choice([0, 1, 2, 2, 3, 3])
            try:
                _advance(random, actor, order, steps)
            except Refused:
                continue


def _place(random: Random, actor: User, buyers: list[Customer], shelves: list[StockLevel], today: date) -> Order:
    with change_set(actor=actor, door=Door.FORM, verb="orders.add_order"):
        customer = random.choice(buyers)
        ordered_on = today - timedelta(days=random.randint(0, 9))
        order = Order.objects.create(
            customer=customer,
            warehouse=shelves[0].warehouse,
            ordered_on=ordered_on,
            required_on=ordered_on + timedelta(days=random.choice([2, 4, 7, 10])),
            currency=customer.currency,
            placed_by=actor,
            carrier="PostNord",
        )
        for number, shelf in enumerate(random.sample(shelves, random.randint(1, 4)), 1):
            OrderLine.objects.create(
                order=order,
                number=number,
                product=shelf.product,
                quantity=random.choice([1, 2, 4, 6]),
                unit_price=shelf.product.list_price,
            )
        return order


def _advance(random: Random, actor: User, order: Order, steps: int) -> None:
    for verb in (confirm_order, allocate_order, ship_order)[:steps]:
        with change_set(actor=actor, door=Door.FORM):
            verb(actor=actor, order=order)  # type: ignore[operator]
    if steps == 1 and random.random() < 0.15:
        with change_set(actor=actor, door=Door.FORM):
            cancel_order(actor=actor, order=order, reason="Customer changed their mind")

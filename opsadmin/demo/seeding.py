"""Putting the demo world into the database: in bulk and by `COPY` for what lies behind, by services for what is alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import islice
from random import Random
from typing import Any

from django.db import connection

from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.granting.models import EmergencyRole
from apps.accounts.models import User
from apps.catalogue.models import Category, Product, Supplier
from apps.customers.models import Contact, Customer
from apps.inventory.models import StockLevel, StockMovement
from opsadmin.demo import words, world
from opsadmin.demo.people import grant_place, make_people
from opsadmin.demo.places import make_regions, make_warehouses
from opsadmin.demo.policies import load_policies
from opsadmin.demo.profiles import load_profiles
from opsadmin.demo.roles import load_roles
from opsadmin.demo.views import load_views

# So many orders are one transaction.
CHUNK = 20_000
ORDER_COLUMNS = (
    "id", "number", "customer_id", "warehouse_id", "state", "ordered_on", "required_on", "shipped_on", "carrier",
    "freight", "currency", "customer_reference", "ship_to_name", "ship_to_street", "ship_to_city", "ship_to_state",
    "ship_to_postal_code", "ship_to_country", "brought_in", "placed_by_id",
)  # fmt: skip
LINE_COLUMNS = ("order_id", "number", "product_id", "quantity", "unit_price", "discount", "allocated_quantity",
                "shipped_quantity", "returned_quantity")  # fmt: skip


def seed_world(
    *, seed: int, customers: int, products: int, orders: int, today: date, say: Callable[[str], None]
) -> None:
    """Make the whole demo world."""
    random = Random(seed)
    with change_set(actor=None, door=Door.COMMAND, verb="demo.seed", reason="The demo world"):
        roles = load_roles()
        people = make_people(roles)
        load_policies(roles)
        EmergencyRole.objects.get_or_create(role_id=roles["Emergency"].pk)
        regions, warehouses = make_regions(), make_warehouses()
        grant_place(people["operator"], regions["NORDICS"])
        grant_place(people["operator"], warehouses["STO"])
        for username, region, warehouse in (
            ("maria.silva", "SOUTH", "LIS"), ("jan.devries", "WEST", "RTM"), ("lucy.chen", "AMERICAS", "SEA"),
        ):  # fmt: skip
            grant_place(people[username], regions[region])
            grant_place(people[username], warehouses[warehouse])
        load_profiles()
        load_views(people, roles)
    say("people, roles, regions, warehouses, import profiles, views")
    rows = world.customers(random, customers)
    with change_set(actor=None, door=Door.COMMAND, verb="demo.seed", reason="The demo world"):
        made = _make_customers(rows, regions, people)
    say(f"{len(made):,} customers")
    catalogue = world.products(random, products)
    with change_set(actor=None, door=Door.COMMAND, verb="demo.seed", reason="The demo world"):
        goods = _make_products(catalogue)
        _make_stock(random, goods, catalogue, warehouses)
    say(f"{len(goods):,} products, with stock")
    stream = world.orders(random, orders, today=today, customer_count=len(rows), catalogue=catalogue)
    done = 0
    for chunk in _chunks(stream, CHUNK):
        with change_set(actor=None, door=Door.COMMAND, verb="demo.seed", reason="The demo world"):
            _copy_orders(chunk, rows, made, goods, warehouses, people)
        done += len(chunk)
        say(f"{done:,} orders")


def _make_customers(rows: list[world.CustomerRow], regions: dict[str, Any], people: dict[str, User]) -> list[Customer]:
    managers = {"NORDICS": "operator", "SOUTH": "maria.silva", "WEST": "jan.devries", "NORTH-AMERICA": "lucy.chen"}
    made = Customer.objects.bulk_create(
        Customer(
            code=row.code,
            name=row.name,
            region=regions[row.region],
            account_manager=people.get(managers.get(row.region, "")),
            credit_limit=row.credit_limit,
            payment_terms_days=row.terms,
            tax_number=f"{row.country}55{row.code[2:]}{row.postal_code[:3]}",
            currency=row.currency,
            contact_name=row.contact,
            email=row.email,
            phone=row.phone,
            street=row.street,
            city=row.city,
            postal_code=row.postal_code,
            country=row.country,
            brought_in=True,
        )
        for row in rows
    )
    Contact.objects.bulk_create(
        Contact(customer=customer, name=customer.contact_name, title="Purchasing", email=customer.email)
        for customer in made[::3]
    )
    return made


def _make_products(rows: list[world.ProductRow]) -> list[Product]:
    categories: dict[str, Category] = {}
    for code, (name, parent) in words.CATEGORIES.items():
        categories[code] = Category.objects.create(code=code, name=name, parent=categories[parent] if parent else None)
    suppliers = {
        supplier.code: supplier
        for supplier in Supplier.objects.bulk_create(
            Supplier(
                code=f"S-{101 + n}", name=f"{words.NAMES[n]} Supply", country="SE", city="Malmö", lead_time_days=7 + n
            )
            for n in range(24)
        )
    }
    return Product.objects.bulk_create(
        Product(
            sku=row.sku,
            name=row.name,
            status=row.status,
            category=categories[row.category],
            supplier=suppliers[row.supplier],
            unit=row.unit,
            list_price=row.price,
            reorder_level=row.reorder_level,
            brought_in=True,
        )
        for row in rows
    )


def _make_stock(random: Random, goods: list[Product], rows: list[world.ProductRow], warehouses: dict[str, Any]) -> None:
    """Opening stock where it sells; about one level in twelve lies below its reorder point."""
    places = [warehouses[code] for code in ("STO", "RTM", "LIS", "SEA", "SAO")]
    movements = []
    for product, row in zip(goods, rows, strict=True):
        if row.status == "draft":
            continue
        for place in random.sample(places, random.choice([1, 2, 2, 3])) if random.random() < 0.9 else places:
            short = random.random() < 0.08
            quantity = random.randint(1, 15) if short else random.randint(120, 900)
            movements.append(
                StockMovement(
                    kind="opening", warehouse=place, product=product, quantity=quantity, reason="Opening stock"
                )
            )
    StockMovement.objects.bulk_create(movements, batch_size=2000)
    for row_level in sorted({row.reorder_level for row in rows}):
        StockLevel.objects.filter(product__reorder_level=row_level).update(
            reorder_level=row_level, reorder_quantity=row_level * 3
        )


def _copy_orders(
    chunk: list[world.OrderRow],
    rows: list[world.CustomerRow],
    made: list[Customer],
    goods: list[Product],
    warehouses: dict[str, Any],
    people: dict[str, User],
) -> None:
    """Orders and their lines, both by `COPY`; the database adds up the totals and writes the record."""
    takers = [people[name].pk for name in ("operator", "maria.silva", "jan.devries", "lucy.chen")]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('orders_order', 'id')) FROM generate_series(1, %s)", [len(chunk)]
        )
        keys = [row[0] for row in cursor.fetchall()]
        with cursor.copy(f"COPY orders_order ({', '.join(ORDER_COLUMNS)}) FROM STDIN") as copy:
            for key, order in zip(keys, chunk, strict=True):
                customer = rows[order.customer]
                copy.write_row((
                    key, order.number, made[order.customer].pk, warehouses[customer.warehouse].pk, order.state,
                    order.ordered_on, order.required_on, order.shipped_on, order.carrier, order.freight,
                    customer.currency, "", customer.name, customer.street, customer.city, "", customer.postal_code,
                    customer.country, True, takers[key % len(takers)],
                ))  # fmt: skip
        with cursor.copy(f"COPY orders_orderline ({', '.join(LINE_COLUMNS)}) FROM STDIN") as copy:
            for key, order in zip(keys, chunk, strict=True):
                sent = order.state in ("shipped", "closed")
                for number, line in enumerate(order.lines, 1):
                    copy.write_row((
                        key, number, goods[line.product].pk, line.quantity, line.price, line.discount, 0,
                        line.quantity if sent else 0, 0,
                    ))  # fmt: skip


def _chunks(stream: Iterable[world.OrderRow], size: int) -> Iterator[list[world.OrderRow]]:
    iterator = iter(stream)
    while chunk := list(islice(iterator, size)):
        yield chunk

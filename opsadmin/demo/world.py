"""What the demo world is: the same for the same seed, whatever the day it is made on.

Numbers follow what a real distributor sees: a few customers and products make most of the orders, older orders are
closed and younger ones under way, business grows and rests at weekends.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from opsadmin.demo import words

MONTHS = 18


@dataclass(frozen=True)
class CustomerRow:
    code: str
    name: str
    region: str
    warehouse: str
    country: str
    city: str
    street: str
    postal_code: str
    contact: str
    email: str
    phone: str
    credit_limit: int
    terms: int
    currency: str


@dataclass(frozen=True)
class ProductRow:
    sku: str
    name: str
    category: str
    supplier: str
    unit: str
    price: Decimal
    status: str
    reorder_level: int


@dataclass(frozen=True)
class LineRow:
    product: int
    quantity: int
    price: Decimal
    discount: Decimal


@dataclass(frozen=True)
class OrderRow:
    number: str
    customer: int
    state: str
    ordered_on: date
    required_on: date
    shipped_on: date | None
    carrier: str
    freight: Decimal
    lines: tuple[LineRow, ...]


def customers(random: Random, count: int) -> list[CustomerRow]:
    """`count` companies, shared among the regions."""
    regions = random.choices(list(words.SHARES), [share for share, _ in words.SHARES.values()], k=count)
    names = itertools.cycle(random.sample(list(itertools.product(words.NAMES, words.TRADES)), 500))
    rows = []
    for n, region in enumerate(regions):
        country, city = random.choice(words.PLACES[region])
        first, trade = next(names)
        contact = f"{random.choice(words.FIRST)} {random.choice(words.LAST)}"
        rows.append(
            CustomerRow(
                code=f"C-{10001 + n}",
                name=f"{first} {trade} {words.FORMS[country]}",
                region=region,
                warehouse=words.SHARES[region][1],
                country=country,
                city=city,
                street=f"{random.choice(words.STREETS)} {random.randint(1, 120)}",
                postal_code=f"{random.randint(10000, 99999)}",
                contact=contact,
                email=f"{contact.split()[0].lower()}@example.com",
                phone=f"+{random.randint(30, 60)} {random.randint(100, 999)} {random.randint(1000, 9999)}",
                credit_limit=random.choice([0, 2500, 5000, 5000, 10000, 25000, 50000]),
                terms=random.choice([14, 30, 30, 30, 60]),
                currency="USD" if region in ("NORTH-AMERICA", "LATIN-AMERICA", "APAC") else "EUR",
            )
        )
    return rows


def products(random: Random, count: int) -> list[ProductRow]:
    """`count` products of all categories; a few still drafts, a few discontinued."""
    rows = []
    for n in range(count):
        category = random.choice(list(words.KINDS))
        kinds, unit, typical = words.KINDS[category]
        price = Decimal(str(round(typical * random.lognormvariate(0, 0.5), 2)))
        rows.append(
            ProductRow(
                sku=f"{category[:3]}-{1001 + n}",
                name=f"{random.choice(kinds)}, {random.choice(words.QUALITIES)} no. {n % 90 + 1}",
                category=category,
                supplier=f"S-{101 + n % 24}",
                unit=unit,
                price=max(price, Decimal("0.50")),
                status=random.choices(["active", "draft", "discontinued"], [94, 2, 4])[0],
                reorder_level=random.choice([0, 20, 40, 60, 100]),
            )
        )
    return rows


def orders(
    random: Random, count: int, *, today: date, customer_count: int, catalogue: list[ProductRow]
) -> Iterator[OrderRow]:
    """`count` orders of the last 18 months, oldest first, none in need of work younger than they look."""
    buyers = _skewed(customer_count, 0.9)
    shelf = [position for position, row in enumerate(catalogue) if row.status != "draft"]
    sellers = _skewed(len(shelf), 1.0)
    days = sorted(_day(random, today) for _ in range(count))
    for n, day in enumerate(days):
        lines = []
        for position in dict.fromkeys(random.choices(shelf, cum_weights=sellers, k=_lines(random))):
            quantity = random.choice([1, 2, 3, 4, 5, 6, 10, 12, 20, 24, 48])
            discount = random.choices(["0", "0.05", "0.10", "0.15"], [70, 15, 10, 5])[0]
            lines.append(LineRow(position, quantity, catalogue[position].price, Decimal(discount)))
        state, shipped_on = _fate(random, day, today)
        yield OrderRow(
            number=f"H-{100001 + n}",
            customer=random.choices(range(customer_count), cum_weights=buyers)[0],
            state=state,
            ordered_on=day,
            required_on=day + timedelta(days=random.choice([3, 5, 7, 7, 10, 14, 21])),
            shipped_on=shipped_on,
            carrier=random.choice(words.CARRIERS),
            freight=Decimal(random.randint(0, 9000)) / 100,
            lines=tuple(lines),
        )


def _skewed(count: int, exponent: float) -> list[float]:
    """Cumulative weights after Zipf: the n-th of them gets 1/n of what the first gets."""
    return list(itertools.accumulate(1 / (n + 1) ** exponent for n in range(count)))


def _day(random: Random, today: date) -> date:
    """A day of business; the later, the busier."""
    reach = MONTHS * 30
    while True:
        day = today - timedelta(days=int(reach * (1 - random.random() ** 0.7)))
        if day.weekday() < 5 or random.random() < 0.15:
            return day


def _lines(random: Random) -> int:
    return random.choices([1, 2, 3, 4, 5, 8, 12], [22, 26, 20, 14, 9, 6, 3])[0]


def _fate(random: Random, day: date, today: date) -> tuple[str, date | None]:
    """What became of an order, by its age."""
    age = (today - day).days
    if random.random() < 0.04:
        return "cancelled", None
    shipped = day + timedelta(days=random.choice([1, 1, 2, 2, 3, 4, 6]))
    if age > 45:
        return "closed", shipped
    if age > 6 and random.random() < 0.93:
        return "shipped", min(shipped, today)
    return ("confirmed", None) if age > 2 or random.random() < 0.6 else ("draft", None)

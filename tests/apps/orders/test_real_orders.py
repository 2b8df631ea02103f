"""A real distributor's orders, held exactly to the cent."""

from __future__ import annotations

import csv
import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Count, Sum

from apps.catalogue.models import Product
from apps.orders.models import Order, OrderLine
from tests.factories import CustomerFactory

REAL = Path(os.environ.get("OPSADMIN_REAL_DATA", settings.BASE_DIR.parent / "shared" / "data")) / "northwind"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not REAL.exists(), reason=f"no real data at {REAL}; set OPSADMIN_REAL_DATA"),
]


def rows(name):
    with (REAL / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def day(text) -> date | None:
    return datetime.strptime(text, "%m/%d/%Y").date() if text else None


@pytest.fixture
def northwind(act):
    """Its orders and lines as they are brought in: already shipped, or still to be."""
    customer = CustomerFactory()
    orders = Order.objects.bulk_create(
        Order(
            number=row["OrderID"],
            customer=customer,
            brought_in=True,
            state="shipped" if row["ShippedDate"] else "confirmed",
            ordered_on=day(row["OrderDate"]),
            required_on=day(row["RequiredDate"]),
            shipped_on=day(row["ShippedDate"]),
            freight=row["Freight"],
            ship_to_name=row["ShipName"],
        )
        for row in rows("orders.csv")
    )
    products = Product.objects.bulk_create(
        Product(sku=row["ProductID"], name=row["ProductName"], quantity_per_unit=row["QuantityPerUnit"])
        for row in rows("products.csv")
    )
    order_of, product_of = {order.number: order for order in orders}, {product.sku: product for product in products}
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order_of[row["OrderID"]],
            product=product_of[row["ProductID"]],
            quantity=row["Quantity"],
            unit_price=row["UnitPrice"],
            discount=row["Discount"],
        )
        for row in rows("order_details.csv")
    )


class TestNorthwind:
    def test_adds_up_exactly(self, northwind):
        totals = Order.objects.aggregate(Count("pk"), Sum("gross_total"), Sum("net_total"), Sum("discount_total"))
        assert totals == {
            "pk__count": 830,
            "gross_total__sum": Decimal("1354458.59"),
            "net_total__sum": Decimal("1265793.0395"),
            "discount_total__sum": Decimal("88665.5505"),
        }
        assert OrderLine.objects.aggregate(Count("pk"), Sum("amount")) == {
            "pk__count": 2155,
            "amount__sum": Decimal("1265793.0395"),
        }

    def test_posts_no_stock_and_numbers_its_lines(self, northwind):
        order = Order.objects.get(number="10248")
        assert [(line.number, line.product.sku) for line in order.lines.all()] == [(1, "11"), (2, "42"), (3, "72")]
        assert not Product.objects.filter(stock_levels__isnull=False).exists()
        assert Order.objects.open().count() == 21

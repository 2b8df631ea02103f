"""Orders for tests; they begin as drafts and are moved on by the services, as in life."""

from __future__ import annotations

import datetime
from typing import Any

import factory

from apps.orders import models
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockMovementFactory, WarehouseFactory
from tests.factories import CustomerFactory, RecordFactory


class OrderFactory(RecordFactory):
    class Meta:
        model = models.Order

    customer = factory.SubFactory(CustomerFactory)
    warehouse = factory.SubFactory(WarehouseFactory)
    ordered_on = datetime.date(2026, 5, 4)


class OrderLineFactory(RecordFactory):
    class Meta:
        model = models.OrderLine

    order = factory.SubFactory(OrderFactory)
    product = factory.SubFactory(ProductFactory)
    quantity = 2
    unit_price = 10


class ShipmentFactory(RecordFactory):
    class Meta:
        model = models.Shipment

    order = factory.SubFactory(OrderFactory)
    warehouse = factory.SelfAttribute("order.warehouse")
    shipped_on = datetime.date(2026, 5, 5)


class ShipmentLineFactory(RecordFactory):
    class Meta:
        model = models.ShipmentLine

    shipment = factory.SubFactory(ShipmentFactory)
    order_line = factory.SubFactory(OrderLineFactory, order=factory.SelfAttribute("..shipment.order"))
    quantity = 1


class ReturnFactory(RecordFactory):
    class Meta:
        model = models.Return

    order = factory.SubFactory(OrderFactory)
    customer = factory.SelfAttribute("order.customer")
    warehouse = factory.SelfAttribute("order.warehouse")
    returned_on = datetime.date(2026, 5, 9)
    reason = "Damaged"


class ReturnLineFactory(RecordFactory):
    class Meta:
        model = models.ReturnLine

    goods_return = factory.SubFactory(ReturnFactory)
    order_line = factory.SubFactory(OrderLineFactory, order=factory.SelfAttribute("..goods_return.order"))
    product = factory.SelfAttribute("order_line.product")
    unit_price = factory.SelfAttribute("order_line.unit_price")
    quantity = 1


def order_with_stock(*quantities: int, stock: int = 10, **fields: Any) -> models.Order:
    """A draft with one line per quantity (2), each of a product of which `stock` units lie in its warehouse."""
    order = OrderFactory(**fields)
    for quantity in quantities or (2,):
        line = OrderLineFactory(order=order, quantity=quantity)
        if stock:
            StockMovementFactory(warehouse=order.warehouse, product=line.product, quantity=stock)
    return models.Order.objects.get(pk=order.pk)

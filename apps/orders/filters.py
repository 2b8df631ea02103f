"""How orders, shipments and returns are narrowed down, in the lists and everywhere else."""

from __future__ import annotations

from typing import Any

from admin_ext.audit.past import day_looked_at
from admin_ext.filtering.filters import RelatedFilter, YesNoFilter
from admin_ext.filtering.filterset import FilterSet
from apps.catalogue.models import Product
from apps.orders.models import Order, OrderLine, Return, ReturnLine, Shipment
from apps.orders.querysets import OrderQuerySet, ReturnQuerySet


class OrderFilterSet(FilterSet):
    late = YesNoFilter(method="filter_late", label="Late")
    product = RelatedFilter(Product, field_name="lines__product", method="filter_product", label="Product")

    reads = {"late": ("state", "required_on")}

    class Meta:
        model = Order
        fields = [
            "state",
            "late",
            "customer",
            "customer__region",
            "warehouse",
            "product",
            "ordered_on",
            "required_on",
            "shipped_on",
            "customer_reference",
            "placed_by",
            "carrier",
            "net_total",
            "currency",
            "brought_in",
        ]

    def filter_late(self, orders: OrderQuerySet, name: str, value: bool) -> OrderQuerySet:
        late = orders.late(day_looked_at())
        return late if value else orders.exclude(pk__in=late.order_by().values("pk"))

    def filter_product(self, orders: OrderQuerySet, name: str, value: Any) -> OrderQuerySet:
        return orders.filter(pk__in=OrderLine.objects.filter(product__in=value).values("order")) if value else orders


class ShipmentFilterSet(FilterSet):
    class Meta:
        model = Shipment
        fields = [
            "order",
            "order__customer",
            "order__customer__region",
            "warehouse",
            "shipped_on",
            "carrier",
            "tracking_number",
        ]


class ReturnFilterSet(FilterSet):
    product = RelatedFilter(Product, field_name="lines__product", method="filter_product", label="Product")

    class Meta:
        model = Return
        fields = [
            "order",
            "customer",
            "customer__region",
            "warehouse",
            "product",
            "returned_on",
            "reason",
            "currency",
            "brought_in",
        ]

    def filter_product(self, returns: ReturnQuerySet, name: str, value: Any) -> ReturnQuerySet:
        lines = ReturnLine.objects.filter(product__in=value).values("goods_return")
        return returns.filter(pk__in=lines) if value else returns

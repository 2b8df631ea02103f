"""What we sent."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from admin_ext.models import Record
from apps.inventory.models import next_number
from apps.orders.models.orders import Order, OrderLine
from apps.orders.querysets import ShipmentLineQuerySet


class Shipment(Record):
    """What left a warehouse for an order, in one go."""

    scopes = {"region": "order__region", "warehouse": "warehouse"}
    natural_key_fields = ("number",)
    search_references = ("tracking_number",)

    number = models.CharField(max_length=30, unique=True, db_default=next_number("SH", "orders_shipment_number"))
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    warehouse = models.ForeignKey("inventory.Warehouse", on_delete=models.PROTECT, related_name="shipments")
    shipped_on = models.DateField()
    carrier = models.CharField(max_length=60, blank=True)
    tracking_number = models.CharField(max_length=60, blank=True)

    class Meta(Record.Meta):
        ordering = ["-shipped_on", "-id"]
        constraints = [models.CheckConstraint(condition=~Q(number=""), name="a_shipment_has_a_number")]
        indexes = [
            models.Index(fields=["-shipped_on", "-id"], name="shipment_day"),
            models.Index(fields=["tracking_number"], condition=~Q(tracking_number=""), name="shipment_tracking_number"),
        ]

    def __str__(self) -> str:
        return self.number


class ShipmentLine(Record):
    """So many units of an order line in a shipment."""

    part_of = "shipment"
    natural_key_fields = ("shipment__number", "order_line__number")
    derived_fields = {"weight": ("order_line__product__weight",)}

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, db_index=False, related_name="lines")
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="shipment_lines")
    quantity = models.IntegerField(validators=[MinValueValidator(1)], help_text="Units.")

    objects = ShipmentLineQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["shipment_id", "order_line_id"]
        constraints = [
            models.UniqueConstraint(fields=["shipment", "order_line"], name="a_line_is_once_in_a_shipment"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_shipment_line_ships_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.order_line}"

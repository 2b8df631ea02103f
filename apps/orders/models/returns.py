"""What came back, or was credited."""

from __future__ import annotations

from decimal import Decimal

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value

from admin_ext.access.scope_keys import scope_key, scope_key_triggers
from admin_ext.audit.triggers import GuardedTrigger
from admin_ext.models import Record
from apps.customers.models import currency_choices
from apps.inventory.models import next_number
from apps.orders.models.orders import Order, OrderLine, sql
from apps.orders.querysets import CREDITED, ReturnQuerySet


class Return(Record):
    """What a customer sent back, or what they were credited: with the order it came from, as far as that is known."""

    scopes = {"region": "region", "warehouse": "warehouse"}
    natural_key_fields = ("number",)
    derived_fields = CREDITED
    controlled_fields = ("brought_in",)

    number = models.CharField(
        max_length=30,
        unique=True,
        db_default=next_number("RT", "orders_return_number"),
        help_text="Ours begin with RT-; credits brought in keep the number they had.",
    )
    order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="returns",
        help_text="Empty where a credit that was brought in does not name it.",
    )
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, db_index=False, related_name="returns")
    region = scope_key("customers.Region", help_text="Its customer's, where lists of a region's returns look for it.")
    warehouse = models.ForeignKey("inventory.Warehouse", on_delete=models.PROTECT, related_name="returns")
    returned_on = models.DateField()
    reason = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, default="EUR", db_default="EUR", choices=currency_choices)
    brought_in = models.BooleanField(default=False, db_default=False, help_text="Lived in another system before.")

    objects = ReturnQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["-returned_on", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(number=""), name="a_return_has_a_number"),
            models.CheckConstraint(
                condition=Q(order__isnull=False) | Q(brought_in=True), name="a_return_of_ours_has_an_order"
            ),
        ]
        indexes = [
            models.Index(fields=["-returned_on", "-id"], name="return_day"),
            models.Index(fields=["customer", "-returned_on", "-id"], name="return_customer_day"),
            models.Index(fields=["region", "warehouse", "-returned_on", "-id"], name="return_region_warehouse_day"),
        ]
        triggers = [
            *scope_key_triggers(column="region_id", through="customer_id", source="customers_customer.region_id"),
        ]

    def __str__(self) -> str:
        return self.number


class ReturnLine(Record):
    """So many units of a product that came back of a `goods_return`, at the price that is credited; "return" is a word
    of the language."""

    part_of = "goods_return"
    natural_key_fields = ("goods_return__number", "number")

    goods_return = models.ForeignKey(Return, on_delete=models.CASCADE, db_index=False, related_name="lines")
    number = models.IntegerField(db_default=0, blank=True, help_text="Within the return; the next one when left empty.")
    order_line = models.ForeignKey(
        OrderLine,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="return_lines",
        help_text="Empty where a credit that was brought in does not name it.",
    )
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, related_name="return_lines")
    quantity = models.IntegerField(validators=[MinValueValidator(1)], help_text="Units.")
    unit_price = models.DecimalField(
        max_digits=14, decimal_places=4, validators=[MinValueValidator(0)], help_text="In the currency of the return."
    )
    discount = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=0,
        db_default=0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Part of the price that had been let off: 0.05 is 5 %.",
    )
    amount = models.GeneratedField(
        expression=F("unit_price") * F("quantity") * (Value(Decimal(1)) - F("discount")),
        output_field=models.DecimalField(max_digits=18, decimal_places=4),
        db_persist=True,
        help_text="What is credited.",
    )

    class Meta:
        default_permissions = ()
        ordering = ["goods_return_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["goods_return", "number"], name="a_line_number_is_given_once_in_a_return"),
            models.UniqueConstraint(fields=["goods_return", "order_line"], name="a_line_is_once_in_a_return"),
            models.CheckConstraint(condition=Q(number__gt=0), name="a_return_line_has_a_number"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_return_line_brings_something"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="a_credited_price_is_not_negative"),
            models.CheckConstraint(
                condition=Q(discount__gte=0, discount__lte=1), name="a_credited_discount_is_part_of_a_price"
            ),
        ]
        triggers = [
            GuardedTrigger(
                name="number_line",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=sql("return_lines_are_numbered"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.order_line or self.product}"

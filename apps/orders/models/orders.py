"""What customers ordered."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from admin_ext.access.scope_keys import scope_key, scope_key_triggers
from admin_ext.audit.triggers import GuardedTrigger, read_sql
from admin_ext.lookups import words_index
from admin_ext.models import Record
from apps.customers.models import country_choices, currency_choices
from apps.inventory.models import next_number
from apps.orders.querysets import WORKED_OUT, OrderLineQuerySet, OrderQuerySet

# The SQL lies beside the package: apps/orders/sql.
sql = partial(read_sql, str(Path(__file__).parent))


class State(models.TextChoices):
    DRAFT = "draft", "Draft"
    CONFIRMED = "confirmed", "Confirmed"
    ALLOCATED = "allocated", "Allocated"
    SHIPPED = "shipped", "Shipped"
    CLOSED = "closed", "Closed"
    CANCELLED = "cancelled", "Cancelled"


# Every move an order can make. The database refuses all others.
MOVES = {
    State.DRAFT: (State.CONFIRMED, State.CANCELLED),
    State.CONFIRMED: (State.DRAFT, State.ALLOCATED, State.CANCELLED),
    State.ALLOCATED: (State.CONFIRMED, State.SHIPPED, State.CANCELLED),
    State.SHIPPED: (State.CLOSED,),
    State.CLOSED: (),
    State.CANCELLED: (),
}


def _total(told: str) -> Any:
    return models.DecimalField(max_digits=18, decimal_places=4, default=0, db_default=0, editable=False, help_text=told)


class Order(Record):
    """What a customer ordered. Its totals are the sums of its lines, kept by the database in the order's currency."""

    State = State
    MOVES: ClassVar = MOVES

    scopes = {"region": "region", "warehouse": "warehouse"}
    natural_key_fields = ("number",)
    search_references = ("customer_reference",)
    derived_fields = WORKED_OUT
    search_words = ("ship_to_name",)
    controlled_fields = ("state", "shipped_on", "brought_in")

    number = models.CharField(
        max_length=30,
        unique=True,
        db_default=next_number("SO", "orders_order_number"),
        help_text="Ours begin with SO-; orders brought in keep the number they had.",
    )
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, db_index=False, related_name="orders")
    warehouse = models.ForeignKey(
        "inventory.Warehouse",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="orders",
        help_text="Where the goods leave from.",
    )
    region = scope_key("customers.Region", help_text="Its customer's, where lists of a region's orders look for it.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    ordered_on = models.DateField(db_default=Now())
    required_on = models.DateField(null=True, blank=True, help_text="The day by which the customer wants it.")
    shipped_on = models.DateField(null=True, blank=True)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="placed_orders",
        help_text="Who took the order.",
    )
    customer_reference = models.CharField(
        max_length=60, blank=True, help_text="What the customer calls it, e.g. their purchase order number."
    )
    ship_to_name = models.CharField(max_length=200, blank=True)
    ship_to_street = models.CharField(max_length=200, blank=True)
    ship_to_city = models.CharField(max_length=100, blank=True)
    ship_to_state = models.CharField("ship to state or province", max_length=100, blank=True)
    ship_to_postal_code = models.CharField(max_length=20, blank=True)
    ship_to_country = models.CharField(max_length=2, blank=True, choices=country_choices)
    carrier = models.CharField(max_length=60, blank=True, help_text="Who brings it.")
    freight = models.DecimalField(max_digits=14, decimal_places=2, default=0, validators=[MinValueValidator(0)])
    currency = models.CharField(max_length=3, default="EUR", choices=currency_choices)
    gross_total = _total("Of all lines, before discount.")
    discount_total = models.GeneratedField(
        expression=F("gross_total") - F("net_total"),
        output_field=models.DecimalField(max_digits=18, decimal_places=4),
        db_persist=True,
    )
    net_total = _total("Without freight and tax.")
    brought_in = models.BooleanField(default=False, help_text="Lived in another system before.")

    objects = OrderQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["-ordered_on", "-id"]
        permissions = [
            ("confirm_order", "Can confirm orders"),
            ("reopen_order", "Can reopen confirmed orders"),
            ("allocate_order", "Can allocate stock to orders, and release it"),
            ("ship_order", "Can ship orders"),
            ("cancel_order", "Can cancel orders"),
            ("return_order", "Can take back goods of orders"),
            ("close_order", "Can close orders"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="an_order_state_is_known"),
            models.CheckConstraint(condition=~Q(number=""), name="an_order_has_a_number"),
            models.CheckConstraint(condition=Q(freight__gte=0), name="freight_is_not_negative"),
            models.CheckConstraint(
                condition=Q(shipped_on=None) | Q(state__in=["shipped", "closed"]),
                name="only_a_shipped_order_has_a_ship_day",
            ),
            models.CheckConstraint(
                condition=~Q(state="shipped") | Q(shipped_on__isnull=False), name="a_shipped_order_has_a_ship_day"
            ),
            models.CheckConstraint(
                condition=Q(required_on=None) | Q(required_on__gte=F("ordered_on")),
                name="an_order_is_required_after_it_came_in",
                violation_error_message="The day it is required is before the day of the order.",
            ),
            models.CheckConstraint(
                condition=Q(shipped_on=None) | Q(shipped_on__gte=F("ordered_on")),
                name="an_order_is_shipped_after_it_came_in",
                violation_error_message="The day it was shipped is before the day of the order.",
            ),
            models.CheckConstraint(
                condition=~Q(state="allocated") | Q(warehouse__isnull=False), name="an_allocated_order_has_a_warehouse"
            ),
        ]
        indexes = [
            models.Index(fields=["-ordered_on", "-id"], name="order_day"),
            models.Index(fields=["state", "-ordered_on", "-id"], name="order_state_day"),
            models.Index(fields=["customer", "-ordered_on", "-id"], name="order_customer_day"),
            models.Index(fields=["warehouse", "state", "-ordered_on", "-id"], name="order_warehouse_state_day"),
            models.Index(fields=["region", "warehouse", "-ordered_on", "-id"], name="order_region_warehouse_day"),
            models.Index(
                fields=["required_on"], condition=Q(state__in=["confirmed", "allocated"]), name="order_to_be_shipped_by"
            ),
            # Most orders that are brought in, and all that come by themselves, were placed by nobody of ours.
            models.Index(fields=["placed_by"], condition=Q(placed_by__isnull=False), name="order_placed_by"),
            models.Index(
                fields=["customer_reference"],
                opclasses=["varchar_pattern_ops"],
                condition=~Q(customer_reference=""),
                name="order_customer_reference",
            ),
            words_index("ship_to_name", name="order_folded_words"),
        ]
        triggers = [
            *scope_key_triggers(column="region_id", through="customer_id", source="customers_customer.region_id"),
            GuardedTrigger(
                name="begin_as_draft",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),
                declare=[("wrong", "record")],
                func=sql("orders_begin_as_drafts"),
            ),
            # Named to come before raise_version: what it puts back is no change.
            GuardedTrigger(
                name="move_by_table",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=sql(
                    "orders_move_by_the_table",
                    moves=", ".join(f"('{here}', '{there}')" for here, all_ in MOVES.items() for there in all_),
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def settled_fields(self) -> tuple[str, ...]:
        if self.state == State.DRAFT or (self.brought_in and self.state != State.ALLOCATED):
            return ("number",)
        return ("number", "customer", "currency", "lines", *(["warehouse"] if self.state == State.ALLOCATED else []))


class LinesTrigger(GuardedTrigger):
    """Keeps an order's totals equal to its lines after one kind of statement, and refuses lines that come too late."""

    level = pgtrigger.Statement
    when = pgtrigger.After

    # Where the changed rows of each kind of statement are found.
    CHANGED: ClassVar = {
        "insert": "new_rows",
        "delete": "old_rows",
        "update": """(
    SELECT unnest(ARRAY[o.order_id, n.order_id]) AS order_id FROM old_rows o JOIN new_rows n ON n.id = o.id
    WHERE (o.order_id, o.product_id, o.quantity, o.unit_price, o.discount)
        IS DISTINCT FROM (n.order_id, n.product_id, n.quantity, n.unit_price, n.discount)
) changed""",
    }

    def __init__(self, event: str) -> None:
        operation, referencing = {
            "insert": (pgtrigger.Insert, pgtrigger.Referencing(new="new_rows")),
            "update": (pgtrigger.Update, pgtrigger.Referencing(old="old_rows", new="new_rows")),
            "delete": (pgtrigger.Delete, pgtrigger.Referencing(old="old_rows")),
        }[event]
        super().__init__(
            name=f"totals_{event}",
            operation=operation,
            referencing=referencing,
            declare=[("touched", "bigint[]"), ("settled", "record")],
            func=sql("totals_follow_lines", changed=self.CHANGED[event]),
        )


class OrderLine(Record):
    """So many units of a product, at a price. Line money keeps four decimals; documents round."""

    part_of = "order"
    natural_key_fields = ("order__number", "number")
    controlled_fields = ("allocated_quantity", "shipped_quantity", "returned_quantity")

    # Its index is the unique one of order and number.
    order = models.ForeignKey(Order, on_delete=models.CASCADE, db_index=False, related_name="lines")
    number = models.IntegerField(db_default=0, blank=True, help_text="Within the order; the next one when left empty.")
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, related_name="order_lines")
    quantity = models.IntegerField(validators=[MinValueValidator(1)], help_text="Units of the product.")
    unit_price = models.DecimalField(
        max_digits=14, decimal_places=4, validators=[MinValueValidator(0)], help_text="In the order's currency."
    )
    discount = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Part of the price that is let off: 0.05 is 5 %.",
    )
    amount = models.GeneratedField(
        expression=F("unit_price") * F("quantity") * (Value(Decimal(1)) - F("discount")),
        output_field=models.DecimalField(max_digits=18, decimal_places=4),
        db_persist=True,
        help_text="After discount.",
    )
    allocated_quantity = models.IntegerField(default=0, db_default=0, help_text="Units promised from the warehouse.")
    shipped_quantity = models.IntegerField(default=0, db_default=0, help_text="Units that left the house.")
    returned_quantity = models.IntegerField(default=0, db_default=0, help_text="Units that came back.")

    objects = OrderLineQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["order_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="a_line_number_is_given_once_in_an_order"),
            models.CheckConstraint(condition=Q(number__gt=0), name="a_line_has_a_number"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_line_orders_something"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="a_unit_price_is_not_negative"),
            models.CheckConstraint(condition=Q(discount__gte=0, discount__lte=1), name="a_discount_is_part_of_a_price"),
            models.CheckConstraint(
                condition=Q(allocated_quantity__gte=0, shipped_quantity__gte=0)
                & Q(quantity__gte=F("allocated_quantity") + F("shipped_quantity")),
                name="no_more_is_allocated_and_shipped_than_ordered",
            ),
            models.CheckConstraint(
                condition=Q(returned_quantity__gte=0, returned_quantity__lte=F("quantity")),
                name="no_more_comes_back_than_was_ordered",
            ),
        ]
        triggers = [
            GuardedTrigger(
                name="number_line", when=pgtrigger.Before, operation=pgtrigger.Insert, func=sql("lines_are_numbered")
            ),
            *(LinesTrigger(event) for event in LinesTrigger.CHANGED),
        ]

    def __str__(self) -> str:
        return f"{self.order} line {self.number}"

    def clean(self) -> None:
        """A line for which nobody wrote a price costs what the product costs on the day of the order."""
        if self.unit_price is None and self.product_id:
            self.unit_price = self.product.price_on(self.order.ordered_on, self.order.currency)
        if self.unit_price is None and self.product_id:
            raise ValidationError({"unit_price": f"{self.product} has no price in {self.order.currency} then."})

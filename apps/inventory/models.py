"""What lies where: warehouses, the ledger of everything that moved, and the levels that follow from it."""

from __future__ import annotations

from functools import partial

import pgtrigger
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Concat, Now

from admin_ext.audit.triggers import GuardedTrigger, RefuseTrigger, read_sql
from admin_ext.models import Record, Scope, scope_permissions
from apps.customers.models import country_choices, validate_code
from apps.inventory.querysets import StockCountQuerySet, StockLevelQuerySet

sql = partial(read_sql, __file__)


def next_number(prefix: str, series: str) -> Concat:
    """The default of a document's number: the prefix and the next of a series that only ever goes up, gaps included."""
    drawn = Func(Value(series), function="nextval", output_field=models.BigIntegerField())
    return Concat(Value(f"{prefix}-"), Cast(drawn, models.CharField()), output_field=models.CharField())


class Warehouse(Scope):
    """A place where goods lie; may be part of a larger one."""

    dimension = "warehouse"
    scopes = {"warehouse": "pk"}
    search_words = ("name",)

    code = models.CharField(max_length=20, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)
    is_active = models.BooleanField("active", default=True, help_text="Whether it takes in goods.")
    street = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField("state or province", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, blank=True, choices=country_choices)

    class Meta(Scope.Meta):
        ordering = ["code"]
        permissions = scope_permissions("warehouse")
        constraints = [models.CheckConstraint(condition=~Q(parent=F("id")), name="a_warehouse_is_not_its_own_parent")]

    def __str__(self) -> str:
        return self.name


class StockLevel(Record):
    """How much of a product lies in a warehouse, and how much of it is promised.

    On hand is always the sum of the movements: the database works it out and refuses to have it written by hand.
    """

    scopes = {"warehouse": "warehouse"}
    natural_key_fields = ("warehouse__code", "product__sku")
    search_references = ("product__sku",)

    # Its index is the unique one of warehouse and product.
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, db_index=False, related_name="stock_levels")
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, related_name="stock_levels")
    on_hand = models.IntegerField(default=0, db_default=0, editable=False, help_text="Units in the house.")
    allocated = models.IntegerField(
        default=0, editable=False, help_text="Units promised to orders, still in the house."
    )
    available = models.GeneratedField(
        expression=F("on_hand") - F("allocated"),
        output_field=models.IntegerField(),
        db_persist=True,
        help_text="Units that can still be promised.",
    )
    reorder_level = models.PositiveIntegerField(default=0, help_text="Order more when less than this is available.")
    reorder_quantity = models.PositiveIntegerField(default=0, help_text="How much to order then.")

    objects = StockLevelQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["warehouse_id", "product_id"]
        constraints = [
            models.UniqueConstraint(fields=["warehouse", "product"], name="a_product_has_one_level_per_warehouse"),
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="stock_on_hand_is_not_negative"),
            models.CheckConstraint(
                condition=Q(allocated__gte=0, allocated__lte=F("on_hand")), name="allocated_stock_is_on_hand"
            ),
        ]
        indexes = [
            models.Index(
                fields=["warehouse", "product"],
                condition=Q(available__lt=F("reorder_level")),
                name="stock_below_reorder_point",
            ),
        ]
        triggers = [
            GuardedTrigger(
                name="guard_level",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=sql("levels_follow_movements_alone"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} in {self.warehouse}"

    @property
    def is_below_reorder_point(self) -> bool:
        """As `StockLevelQuerySet.below_reorder_point`."""
        return self.available < self.reorder_level

    def settled_fields(self) -> tuple[str, ...]:
        return ("warehouse", "product")


class StockMovement(Record):
    """One line of the ledger: so many units came into a warehouse, or left it. Never changed, never deleted."""

    class Kind(models.TextChoices):
        OPENING = "opening", "Opening stock"
        RECEIVE = "receive", "Received"
        RETURN = "return", "Returned by a customer"
        TRANSFER_IN = "transfer_in", "Transferred in"
        TRANSFER_OUT = "transfer_out", "Transferred out"
        ISSUE = "issue", "Issued"
        ADJUST = "adjust", "Adjusted"
        COUNT = "count", "Counted"

    append_only = True
    scopes = {"warehouse": "warehouse"}
    natural_key_fields = ("number",)
    search_references = ("reference",)
    append_only = True

    number = models.CharField(
        max_length=30, unique=True, db_default=next_number("SM", "inventory_stockmovement_number")
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    # Their indexes are those of the ledger's reads below.
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, db_index=False, related_name="movements")
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, db_index=False, related_name="movements")
    quantity = models.IntegerField(help_text="Units; negative when they left.")
    reference = models.CharField(max_length=60, blank=True, help_text="The document it belongs to, e.g. SH-100017.")
    reason = models.CharField(max_length=200, blank=True)
    moved_at = models.DateTimeField(db_default=Now())

    class Meta(Record.Meta):
        ordering = ["-moved_at", "-id"]
        permissions = [
            ("open_stockmovement", "Can post opening stock"),
            ("receive_stockmovement", "Can receive stock"),
            ("issue_stockmovement", "Can issue stock"),
            ("transfer_stockmovement", "Can transfer stock between warehouses"),
            ("adjust_stockmovement", "Can adjust stock"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["opening", "receive", "return", "transfer_in"], quantity__gt=0)
                | Q(kind__in=["transfer_out", "issue"], quantity__lt=0)
                | (Q(kind__in=["adjust", "count"]) & ~Q(quantity=0)),
                name="a_movement_goes_the_way_of_its_kind",
            ),
            models.CheckConstraint(condition=~Q(number=""), name="a_movement_has_a_number"),
            models.UniqueConstraint(
                fields=["warehouse", "product"], condition=Q(kind="opening"), name="stock_is_opened_once"
            ),
        ]
        indexes = [
            models.Index(fields=["-moved_at", "-id"], name="movement_moved"),
            models.Index(fields=["product", "warehouse", "-moved_at"], name="movement_product_moved"),
            models.Index(fields=["warehouse", "-moved_at"], name="movement_warehouse_moved"),
            models.Index(fields=["reference"], condition=~Q(reference=""), name="movement_reference"),
        ]
        triggers = [
            GuardedTrigger(
                name="stock_follows",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),
                declare=[("warehouses", "bigint[]"), ("products", "bigint[]")],
                func=sql("stock_follows_movements"),
            ),
            RefuseTrigger(
                name="movements_stay",
                operations="UPDATE DELETE",
                message="A stock movement is never changed or deleted. Post another one that corrects it.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.quantity:+}"


class StockCount(Record):
    """A sheet on which somebody counts what lies in a warehouse."""

    class State(models.TextChoices):
        DRAFT = "draft", "Being counted"
        COUNTED = "counted", "Counted"
        POSTED = "posted", "Posted"

    scopes = {"warehouse": "warehouse"}
    natural_key_fields = ("number",)
    controlled_fields = ("state", "posted_at")

    number = models.CharField(max_length=30, unique=True, db_default=next_number("SC", "inventory_stockcount_number"))
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="counts")
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    counted_on = models.DateField(db_default=Now())
    posted_at = models.DateTimeField(null=True, blank=True)
    remark = models.CharField(max_length=200, blank=True)

    objects = StockCountQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["-id"]
        permissions = [
            ("finish_stockcount", "Can finish count sheets"),
            ("post_stockcount", "Can post count sheets"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "counted"], posted_at=None)
                | Q(state="posted", posted_at__isnull=False),
                name="a_count_has_an_instant_when_it_is_posted",
            ),
            models.CheckConstraint(condition=~Q(number=""), name="a_count_has_a_number"),
        ]
        triggers = [
            RefuseTrigger(
                name="a_posted_count_stays",
                operations="UPDATE",
                unless="OLD.state <> 'posted'",
                message="A posted count is final. Count again.",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def settled_fields(self) -> tuple[str, ...]:
        return {
            self.State.DRAFT: ("number", "warehouse"),
            self.State.COUNTED: ("number", "warehouse", "lines"),
            self.State.POSTED: ("number", "warehouse", "lines", "counted_on", "remark"),
        }[self.State(self.state)]


class StockCountLine(Record):
    """One product on a count sheet: what the ledger said when the sheet was made, and what was found."""

    part_of = "count"
    natural_key_fields = ("count__number", "product__sku")

    count = models.ForeignKey(StockCount, on_delete=models.CASCADE, db_index=False, related_name="lines")
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT, related_name="+")
    expected_quantity = models.IntegerField(default=0, editable=False, help_text="What the ledger said.")
    counted_quantity = models.IntegerField(
        null=True, blank=True, validators=[MinValueValidator(0)], help_text="What was found; empty: not counted yet."
    )
    difference = models.GeneratedField(
        expression=F("counted_quantity") - F("expected_quantity"),
        output_field=models.IntegerField(null=True),
        db_persist=True,
    )

    class Meta:
        default_permissions = ()
        ordering = ["count_id", "product_id"]
        constraints = [
            models.UniqueConstraint(fields=["count", "product"], name="a_product_is_counted_once_on_a_sheet"),
            models.CheckConstraint(
                condition=Q(counted_quantity=None) | Q(counted_quantity__gte=0), name="a_count_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} on {self.count}"

    def clean(self) -> None:
        """A product that is added to a sheet is expected as the ledger says at that moment."""
        if self._state.adding and self.product_id and self.count.warehouse_id:
            levels = StockLevel.objects.filter(warehouse=self.count.warehouse_id, product=self.product_id)
            self.expected_quantity = levels.values_list("on_hand", flat=True).first() or 0

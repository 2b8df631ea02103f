"""What we sell: products in a tree of categories, who supplies them, and what they cost from which day on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Ord, Substr

from admin_ext.access.trees import TreeTrigger
from admin_ext.lookups import words_index
from admin_ext.models import Record
from apps.catalogue.querysets import PriceQuerySet, ProductQuerySet
from apps.customers.models import country_choices, currency_choices, validate_code

validate_sku = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", "Use letters, digits, dot, hyphen, slash and underscore, without spaces."
)
validate_barcode = RegexValidator(r"^\d{8,14}$", "Use the 8 to 14 digits of the GTIN.")


class Category(Record):
    """A shelf of the catalogue; a tree, Food above Tea."""

    search_words = ("name",)

    code = models.CharField(max_length=20, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="What it is part of.",
    )

    class Meta(Record.Meta):
        verbose_name_plural = "categories"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=~Q(parent=F("id")), name="a_category_is_not_its_own_parent"),
        ]
        triggers = [TreeTrigger()]

    def __str__(self) -> str:
        return self.name


class Supplier(Record):
    """A company we buy from."""

    search_words = ("name",)

    code = models.CharField(max_length=20, unique=True, validators=[validate_code])
    name = models.CharField(max_length=200)
    is_active = models.BooleanField("active", default=True, help_text="Whether we still buy from them.")
    contact_name = models.CharField(max_length=100, blank=True)
    contact_title = models.CharField(max_length=100, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    fax = models.CharField(max_length=40, blank=True)
    website = models.CharField(max_length=255, blank=True, help_text="As the supplier writes it.")
    street = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField("state or province", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, blank=True, choices=country_choices)
    currency = models.CharField(max_length=3, default="EUR", choices=currency_choices)
    lead_time_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Days from our order to the goods at our door."
    )

    class Meta(Record.Meta):
        ordering = ["code"]
        indexes = [words_index("name", name="supplier_folded_words")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Product(Record):
    """Something we sell, counted in whole units.

    One unit costs what a `Price` says for the day, and `list_price` on days for which none was agreed.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        DISCONTINUED = "discontinued", "Discontinued"

    class Unit(models.TextChoices):
        PIECE = "piece", "Piece"
        BOX = "box", "Box"
        CASE = "case", "Case"
        PALLET = "pallet", "Pallet"
        BOTTLE = "bottle", "Bottle"
        BAG = "bag", "Bag"
        KILOGRAM = "kilogram", "Kilogram"
        LITRE = "litre", "Litre"
        METRE = "metre", "Metre"
        HOUR = "hour", "Hour"

    class TaxClass(models.TextChoices):
        STANDARD = "standard", "Standard rate"
        REDUCED = "reduced", "Reduced rate"
        ZERO = "zero", "Zero rate"
        EXEMPT = "exempt", "Exempt"

    natural_key_fields = ("sku",)
    derived_fields = {"price": ("list_price", "prices__amount"), "available": ("stock_levels__available",)}
    search_words = ("name",)
    controlled_fields = ("status", "brought_in")

    sku = models.CharField(
        "SKU", max_length=40, unique=True, validators=[validate_sku], help_text="The number on shelves and price lists."
    )
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, null=True, blank=True, related_name="products")
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="products")
    description = models.TextField(blank=True)
    unit = models.CharField(max_length=10, choices=Unit.choices, default=Unit.PIECE, help_text="What is counted.")
    quantity_per_unit = models.CharField(
        max_length=60, blank=True, help_text="What is in one unit, e.g. 24 - 12 oz bottles."
    )
    barcode = models.CharField(max_length=14, blank=True, validators=[validate_barcode])
    weight = models.DecimalField(
        max_digits=10,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Kilograms, one unit with its packing.",
    )
    list_price = models.DecimalField(
        max_digits=14,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="What one unit costs unless a price for the day says otherwise, without tax.",
    )
    currency = models.CharField(max_length=3, default="EUR", choices=currency_choices)
    tax_class = models.CharField(max_length=10, choices=TaxClass.choices, default=TaxClass.STANDARD)
    reorder_level = models.PositiveIntegerField(
        default=0, help_text="Where a warehouse that begins to stock it sets its reorder level."
    )
    reorder_quantity = models.PositiveIntegerField(default=0, help_text="How much to order then.")
    brought_in = models.BooleanField(default=False, help_text="Lived in another system before.")

    objects = ProductQuerySet.as_manager()

    class Meta(Record.Meta):
        ordering = ["sku"]
        permissions = [
            ("activate_product", "Can activate products"),
            ("discontinue_product", "Can discontinue products"),
            ("reprice_product", "Can set prices from a day on"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["draft", "active", "discontinued"]), name="a_product_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(list_price=None) | Q(list_price__gte=0), name="a_list_price_is_not_negative"
            ),
            models.CheckConstraint(condition=Q(weight=None) | Q(weight__gte=0), name="a_weight_is_not_negative"),
            models.UniqueConstraint(
                fields=["barcode"], condition=~Q(barcode=""), name="a_barcode_belongs_to_one_product"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "sku"], name="product_status_sku"),
            words_index("name", name="product_folded_words"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    def price_on(self, day: date, currency: str) -> Decimal | None:
        """What one unit costs on a day in a currency; None where nobody said."""
        dated = self.prices.on(day).filter(currency=currency).first()
        if dated:
            return dated.amount
        return self.list_price if currency == self.currency else None


def _only(number: models.Expression | F) -> Func:
    """The range that holds one whole number."""
    return Func(number, number, Value("[]"), function="int8range", output_field=BigIntegerRangeField())


def _days(first: str, last: str) -> Func:
    """The range of days from `first` to `last`, both included."""
    return Func(first, last, Value("[]"), function="daterange", output_field=DateRangeField())


def _currency_number() -> models.Expression:
    """A number for each currency code: its three letters as one."""
    first, second, third = (Ord(Substr("currency", place, 1)) for place in (1, 2, 3))
    return first * 65536 + second * 256 + third


class Price(Record):
    """What one unit of a product costs in a currency, from one day until another, both included."""

    part_of = "product"
    natural_key_fields = ("product__sku", "currency", "valid_from")

    # Its index is the unique one of product, currency and day.
    product = models.ForeignKey(Product, on_delete=models.CASCADE, db_index=False, related_name="prices")
    currency = models.CharField(max_length=3, default="EUR", choices=currency_choices)
    amount = models.DecimalField(
        max_digits=14, decimal_places=4, validators=[MinValueValidator(0)], help_text="For one unit, without tax."
    )
    valid_from = models.DateField(help_text="The first day on which it holds.")
    valid_until = models.DateField(null=True, blank=True, help_text="The last day on which it holds; empty: for good.")

    objects = PriceQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["product_id", "currency", "-valid_from"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="a_price_is_not_negative"),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="a_price_ends_after_it_begins",
                violation_error_message="The last day is before the first.",
            ),
            models.UniqueConstraint(fields=["product", "currency", "valid_from"], name="a_price_begins_once"),
            # Two ranges of one number each overlap when the numbers are equal, so that GiST compares products and
            # currencies without an extension that a server may not have.
            ExclusionConstraint(
                name="prices_of_a_product_do_not_overlap",
                expressions=[
                    (_only(F("product")), RangeOperators.OVERLAPS),
                    (_only(_currency_number()), RangeOperators.OVERLAPS),
                    (_days("valid_from", "valid_until"), RangeOperators.OVERLAPS),
                ],
                violation_error_message="Another price of this product in this currency holds on some of these days.",
            ),
        ]

    def __str__(self) -> str:
        until = f" until {self.valid_until}" if self.valid_until else ""
        return f"{self.amount} {self.currency} from {self.valid_from}{until}"

    def clean(self) -> None:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValidationError({"valid_until": "The last day is before the first."})

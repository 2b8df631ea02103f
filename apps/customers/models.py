"""Who we sell to, and the regions that divide the world between teams."""

from __future__ import annotations

import pycountry
from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from admin_ext.lookups import words_index
from admin_ext.models import Record, Scope, scope_permissions

validate_code = RegexValidator(r"^[A-Z0-9][A-Z0-9._-]*$", "Use capital letters, digits, dot, hyphen and underscore.")


def country_choices() -> list[tuple[str, str]]:
    """ISO 3166-1 alpha-2 codes with English short names."""
    return sorted(((c.alpha_2, getattr(c, "common_name", c.name)) for c in pycountry.countries), key=lambda c: c[1])


def currency_choices() -> list[tuple[str, str]]:
    """ISO 4217 alphabetic codes with their names."""
    return sorted((c.alpha_3, f"{c.alpha_3} {c.name}") for c in pycountry.currencies)


class Region(Scope):
    """A part of the world that a team looks after; a tree, Europe above the Nordics."""

    dimension = "region"
    scopes = {"region": "pk"}

    code = models.CharField(max_length=20, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)

    class Meta(Scope.Meta):
        ordering = ["code"]
        permissions = scope_permissions("region")
        constraints = [
            models.CheckConstraint(condition=~Q(parent=models.F("id")), name="a_region_is_not_its_own_parent")
        ]

    def __str__(self) -> str:
        return self.name


class Customer(Record):
    """A company or person we sell to."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        ON_HOLD = "on_hold", "On hold"
        CLOSED = "closed", "Closed"

    scopes = {"region": "region"}
    search_words = ("name",)
    controlled_fields = ("status", "brought_in")
    reason_required = ("credit_limit",)

    code = models.CharField(
        max_length=20, unique=True, validators=[validate_code], help_text="The number people quote, e.g. C-10042."
    )
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    region = models.ForeignKey(Region, on_delete=models.PROTECT, null=True, blank=True, related_name="customers")
    account_manager = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="customers"
    )
    tax_number = models.CharField(max_length=30, blank=True)
    credit_limit = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="The most that may be open at one time.",
    )
    currency = models.CharField(max_length=3, default="EUR", choices=currency_choices)
    payment_terms_days = models.PositiveSmallIntegerField(default=30, help_text="Days from invoice to due date.")
    contact_name = models.CharField(max_length=100, blank=True)
    contact_title = models.CharField(max_length=100, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    fax = models.CharField(max_length=40, blank=True)
    street = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField("state or province", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, blank=True, choices=country_choices)
    brought_in = models.BooleanField(default=False, help_text="Lived in another system before.")

    class Meta(Record.Meta):
        ordering = ["code"]
        permissions = [
            ("hold_customer", "Can put customers on hold"),
            ("release_customer", "Can release customers from hold"),
            ("close_customer", "Can close customers"),
            ("change_credit_limit_customer", "Can change credit limits"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["active", "on_hold", "closed"]), name="a_customer_status_is_known"
            ),
            models.CheckConstraint(condition=Q(credit_limit__gte=0), name="a_credit_limit_is_not_negative"),
        ]
        indexes = [
            models.Index(fields=["region", "code"], name="customer_region_code"),
            models.Index(fields=["status", "code"], name="customer_status_code"),
            words_index("name", name="customer_folded_words"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Contact(Record):
    """A person at a customer."""

    part_of = "customer"
    natural_key_fields = ("customer__code", "name")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=100)
    title = models.CharField(max_length=100, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["customer_id", "name"]
        constraints = [models.UniqueConstraint(fields=["customer", "name"], name="a_contact_is_named_once")]

    def __str__(self) -> str:
        return self.name


class Address(Record):
    """Where a customer gets goods or invoices, beside its own address."""

    class Kind(models.TextChoices):
        BILLING = "billing", "Billing"
        SHIPPING = "shipping", "Shipping"

    part_of = "customer"
    natural_key_fields = ("customer__code", "label")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="addresses")
    label = models.CharField(max_length=50, help_text="What people call it, e.g. Warehouse north.")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.SHIPPING)
    street = models.CharField(max_length=200)
    city = models.CharField(max_length=100)
    state = models.CharField("state or province", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, choices=country_choices)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "addresses"
        ordering = ["customer_id", "label"]
        constraints = [models.UniqueConstraint(fields=["customer", "label"], name="an_address_is_labelled_once")]

    def __str__(self) -> str:
        return f"{self.label}, {self.city}"

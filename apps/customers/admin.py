"""What the operator sees of customers."""

from __future__ import annotations

from django import forms

from admin_ext.admin import ModelAdmin, ReasonForm, TabularInline, Verb, display, money, register
from apps.customers import services
from apps.customers.models import Address, Contact, Customer, Region

STATUS_COLOURS = {"active": "success", "on_hold": "warning", "closed": "danger"}


class CreditLimitForm(ReasonForm):
    credit_limit = forms.DecimalField(min_value=0, max_digits=14, decimal_places=2)
    field_order = ["credit_limit", "reason"]


class ContactInline(TabularInline):
    model = Contact
    fields = ["name", "title", "email", "phone"]


class AddressInline(TabularInline):
    model = Address
    fields = ["label", "kind", "street", "city", "state", "postal_code", "country"]


@register(Region)
class RegionAdmin(ModelAdmin):
    list_display = ["code", "name", "parent"]
    list_select_related = ["parent"]
    fields = ["code", "name", "parent"]


@register(Customer)
class CustomerAdmin(ModelAdmin):
    list_display = ["code", "name", "shown_status", "region", "city", "country", "credit", "account_manager"]
    list_select_related = ["region", "account_manager"]
    list_columns = ("region__parent",)
    list_totals = {"credit_limit": "currency"}
    inlines = [ContactInline, AddressInline]
    grid_fields = (
        "name",
        "status",
        "region",
        "account_manager",
        "credit_limit",
        "payment_terms_days",
        "contact_name",
        "contact_title",
        "email",
        "phone",
        "city",
        "country",
    )
    verbs = (
        Verb(services.hold_customer, "Put on hold", "front_hand", ReasonForm),
        Verb(services.release_customer, "Release", "lock_open"),
        Verb(
            services.change_credit_limit,
            "Change credit limit",
            "credit_score",
            CreditLimitForm,
            bulk=False,
        ),
        Verb(services.close_customer, "Close", "block", ReasonForm, danger=True),
    )
    fieldsets = [
        (None, {"fields": [("code", "name"), ("status", "region"), ("account_manager", "brought_in")]}),
        ("Terms", {"fields": [("credit_limit", "currency"), ("payment_terms_days", "tax_number")]}),
        ("Contact", {"fields": [("contact_name", "contact_title"), "email", ("phone", "fax")]}),
        ("Address", {"fields": ["street", ("postal_code", "city"), ("state", "country")]}),
    ]

    @display(description="status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, customer: Customer) -> tuple[str, str]:
        return customer.status, customer.get_status_display()

    @display(description="credit limit", ordering="credit_limit")
    def credit(self, customer: Customer) -> str | None:
        return money(customer.credit_limit, customer.currency)

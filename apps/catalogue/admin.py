"""What people see of the catalogue."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from admin_ext.admin import (
    DayField,
    ModelAdmin,
    ReasonForm,
    RelatedList,
    RowForm,
    TabularInline,
    Verb,
    day_looked_at,
    display,
    link,
    money,
    register,
)
from apps.catalogue import services
from apps.catalogue.models import Category, Price, Product, Supplier
from apps.customers.models import currency_choices

STATUS_COLOURS = {"draft": "info", "active": "success", "discontinued": "danger"}


class RepriceForm(RowForm):
    """What one unit costs from a day on."""

    amount = forms.DecimalField(min_value=0, max_digits=14, decimal_places=4, help_text="For one unit, without tax.")
    currency = forms.ChoiceField(choices=currency_choices)
    valid_from = DayField(label="From", help_text="The price before it ends the day before.")
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="Kept on the record.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"currency": self.row.currency, "valid_from": timezone.localdate()}


@register(Category)
class CategoryAdmin(ModelAdmin):
    list_display = ["code", "name", "shown_parent"]
    list_select_related = ["parent"]
    fields = ["code", "name", "parent", "description"]
    related_lists = (RelatedList("Products", "catalogue.Product", "category", "inventory_2"),)

    @display(description="part of", ordering="parent__name")
    def shown_parent(self, category: Category) -> Any:
        return link(category.parent)


@register(Supplier)
class SupplierAdmin(ModelAdmin):
    list_display = ["code", "name", "is_active", "contact_name", "city", "country", "phone", "lead_time_days"]
    related_lists = (RelatedList("Products", "catalogue.Product", "supplier", "inventory_2"),)
    fieldsets = [
        (None, {"fields": [("code", "name"), ("currency", "lead_time_days"), "is_active"]}),
        ("Contact", {"fields": [("contact_name", "contact_title"), ("email", "website"), ("phone", "fax")]}),
        ("Address", {"fields": ["street", ("postal_code", "city"), ("state", "country")]}),
    ]


class PriceInline(TabularInline):
    model = Price
    fields = ["currency", "amount", "valid_from", "valid_until"]
    ordering = ["currency", "-valid_from"]


@register(Product)
class ProductAdmin(ModelAdmin):
    list_display = [
        "sku",
        "name",
        "shown_status",
        "shown_category",
        "shown_supplier",
        "shown_price",
        "shown_available",
        "unit",
    ]
    list_select_related = ["category", "supplier"]
    list_columns = ("category__parent", "supplier__country", "supplier__lead_time_days")
    inlines = [PriceInline]
    bulk_edit_fields = ("list_price", "reorder_level", "reorder_quantity", "tax_class")
    grid_fields = (
        "name",
        "status",
        "category",
        "supplier",
        "list_price",
        "currency",
        "tax_class",
        "unit",
        "barcode",
        "weight",
        "reorder_level",
        "reorder_quantity",
    )
    related_lists = (
        RelatedList("Stock", "inventory.StockLevel", "product", "stacks"),
        RelatedList("Movements", "inventory.StockMovement", "product", "swap_vert"),
        RelatedList("Orders", "orders.Order", "product", "shopping_cart"),
    )
    verbs = (
        Verb(services.activate_product, "Activate", "play_arrow"),
        Verb(services.reprice_product, "Set a price", "sell", RepriceForm, bulk=False),
        Verb(services.discontinue_product, "Discontinue", "block", ReasonForm, danger=True),
    )
    fieldsets = [
        (None, {"fields": [("sku", "name"), ("status", "brought_in"), ("category", "supplier"), "description"]}),
        ("Price", {"fields": [("list_price", "currency"), "tax_class"]}),
        ("Goods", {"fields": [("unit", "quantity_per_unit"), ("barcode", "weight")]}),
        ("Reordering", {"fields": [("reorder_level", "reorder_quantity")]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        products: Any = super().get_queryset(request)
        return products.with_price_on(day_looked_at()).with_available(request.user)

    @display(description="status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, product: Product) -> tuple[str, str]:
        return product.status, product.get_status_display()

    @display(description="category", ordering="category__name")
    def shown_category(self, product: Product) -> Any:
        return link(product.category)

    @display(description="supplier", ordering="supplier__name")
    def shown_supplier(self, product: Product) -> Any:
        return link(product.supplier)

    @display(description="price today", ordering="price")
    def shown_price(self, product: Any) -> str | None:
        return money(product.price, product.currency)

    @display(description="available", ordering="available")
    def shown_available(self, product: Any) -> int:
        return product.available

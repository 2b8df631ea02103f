"""What people see of the stock: where it lies, how it moved, and what was counted."""

from __future__ import annotations

from typing import Any

from django import forms

from admin_ext.admin import (
    ModelAdmin,
    OptionalReasonForm,
    ReadOnlyModelAdmin,
    ReasonForm,
    RecordField,
    RelatedList,
    TabularInline,
    Verb,
    display,
    link,
    register,
)
from apps.inventory import services
from apps.inventory.models import StockCount, StockCountLine, StockLevel, StockMovement, Warehouse

KIND_COLOURS = {
    "opening": "info",
    "receive": "success",
    "return": "success",
    "transfer_in": "success",
    "transfer_out": "warning",
    "issue": "warning",
    "adjust": "danger",
    "count": "danger",
}
COUNT_COLOURS = {"draft": "info", "counted": "warning", "posted": "success"}


class UnitsForm(OptionalReasonForm):
    """How much moves, and to which document it belongs."""

    quantity = forms.IntegerField(min_value=1, help_text="Units.")
    reference = forms.CharField(required=False, max_length=60, help_text="The document it belongs to.")
    field_order = ["product", "target", "quantity", "reference", "reason"]


class TransferForm(UnitsForm):
    target = RecordField("inventory.StockMovement", "warehouse", label="To")


class AdjustForm(ReasonForm):
    """How much more or less there is than the ledger says."""

    quantity = forms.IntegerField(label="Difference", help_text="Units; negative to take some off.")
    field_order = ["quantity", "reason"]


class ArrivalForm(UnitsForm):
    product = RecordField("inventory.StockMovement", "product")


class OpeningForm(OptionalReasonForm):
    """What lay there before we kept the stock."""

    product = RecordField("inventory.StockMovement", "product")
    quantity = forms.IntegerField(min_value=1, help_text="Units.")
    field_order = ["product", "quantity", "reason"]


class CountForm(forms.Form):
    remark = forms.CharField(required=False, max_length=200, help_text="Everything that ever lay here is on the sheet.")


def _of_place(level: StockLevel) -> dict[str, Any]:
    return {"warehouse": level.warehouse, "product": level.product}


def _from_place(level: StockLevel) -> dict[str, Any]:
    return {"source": level.warehouse, "product": level.product}


def _of_warehouse(warehouse: Warehouse) -> dict[str, Any]:
    return {"warehouse": warehouse}


@register(Warehouse)
class WarehouseAdmin(ModelAdmin):
    list_display = ["code", "name", "is_active", "shown_parent", "city", "country"]
    list_select_related = ["parent"]
    related_lists = (
        RelatedList("Stock", "inventory.StockLevel", "warehouse", "stacks"),
        RelatedList("Movements", "inventory.StockMovement", "warehouse", "swap_vert"),
        RelatedList("Orders", "orders.Order", "warehouse", "shopping_cart"),
    )
    verbs = (
        Verb(services.receive_stock, "Receive", "input", ArrivalForm, bulk=False, given=_of_warehouse),
        Verb(services.open_stock, "Opening stock", "start", OpeningForm, bulk=False, given=_of_warehouse),
        Verb(services.open_count, "New count sheet", "fact_check", CountForm, bulk=False, given=_of_warehouse),
    )
    fieldsets = [
        (None, {"fields": [("code", "name"), "parent", "is_active"]}),
        ("Address", {"fields": ["street", ("postal_code", "city"), ("state", "country")]}),
    ]

    @display(description="part of", ordering="parent__name")
    def shown_parent(self, warehouse: Warehouse) -> Any:
        return link(warehouse.parent)


@register(StockLevel)
class StockLevelAdmin(ModelAdmin):
    list_display = [
        "sku",
        "shown_product",
        "shown_warehouse",
        "on_hand",
        "allocated",
        "available",
        "reorder_level",
        "shown_warning",
    ]
    list_select_related = ["warehouse", "product"]
    list_columns = ("product__category", "product__supplier", "product__unit")
    list_totals = {"on_hand": "", "allocated": "", "available": ""}
    bulk_edit_fields = ("reorder_level", "reorder_quantity")
    readonly_fields = ["on_hand", "allocated", "available"]
    verbs = (
        Verb(services.receive_stock, "Receive", "input", UnitsForm, bulk=False, given=_of_place),
        Verb(services.issue_stock, "Issue", "output", UnitsForm, bulk=False, given=_of_place),
        Verb(services.transfer_stock, "Transfer", "swap_horiz", TransferForm, bulk=False, given=_from_place),
        Verb(services.adjust_stock, "Adjust", "tune", AdjustForm, bulk=False, given=_of_place),
    )
    fieldsets = [
        (None, {"fields": [("product", "warehouse"), ("on_hand", "allocated", "available")]}),
        ("Reordering", {"fields": [("reorder_level", "reorder_quantity")]}),
    ]
    add_fieldsets = [(None, {"fields": [("product", "warehouse"), ("reorder_level", "reorder_quantity")]})]

    @display(description="SKU", ordering="product__sku")
    def sku(self, level: StockLevel) -> str:
        return getattr(level.product, "sku", str(level.product))

    @display(description="product", ordering="product__name")
    def shown_product(self, level: StockLevel) -> Any:
        return link(level.product, getattr(level.product, "name", ""))

    @display(description="warehouse", ordering="warehouse__name")
    def shown_warehouse(self, level: StockLevel) -> Any:
        return link(level.warehouse)

    @display(description="reorder", label={"below": "danger"})
    def shown_warning(self, level: StockLevel) -> tuple[str, str] | None:
        return ("below", "Below reorder point") if level.is_below_reorder_point else None


@register(StockMovement)
class StockMovementAdmin(ReadOnlyModelAdmin):
    list_display = [
        "number",
        "moved_at",
        "shown_kind",
        "shown_product",
        "shown_warehouse",
        "shown_quantity",
        "reference",
        "reason",
    ]
    list_select_related = ["warehouse", "product"]
    list_columns = ("product__category", "product__unit")
    list_totals = {"quantity": ""}
    fieldsets = [
        (None, {"fields": [("number", "moved_at"), ("kind", "quantity"), ("product", "warehouse")]}),
        ("Why", {"fields": [("reference", "reason")]}),
    ]

    @display(description="kind", ordering="kind", label=KIND_COLOURS)
    def shown_kind(self, movement: StockMovement) -> tuple[str, str]:
        return movement.kind, movement.get_kind_display()

    @display(description="product", ordering="product__sku")
    def shown_product(self, movement: StockMovement) -> Any:
        return link(movement.product)

    @display(description="warehouse", ordering="warehouse__name")
    def shown_warehouse(self, movement: StockMovement) -> Any:
        return link(movement.warehouse)

    @display(description="quantity", ordering="quantity")
    def shown_quantity(self, movement: StockMovement) -> str:
        return f"{movement.quantity:+,}"


class StockCountLineInline(TabularInline):
    model = StockCountLine
    tab = False
    fields = ["product", "expected_quantity", "counted_quantity", "difference"]
    readonly_fields = ["expected_quantity", "difference"]


@register(StockCount)
class StockCountAdmin(ModelAdmin):
    list_display = ["number", "shown_warehouse", "shown_state", "counted_on", "posted_at", "remark"]
    list_select_related = ["warehouse"]
    inlines = [StockCountLineInline]
    verbs = (
        Verb(services.finish_count, "Finish", "done_all"),
        Verb(services.post_count, "Post", "publish"),
    )
    fieldsets = [(None, {"fields": [("number", "state"), ("warehouse", "counted_on"), ("remark", "posted_at")]})]
    add_fieldsets = [(None, {"fields": [("warehouse", "counted_on"), "remark"]})]

    @display(description="warehouse", ordering="warehouse__name")
    def shown_warehouse(self, count: StockCount) -> Any:
        return link(count.warehouse)

    @display(description="state", ordering="state", label=COUNT_COLOURS)
    def shown_state(self, count: StockCount) -> tuple[str, str]:
        return count.state, count.get_state_display()

"""What people see of orders: from the first line to the goods that come back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils import timezone

from admin_ext.admin import (
    DayField,
    Document,
    ModelAdmin,
    OptionalReasonForm,
    ReadOnlyInline,
    ReadOnlyModelAdmin,
    ReasonForm,
    RecordForm,
    RelatedList,
    RowForm,
    TabularInline,
    Verb,
    day_looked_at,
    display,
    hide_related,
    link,
    money,
    register,
)
from apps.orders import services
from apps.orders.models import Order, OrderLine, Return, ReturnLine, Shipment, ShipmentLine

STATE_COLOURS = {
    "draft": "info",
    "confirmed": "primary",
    "allocated": "warning",
    "shipped": "success",
    "closed": "",
    "cancelled": "danger",
}

DELIVERY = [
    "ship_to_name",
    "ship_to_street",
    ("ship_to_postal_code", "ship_to_city"),
    ("ship_to_state", "ship_to_country"),
]


class ShipForm(RowForm):
    """Who takes the goods, and when."""

    carrier = forms.CharField(required=False, max_length=60)
    tracking_number = forms.CharField(required=False, max_length=60)
    shipped_on = DayField(label="Day")
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="Kept on the record.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"carrier": self.row.carrier, "shipped_on": timezone.localdate()}


class ShipManyForm(OptionalReasonForm):
    carrier = forms.CharField(required=False, max_length=60, help_text="Empty: the one that each order names.")
    field_order = ["carrier", "reason"]


class ReturnForm(RowForm):
    """How many units of which line came back, why and when."""

    reason = forms.CharField(max_length=200, help_text="Why the customer sent them back.")
    returned_on = DayField(label="Day")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"returned_on": timezone.localdate()}
        lines = list(self.row.lines.returnable().to_pick())
        hide_related(lines, self.user)
        self.lines = {f"line_{line.number}": line for line in lines}
        for name, line in self.lines.items():
            self.fields[name] = forms.IntegerField(
                required=False,
                min_value=0,
                label=str(line.product),
                help_text=f"Line {line.number}, of {line.quantity}.",
            )
        self.order_fields([*self.lines, "reason", "returned_on"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["quantities"] = {line.number: cleaned[name] for name, line in self.lines.items() if cleaned.get(name)}
        if not cleaned["quantities"] and not self.errors:
            raise forms.ValidationError("Say how many units of at least one line came back.")
        return cleaned


class OrderLineForm(RecordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if price := self.fields.get("unit_price"):
            price.required = False
            price.help_text = "Empty: what the product costs on the day of the order."


class OrderLineInline(TabularInline):
    model = OrderLine
    form = OrderLineForm
    tab = False
    fields = [
        "line",
        "product",
        "quantity",
        "unit_price",
        "discount",
        "amount",
        "allocated",
        "shipped",
    ]
    readonly_fields = ["line", "amount", "allocated", "shipped"]
    hide_title = True

    @display(description="line")
    def line(self, line: OrderLine) -> int | None:
        return line.number or None

    @display(description="allocated", ordering="allocated_quantity")
    def allocated(self, line: OrderLine) -> int:
        return line.allocated_quantity

    @display(description="shipped", ordering="shipped_quantity")
    def shipped(self, line: OrderLine) -> int:
        return line.shipped_quantity


class ShipmentInline(ReadOnlyInline):
    model = Shipment
    fields = ["shown", "shipped_on", "warehouse", "carrier", "tracking_number"]
    readonly_fields = fields
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("warehouse")

    @display(description="number")
    def shown(self, shipment: Shipment) -> Any:
        return link(shipment)


class ReturnInline(ReadOnlyInline):
    model = Return
    fields = ["shown", "returned_on", "warehouse", "reason"]
    readonly_fields = fields
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("warehouse")

    @display(description="number")
    def shown(self, back: Return) -> Any:
        return link(back)


@register(Order)
class OrderAdmin(ModelAdmin):
    list_display = [
        "number",
        "shown_customer",
        "shown_state",
        "ordered_on",
        "required_on",
        "shipped_on",
        "shown_late",
        "shown_warehouse",
        "shown_total",
    ]
    list_select_related = ["customer", "warehouse"]
    list_columns = ("customer__name", "customer__region", "customer__country", "customer__status", "warehouse__city")
    list_totals = dict.fromkeys(("net_total", "gross_total", "discount_total", "freight"), "currency")
    inlines = [OrderLineInline, ShipmentInline, ReturnInline]
    grid_fields = (
        *("customer", "state", "warehouse", "required_on"),
        *("customer_reference", "carrier", "freight", "currency"),
    )
    readonly_fields = ["shown_total", "shown_gross", "shown_discount"]
    verbs = (
        Verb(services.confirm_order, "Confirm", "check_circle"),
        Verb(services.allocate_order, "Allocate", "bookmark_added"),
        Verb(services.ship_order, "Ship", "local_shipping", ShipForm, bulk_form=ShipManyForm),
        Verb(services.close_order, "Close", "task_alt", bulk=False),
        Verb(services.return_goods, "Take back", "assignment_return", ReturnForm, bulk=False),
        Verb(services.release_order, "Release stock", "bookmark_remove", bulk=False),
        Verb(services.reopen_order, "Reopen", "edit", ReasonForm, bulk=False),
        Verb(services.cancel_order, "Cancel", "cancel", ReasonForm, danger=True),
    )
    documents = (
        Document(
            "pick-list",
            "Pick list",
            "orders/pick_list.html",
            lambda order: {"lines": list(order.lines.to_pick())},
            possible=lambda order: order.state == "allocated",
        ),
    )
    related_lists = (RelatedList("Shipments", "orders.Shipment", "order", "local_shipping"),)
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("number", "state"),
                    ("customer", "warehouse"),
                    ("ordered_on", "required_on"),
                    ("customer_reference", "placed_by"),
                    ("shipped_on", "carrier"),
                    ("shown_gross", "shown_discount", "shown_total"),
                ]
            },
        ),
        ("Delivery", {"classes": ["collapse"], "fields": DELIVERY}),
        ("Terms", {"classes": ["collapse"], "fields": [("currency", "freight"), "brought_in"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "fields": [
                    ("customer", "warehouse"),
                    ("ordered_on", "required_on"),
                    ("customer_reference", "placed_by"),
                    ("currency", "freight"),
                ]
            },
        ),
        (
            "Delivery, if not to the customer's own address",
            {"classes": ["collapse"], "fields": [*DELIVERY, "carrier"]},
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        orders: Any = super().get_queryset(request)
        return orders.with_lateness(day_looked_at())

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        own = {"ordered_on": timezone.localdate(), "placed_by": request.user.pk}
        return {**own, **super().get_changeform_initial_data(request)}

    @display(description="customer", ordering="customer__code")
    def shown_customer(self, order: Order) -> Any:
        return link(order.customer)

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def shown_state(self, order: Order) -> tuple[str, str]:
        return order.state, order.get_state_display()

    @display(description="late", ordering="required_on", label={"late": "danger"})
    def shown_late(self, order: Any) -> tuple[str, str] | None:
        return ("late", f"{order.late_by.days} day{pluralize(order.late_by.days)}") if order.late_by else None

    @display(description="warehouse", ordering="warehouse__name")
    def shown_warehouse(self, order: Order) -> Any:
        return link(order.warehouse)

    @display(description="net total", ordering="net_total")
    def shown_total(self, order: Order) -> str | None:
        return money(order.net_total, order.currency)

    @display(description="gross total", ordering="gross_total")
    def shown_gross(self, order: Order) -> str | None:
        return money(order.gross_total, order.currency)

    @display(description="discount", ordering="discount_total")
    def shown_discount(self, order: Order) -> str | None:
        return money(order.discount_total, order.currency)


class ShipmentLineInline(TabularInline):
    model: Any = ShipmentLine
    tab = False
    fields = ["line", "product", "quantity"]
    readonly_fields = ["line", "product"]
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("order_line__product")

    @display(description="line")
    def line(self, line: ShipmentLine) -> int:
        return line.order_line.number

    @display(description="product")
    def product(self, line: ShipmentLine) -> Any:
        return link(line.order_line.product)


class ReturnLineInline(TabularInline):
    model = ReturnLine
    tab = False
    fields = ["line", "product", "quantity", "unit_price", "discount", "amount"]
    readonly_fields = ["line", "amount"]
    hide_title = True

    @display(description="line")
    def line(self, line: ReturnLine) -> int:
        return line.number


class OfAnOrder(ReadOnlyModelAdmin):
    """What shipments and returns have in common: they come from an order and are written by its verbs."""

    list_select_related: Any = ["order__customer", "warehouse"]
    list_columns: Any = ("order__customer__name", "order__customer__region")

    @display(description="order", ordering="order__number")
    def shown_order(self, row: Any) -> Any:
        return link(row.order)

    @display(description="customer", ordering="order__customer__code")
    def shown_customer(self, row: Any) -> Any:
        return link(getattr(row.order, "customer", None))

    @display(description="warehouse", ordering="warehouse__name")
    def shown_warehouse(self, row: Any) -> Any:
        return link(row.warehouse)


@register(Shipment)
class ShipmentAdmin(OfAnOrder):
    list_display = [
        "number",
        "shipped_on",
        "shown_order",
        "shown_customer",
        "shown_warehouse",
        "carrier",
        "tracking_number",
    ]
    inlines = [ShipmentLineInline]
    documents = (
        Document(
            "packing-slip",
            "Packing slip",
            "orders/packing_slip.html",
            lambda shipment: {
                "lines": list(shipment.lines.to_pack()),
                "weight": shipment.lines.weight(),
            },
            derived={"weight": "lines__order_line__product__weight"},
        ),
    )
    fieldsets = [
        (None, {"fields": [("number", "shipped_on"), ("order", "warehouse"), ("carrier", "tracking_number")]}),
    ]


@register(Return)
class ReturnAdmin(OfAnOrder):
    list_display = [
        "number",
        "returned_on",
        "shown_order",
        "shown_customer",
        "shown_warehouse",
        "reason",
        "shown_total",
    ]
    list_select_related = ["order", "customer", "warehouse"]
    list_columns = ("customer__name", "customer__region")
    inlines = [ReturnLineInline]
    readonly_fields = ["shown_total"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("number", "returned_on"),
                    ("order", "customer"),
                    ("warehouse", "reason"),
                    ("shown_total", "brought_in"),
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).with_total()

    @display(description="customer", ordering="customer__code")
    def shown_customer(self, back: Return) -> Any:
        return link(back.customer)

    @display(description="total")
    def shown_total(self, back: Return) -> str | None:
        return money(back.total, back.currency)

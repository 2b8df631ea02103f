"""What goes in and out of orders as files."""

from admin_ext.transfers.resources import ModelResource
from apps.orders.models import Order, OrderLine, Return, ReturnLine, Shipment


class OrderResource(ModelResource):
    class Meta:
        model = Order
        fields = [
            "number",
            "customer",
            "warehouse",
            "state",
            "ordered_on",
            "required_on",
            "shipped_on",
            "placed_by",
            "customer_reference",
            "ship_to_name",
            "ship_to_street",
            "ship_to_city",
            "ship_to_state",
            "ship_to_postal_code",
            "ship_to_country",
            "carrier",
            "freight",
            "currency",
            "gross_total",
            "net_total",
        ]
        import_id_fields = ["number"]
        new_values = {"brought_in": True}


class OrderLineResource(ModelResource):
    class Meta:
        model = OrderLine
        fields = ["order", "number", "product", "quantity", "unit_price", "discount", "amount"]
        import_id_fields = ["order", "number"]


class ShipmentResource(ModelResource):
    class Meta:
        model = Shipment
        fields = ["number", "order", "warehouse", "shipped_on", "carrier", "tracking_number"]
        import_id_fields = ["number"]


class ReturnResource(ModelResource):
    class Meta:
        model = Return
        fields = ["number", "order", "customer", "warehouse", "returned_on", "reason", "currency"]
        import_id_fields = ["number"]
        new_values = {"brought_in": True}


class ReturnLineResource(ModelResource):
    class Meta:
        model = ReturnLine
        fields = ["goods_return", "number", "product", "quantity", "unit_price", "discount", "amount"]
        import_id_fields = ["goods_return", "number"]

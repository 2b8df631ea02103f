"""All of it goes in and out as files."""

from admin_ext.transfers.resources import ModelResource
from apps.arrivals import models


class RateResource(ModelResource):
    class Meta:
        model = models.Rate
        fields = ["number", "day", "base", "currency", "average", "closing"]
        import_id_fields = ["number"]


class PurchaseOrderResource(ModelResource):
    class Meta:
        model = models.PurchaseOrder
        fields = ["number", "supplier", "state", "ordered_on", "shipped_on", "net", "total"]
        import_id_fields = ["number"]


class PurchaseLineResource(ModelResource):
    class Meta:
        model = models.PurchaseLine
        fields = ["number", "order", "product", "due_on", "quantity", "unit_price", "received", "rejected"]
        import_id_fields = ["number"]


class DeliveryResource(ModelResource):
    class Meta:
        model = models.Delivery
        fields = [
            *("number", "project", "country", "vendor", "item", "quoted_on", "ordered_on", "delivered_on"),
            *("quantity", "value", "weight", "weight_note", "freight", "freight_note", "insurance"),
        ]
        import_id_fields = ["number"]


class ServiceRequestResource(ModelResource):
    class Meta:
        model = models.ServiceRequest
        fields = ["number", "state", "opened_at", "closed_at", "agency", "complaint", "borough"]
        import_id_fields = ["number"]

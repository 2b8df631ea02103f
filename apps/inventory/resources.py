"""What goes in and out of the warehouses as files. The ledger only goes out: stock moves through services."""

from admin_ext.transfers.resources import ModelResource
from apps.inventory.models import StockLevel, StockMovement, Warehouse


class WarehouseResource(ModelResource):
    class Meta:
        model = Warehouse
        fields = ["code", "name", "parent", "street", "city", "state", "postal_code", "country"]
        import_id_fields = ["code"]


class StockLevelResource(ModelResource):
    class Meta:
        model = StockLevel
        fields = ["warehouse", "product", "on_hand", "allocated", "available", "reorder_level", "reorder_quantity"]
        import_id_fields = ["warehouse", "product"]


class StockMovementResource(ModelResource):
    class Meta:
        model = StockMovement
        fields = ["number", "kind", "warehouse", "product", "quantity", "reference", "reason", "moved_at"]
        import_id_fields = ["number"]

"""How the stock is narrowed down, in the lists and everywhere else."""

from __future__ import annotations

from admin_ext.filtering.filters import YesNoFilter
from admin_ext.filtering.filterset import FilterSet
from apps.inventory.models import StockCount, StockLevel, StockMovement, Warehouse
from apps.inventory.querysets import StockLevelQuerySet


class WarehouseFilterSet(FilterSet):
    class Meta:
        model = Warehouse
        fields = ["code", "name", "parent", "is_active", "city", "country"]


class StockLevelFilterSet(FilterSet):
    below_reorder_point = YesNoFilter(method="filter_below_reorder_point", label="Below reorder point")

    reads = {"below_reorder_point": ("available", "reorder_level")}

    class Meta:
        model = StockLevel
        fields = [
            "warehouse",
            "product",
            "product__category",
            "product__supplier",
            "below_reorder_point",
            "available",
            "on_hand",
            "allocated",
        ]

    def filter_below_reorder_point(self, levels: StockLevelQuerySet, name: str, value: bool) -> StockLevelQuerySet:
        below = levels.below_reorder_point()
        return below if value else levels.exclude(pk__in=below.order_by().values("pk"))


class StockMovementFilterSet(FilterSet):
    class Meta:
        model = StockMovement
        fields = ["kind", "warehouse", "product", "quantity", "reference", "moved_at"]


class StockCountFilterSet(FilterSet):
    class Meta:
        model = StockCount
        fields = ["state", "warehouse", "counted_on", "posted_at", "remark"]

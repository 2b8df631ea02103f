"""How the catalogue is narrowed down, in the lists and everywhere else."""

from __future__ import annotations

from admin_ext.filtering.filterset import FilterSet
from apps.catalogue.models import Category, Product, Supplier


class CategoryFilterSet(FilterSet):
    class Meta:
        model = Category
        fields = ["code", "name", "parent"]


class SupplierFilterSet(FilterSet):
    class Meta:
        model = Supplier
        fields = ["name", "is_active", "city", "country", "currency", "lead_time_days"]


class ProductFilterSet(FilterSet):
    class Meta:
        model = Product
        fields = [
            "status",
            "category",
            "supplier",
            "name",
            "list_price",
            "currency",
            "unit",
            "tax_class",
            "brought_in",
            "updated_at",
        ]

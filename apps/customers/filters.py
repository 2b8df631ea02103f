"""How customers are narrowed down, in the list and everywhere else."""

from admin_ext.filtering.filterset import FilterSet
from apps.customers.models import Customer, Region


class RegionFilterSet(FilterSet):
    class Meta:
        model = Region
        fields = ["code", "name", "parent"]


class CustomerFilterSet(FilterSet):
    class Meta:
        model = Customer
        fields = [
            "status",
            "region",
            "account_manager",
            "name",
            "city",
            "country",
            "credit_limit",
            "payment_terms_days",
            "brought_in",
            "updated_at",
        ]

"""The sidebar, built from what is registered: a new app appears by itself, to those who may see it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from admin_ext.notices.models import Notice

ICONS = {
    "customers.Customer": "store",
    "customers.Region": "public",
    "catalogue.Category": "category",
    "catalogue.Supplier": "factory",
    "catalogue.Product": "inventory_2",
    "catalogue.Price": "sell",
    "inventory.Warehouse": "warehouse",
    "inventory.StockLevel": "stacks",
    "inventory.StockMovement": "swap_vert",
    "inventory.StockCount": "fact_check",
    "orders.Order": "shopping_cart",
    "orders.Shipment": "local_shipping",
    "orders.Return": "assignment_return",
    "accounts.User": "person",
    "accounts.Role": "badge",
    "accounts.Team": "groups",
    "jobs.Job": "progress_activity",
    "plans.Plan": "rule",
    "audit.ChangeSet": "history",
    "transfers.Profile": "schema",
    "notices.Notice": "notifications",
}


# Apps of the platform, shown together below the business.
PLATFORM = {"audit", "jobs", "notices", "plans", "transfers"}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's navigation: the dashboard, then every app with the lists that the person may open."""
    from django.contrib import admin

    groups: list[dict[str, Any]] = [
        {"title": "", "items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]}
    ]
    work: list[dict[str, Any]] = []
    for app in admin.site.get_app_list(request):
        items = [
            {
                "title": model["name"],
                "icon": ICONS.get(model["model"]._meta.label, "table_rows"),
                "link": model["admin_url"],
            }
            for model in app["models"]
            if model["admin_url"]
        ]
        if app["app_label"] in PLATFORM:
            work += items
        elif items:
            groups.append({"title": app["name"], "separator": True, "items": items})
    unread = Notice.objects.filter(recipient=request.user.pk, read_at=None).count()
    for item in work:
        if item["icon"] == ICONS["notices.Notice"] and unread:
            item["badge"] = str(unread)
    if work:
        groups.append({"title": "Work and record", "separator": True, "items": work})
    return groups

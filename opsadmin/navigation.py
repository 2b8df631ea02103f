"""The sidebar, built from what is registered: a new app appears by itself, to those who may see it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from admin_ext.admin.screens.explain import may_explain
from admin_ext.admin.view_links import views_in_sidebar
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
    "access.FieldPolicy": "visibility_off",
    "granting.AccessReview": "fact_check",
    "granting.Elevation": "e911_emergency",
    "jobs.Job": "progress_activity",
    "plans.Plan": "rule",
    "audit.ChangeSet": "history",
    "desk.Review": "approval",
    "audit.AccessEvent": "visibility",
    "filtering.SavedView": "bookmarks",
    "jobs.Schedule": "schedule",
    "transfers.ExportDefinition": "file_export",
    "transfers.Profile": "schema",
    "notices.Notice": "notifications",
}


# Apps of the platform, shown together below the business.
PLATFORM = {"filtering", "jobs", "notices", "plans", "transfers"}
RECORD = {"audit", "desk"}
# Lists that stand with those of another app: who may see what, beside people and roles.
BESIDE = {"access": "accounts", "granting": "accounts"}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's navigation: the dashboard, then every app with the lists that the person may open."""
    from django.contrib import admin

    groups: list[dict[str, Any]] = [
        {"title": "", "items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]}
    ]
    work: list[dict[str, Any]] = []
    record: list[dict[str, Any]] = []
    beside: dict[str, list[dict[str, Any]]] = {}
    for app in admin.site.get_app_list(request):
        items = [
            item
            for model in app["models"]
            if model["admin_url"] and _is_work_of(request.user, model["model"]._meta.label)
            for item in _list_and_views(request, model)
        ]
        if app["app_label"] in PLATFORM:
            work += items
        elif app["app_label"] in RECORD:
            record += items
        elif app["app_label"] in BESIDE:
            beside.setdefault(BESIDE[app["app_label"]], []).extend(items)
        elif items:
            groups.append({"title": app["name"], "separator": True, "items": items, "app": app["app_label"]})
    if may_explain(request.user):
        page = {"title": "Explain a right", "icon": "policy", "link": reverse("admin:access_explain")}
        beside.setdefault("accounts", []).append(page)
    for label, items in beside.items():
        there = next((group for group in groups if group.get("app") == label), None)
        if there:
            there["items"] += items
        elif items:
            groups.append({"title": "Access", "separator": True, "items": items})
    unread = Notice.objects.filter(recipient=request.user.pk, read_at=None).count()
    for item in work:
        if item["icon"] == ICONS["notices.Notice"] and unread:
            item["badge"] = str(unread)
    if work:
        groups.append({"title": "Work", "separator": True, "items": work})
    if record:
        groups.append({"title": "The record", "separator": True, "items": _record(request, record)})
    return groups


def _list_and_views(request: HttpRequest, model: dict[str, Any]) -> list[dict[str, Any]]:
    """A list, and below it the person's views of it."""
    label, address = model["model"]._meta.label, model["admin_url"]
    item = {"title": model["name"], "icon": ICONS.get(label, "table_rows"), "link": address}
    views = views_in_sidebar(request, model["model"], address)
    if any(view["active"] for view in views):
        item["active"] = False
    return [item, *views]


# Lists that everybody has a few rows of their own in, and few people any work with.
WORK_OF_FEW = {"granting.Elevation": ("granting.view_elevation", "granting.break_glass")}


def _is_work_of(user: Any, label: str) -> bool:
    rights = WORK_OF_FEW.get(label, ())
    return not rights or any(user.has_perm(right) for right in rights)


def _record(request: HttpRequest, lists: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lists of the record, and its pages that are no lists."""
    timeline = {"title": "Timeline", "icon": "timeline", "link": reverse("admin:audit_changeset_timeline")}
    # What was done comes before what was said of it.
    lists = sorted(lists, key=lambda item: item["icon"] == ICONS["desk.Review"])
    for item in lists:
        if item["icon"] == ICONS["desk.Review"]:
            # What is to be done comes first; what was done is one click away.
            item["link"] = reverse("admin:desk_review_open")
    if not request.user.has_perm("desk.verify_record"):
        return [timeline, *lists]
    verify = {"title": "Verify", "icon": "verified", "link": reverse("admin:desk_review_verify")}
    return [timeline, *lists, verify]

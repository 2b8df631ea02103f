"""What a person sees first: how the work stands, each figure the length of the list that it leads to.

A figure is a selection: counted as the list counts it, within the same rights, and shown only to who may open the list.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.timesince import timesince

from admin_ext.access.fields import fields
from admin_ext.access.rights import restrict
from admin_ext.admin import hide_related, link
from admin_ext.admin.view_links import view_tiles
from admin_ext.audit.models import Block, ChangeSet
from admin_ext.desk.cases import count_open
from admin_ext.desk.verification import last_verdict
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.jobs.models import Job
from apps.inventory.models import StockLevel
from apps.orders.models import Order, State
from apps.orders.querysets import MONTH, WEEK

# How many rows a table shows before it sends to the list.
SHOWN = 6
DAY = timedelta(days=1)
OPEN = [State.DRAFT, State.CONFIRMED, State.ALLOCATED]

LATE = {"late": ["true"]}
BELOW = {"below_reorder_point": ["true"]}
RUNNING = {"state": ["queued", "running"]}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number, and the list whose rows it counts."""

    label: str
    number: int
    url: str
    icon: str
    alarming: bool = False


@dataclasses.dataclass(frozen=True)
class Section:
    """A table of the first few rows, and the way to all of them."""

    title: str
    action: Any
    headers: list[str]
    rows: list[list[Any]]
    empty: str
    chart: str = ""
    options: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's hook: what `admin/index.html` shows."""
    figures = [
        _figure(request, "Open orders", "shopping_cart", "orders.Order", {"state": list(OPEN)}),
        _figure(request, "Late shipments", "schedule", "orders.Order", LATE, alarming=True),
        _figure(request, "Below reorder point", "stacks", "inventory.StockLevel", BELOW, alarming=True),
        _figure(request, "Jobs at work", "progress_activity", "jobs.Job", RUNNING),
        _figure(request, "Jobs failed this week", "error", "jobs.Job", _failed(), alarming=True),
    ]
    sections = [
        _orders(request),
        _late(request),
        _stock(request),
        _change_sets(request),
        _seals(request),
        _jobs(request),
    ]
    return {
        **context,
        "tiles": view_tiles(request),
        "figures": [figure for figure in [*figures, *_reviews(request)] if figure],
        "sections": [section for section in sections if section],
    }


def list_url(model: str, filters: dict[str, list[str]]) -> str:
    """The address of the list of `model` ("app.Model"), narrowed down."""
    address = reverse(f"admin:{model.lower().replace('.', '_')}_changelist")
    return f"{address}?{urlencode(filters, doseq=True)}" if filters else address


def _figure(
    request: HttpRequest, label: str, icon: str, model: str, filters: dict[str, list[str]], *, alarming: bool = False
) -> Figure | None:
    if not _may_list(request, model):
        return None
    try:
        number = Selection(model=model, filters=filters).resolve(actor=request.user, action="view").count()
    except UnknownFilter:
        return None  # it looks at a field that this person may not read
    return Figure(label, number, list_url(model, filters), icon, alarming=alarming and number > 0)


def _orders(request: HttpRequest) -> Section | None:
    """Open orders by state and age, as a chart and as a table of links."""
    if not _may_list(request, "orders.Order", "state", "ordered_on"):
        return None
    today = timezone.localdate()
    ages = {
        "week": ("Up to 7 days", {"ordered_on_after": [today - WEEK + DAY]}),
        "month": ("8 to 30 days", {"ordered_on_after": [today - MONTH + DAY], "ordered_on_before": [today - WEEK]}),
        "older": ("Older", {"ordered_on_before": [today - MONTH]}),
        "total": ("All", {}),
    }
    found = {row["state"]: row for row in Order.objects.restrict(request.user).by_state_and_age(today)}
    states = [state for state in OPEN if state in found]
    rows = [
        [
            state.label,
            *(_counted(found[state][age], {"state": [state], **filters}) for age, (_, filters) in ages.items()),
        ]
        for state in states
    ]
    colours = {"week": "primary-300", "month": "primary-600", "older": "orange-500"}
    datasets = [
        {
            "label": ages[age][0],
            "data": [found[state][age] for state in states],
            "backgroundColor": f"var(--color-{colour})",
        }
        for age, colour in colours.items()
    ]
    return Section(
        title="Open orders by state and age",
        action=_all("orders.Order", {"state": list(OPEN)}),
        headers=["State", *(label for label, _ in ages.values())],
        rows=rows,
        empty="No order is open.",
        chart=json.dumps({"labels": [state.label for state in states], "datasets": datasets}) if rows else "",
        options=json.dumps(STACKED),
    )


def _late(request: HttpRequest) -> Section | None:
    if not _may_list(request, "orders.Order", "state", "required_on"):
        return None
    today = timezone.localdate()
    late: Any = Order.objects.restrict(request.user).late(today).with_lateness(today)
    orders = _first(request, late.select_related("customer").order_by("required_on", "pk"))
    return Section(
        title="Late shipments",
        action=_all("orders.Order", LATE),
        headers=["Order", "Customer", "Required on", "Late by"],
        rows=[[link(o), link(o.customer), o.required_on, f"{o.late_by.days} d"] for o in orders],
        empty="Nothing is late.",
    )


def _stock(request: HttpRequest) -> Section | None:
    if not _may_list(request, "inventory.StockLevel", "available", "reorder_level"):
        return None
    below = StockLevel.objects.restrict(request.user).below_reorder_point()
    levels = _first(
        request,
        below.select_related("product", "warehouse").order_by(F("available") - F("reorder_level"), "pk"),
    )
    return Section(
        title="Stock below reorder point",
        action=_all("inventory.StockLevel", BELOW),
        headers=["Product", "Warehouse", "Available", "Reorder at"],
        rows=[
            [link(level, str(level.product)), link(level.warehouse), level.available, level.reorder_level]
            for level in levels
        ],
        empty="Everything is there.",
    )


def _jobs(request: HttpRequest) -> Section | None:
    if not _may_list(request, "jobs.Job"):
        return None
    wanted = {"state": [*RUNNING["state"], "failed"]}
    jobs = Selection(model="jobs.Job", filters=wanted, ordering=["-id"]).resolve(actor=request.user, action="view")
    return Section(
        title="Jobs at work, or failed",
        action=_all("jobs.Job", wanted),
        headers=["Job", "State", "Progress", "Since"],
        rows=[
            [link(job), job.get_state_display(), f"{job.percent} %", timesince(job.queued_at, depth=1)]
            for job in _first(request, jobs)
        ],
        empty="No job is running, none failed.",
    )


def _change_sets(request: HttpRequest) -> Section | None:
    if not _may_list(request, "audit.ChangeSet"):
        return None
    acts = restrict(ChangeSet.objects.select_related("actor"), request.user, "view").order_by("-id")
    return Section(
        title="Recent changes",
        action=_all("audit.ChangeSet", {}),
        headers=["Change set", "Who", "Rows", "When"],
        rows=[
            [link(act), act.actor or act.db_user, f"{act.rows:,}", timesince(act.started_at, depth=1) + " ago"]
            for act in _first(request, acts)
        ],
        empty="Nothing was changed yet.",
    )


def _reviews(request: HttpRequest) -> list[Figure]:
    """What waits for a review; both figures lead to the page that begins with the oldest."""
    if not _may_list(request, "desk.Review"):
        return []
    address = reverse("admin:desk_review_open")
    late = count_open(overdue=True)
    return [
        Figure("Open reviews", count_open(), address, "approval"),
        Figure("Overdue reviews", late, address, "approval", alarming=late > 0),
    ]


def _seals(request: HttpRequest) -> Section | None:
    """How far the record is sealed, and what the last verification said."""
    if not request.user.has_perm("desk.verify_record"):
        return None
    address = reverse("admin:desk_review_verify")
    newest, last = Block.objects.first(), last_verdict()
    sealed = f"block {newest.number:,}, {timesince(newest.sealed_at, depth=1)} ago" if newest else "nothing yet"
    verified = f"{timesince(last.job.finished_at, depth=1)} ago" if last and last.job.finished_at else "never from here"
    said = last.report.get("verdict", "") if last else ""
    return Section(
        title="The record",
        action=format_html('<a href="{}" class="text-link">Verify</a>', address),
        headers=["", "", ""],
        rows=[["Sealed up to", sealed, ""], ["Last verified", verified, said]],
        empty="",
    )


def _failed() -> dict[str, list[str]]:
    return {"state": [Job.State.FAILED], "queued_at_after": [str(timezone.localdate() - WEEK + DAY)]}


def _may_list(request: HttpRequest, model: str, *reads: str) -> bool:
    """May the person open the list, and read these fields of its rows?"""
    listed: Any = apps.get_model(model)
    registered = admin.site._registry.get(listed)
    if registered is None or not registered.has_view_permission(request):
        return False
    return fields(request.user, "view", listed).readable.issuperset(reads)


def _first(request: HttpRequest, rows: QuerySet) -> list[Any]:
    first = list(rows[:SHOWN])
    hide_related(first, request.user)
    return first


def _counted(number: int, filters: dict[str, list[Any]]) -> Any:
    return format_html('<a href="{}" class="text-link">{}</a>', list_url("orders.Order", filters), f"{number:,}")


def _all(model: str, filters: dict[str, list[str]]) -> Any:
    return format_html('<a href="{}" class="text-link">All</a>', list_url(model, filters))


# Chart.js: bars on their side, one on another.
STACKED = {
    "animation": False,
    "responsive": True,
    "maintainAspectRatio": False,
    "indexAxis": "y",
    "maxBarThickness": 24,
    "plugins": {"legend": {"display": True, "align": "end", "labels": {"color": "#9ca3af", "boxWidth": 12}}},
    "scales": {
        "x": {"stacked": True, "grid": {"display": True}, "ticks": {"color": "#9ca3af", "precision": 0}},
        "y": {"stacked": True, "grid": {"display": False}, "ticks": {"color": "#9ca3af"}},
    },
}

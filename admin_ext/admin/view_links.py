"""A person's views in the sidebar, below the list that they are of. Their counts come after the page."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import can
from admin_ext.filtering.list_state import VIEW, ViewVeiled
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.patience import TookTooLong, capped_count, told_count, within
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.filtering.views import model_of, views_at_hand

SHOWN, MOST_TILES = 8, 6
COUNT_CAP, COUNT_MS = 1_000, 200
# All counts of a sidebar together, in seconds, and how many.
COUNTS_SECONDS, MOST_COUNTED = 1.0, 20


def views_in_sidebar(request: HttpRequest, model: type[models.Model], address: str) -> list[dict[str, Any]]:
    """Items of unfold's navigation for the first few views of a list; one query for all lists together."""
    if "model" in field_rights(request.user, "view", SavedView).unread:
        return []
    counts = reverse("admin:filtering_savedview_counts")
    opened = request.GET.get(VIEW, "") if request.path == address else ""
    return [
        {
            # unfold takes titles as they are.
            "title": format_html(
                '<span class="ops-side-view" title="{}">{}</span>'
                '<span class="ops-view-count" data-view-count="{}" data-counts-at="{}"></span>',
                view.name,
                view.name,
                view.pk,
                counts,
            ),
            "icon": "bookmark",
            "link": f"{address}?{VIEW}={view.pk}",
            "active": opened == str(view.pk),
        }
        for view in [each for each in views_at_hand(request.user) if each.model == model._meta.label][:SHOWN]
    ]


@dataclasses.dataclass(frozen=True)
class Tile:
    """A view of the person's own on their first page; its count comes after the page."""

    key: int
    label: str
    url: str


def view_tiles(request: HttpRequest) -> list[Tile]:
    """The first few views that the person made, with the addresses of their lists."""
    if field_rights(request.user, "view", SavedView).unread & {"name", "model"}:
        return []
    own = [each for each in views_at_hand(request.user) if each.owner_id == request.user.pk]
    tiles = (Tile(each.pk, each.name, address_of(each, request.user)) for each in own)
    return [each for each in tiles if each.url][:MOST_TILES]


def counts_view(request: HttpRequest) -> HttpResponse:
    """How many rows the views of the sidebar hold, as far as that is soon known: {"17": "1,000+"}."""
    found, until = {}, time.monotonic() + COUNTS_SECONDS
    for view in views_at_hand(request.user)[:MOST_COUNTED]:
        model = model_of(view)
        if time.monotonic() > until:
            break
        if model is None or not can(request.user, "view", model):
            continue
        try:
            with within(COUNT_MS):
                rows = Selection.of_view(view, request.user).resolve(actor=request.user, action="view")
                found[str(view.pk)] = told_count(capped_count(rows, COUNT_CAP), COUNT_CAP)
        except (UnknownFilter, ViewVeiled, TookTooLong):
            continue
    return JsonResponse(found, headers={"Cache-Control": "no-store"})


def address_of(view: SavedView, user: Any) -> str:
    """The list opened with a view; "" where there is no such list, or not for this person."""
    model = model_of(view)
    if model is None or not can(user, "view", model):
        return ""
    try:
        return f"{reverse(f'admin:{model._meta.app_label}_{model._meta.model_name}_changelist')}?{VIEW}={view.pk}"
    except NoReverseMatch:
        return ""

"""Working through a saved view row by row: the banner on a record that was taken, and what its buttons do."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.widgets import INPUT_CLASSES

from admin_ext.access.rights import can
from admin_ext.admin.choices import is_key
from admin_ext.admin.instants import KEPT_FILTERS
from admin_ext.filtering.list_state import VIEW, ViewVeiled
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.patience import told_count
from admin_ext.filtering.queues import (
    MOST_COUNTED,
    NotTaken,
    ReasonNeeded,
    give_back,
    keep_longer,
    pass_over,
    place_of,
    take_next,
)
from admin_ext.filtering.selection import UnknownFilter
from admin_ext.filtering.views import ViewNotThere, find_view, model_of


class QueueMixin:
    """For ModelAdmins: the record that somebody took, and the next one after it was saved."""

    model: type[models.Model]

    def queue_context(self, request: HttpRequest, row: models.Model | None) -> dict[str, Any]:
        """The queue in which the person has this record, for its banner."""
        if row is None or row.pk is None:
            return {}
        try:
            place = place_of(actor=request.user, model=self.model, row=row.pk)
        except (UnknownFilter, ViewVeiled):
            return {}
        if place is None:
            return {}
        waiting, classes = told_count(place.waiting, MOST_COUNTED), " ".join(INPUT_CLASSES)
        return {"place": place, "place_waiting": waiting, "place_input_classes": classes}

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """After a record of a queue was saved comes the next one."""
        response = super().response_change(request, obj)
        stays = {"_continue", "_addanother", "_saveasnew"} & set(request.POST)
        if stays or not (place := place_of(actor=request.user, model=self.model, row=obj.pk)):
            return response
        return go_to_next(request, place.view, after=obj.pk)


def queue_urls(wrap: Any) -> list[URLPattern]:
    """The addresses of queues, below those of saved views."""
    doors = {"take": take_view, "skip": skip_view, "release": release_view, "longer": longer_view}
    return [
        path(f"<path:object_id>/queue/{name}/", wrap(require_POST(view)), name=f"filtering_savedview_queue_{name}")
        for name, view in doors.items()
    ]


def take_view(request: HttpRequest, object_id: str) -> HttpResponse:
    """Takes the next row of a view, and leads to it."""
    view, row = _asked(request, object_id)
    return go_to_next(request, view, after=row)


def skip_view(request: HttpRequest, object_id: str) -> HttpResponse:
    """Passes over the row that the person has, with a reason, and goes on."""
    view, row = _asked(request, object_id)
    if row is None:
        raise Http404
    try:
        pass_over(actor=request.user, view=view, row=row, reason=request.POST.get("reason", ""))
    except ReasonNeeded as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_record(view, row))
    except NotTaken as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_list(view))
    return go_to_next(request, view)


def release_view(request: HttpRequest, object_id: str) -> HttpResponse:
    """Gives back the row that the person has, and leads to the list."""
    view, _ = _asked(request, object_id)
    give_back(actor=request.user, view=view)
    messages.success(request, "You gave the row back. Others can take it now.")
    return HttpResponseRedirect(_list(view))


def longer_view(request: HttpRequest, object_id: str) -> HttpResponse:
    """Keeps the row that the person has for longer."""
    view, row = _asked(request, object_id)
    if row is None:
        raise Http404
    try:
        keep_longer(actor=request.user, view=view, row=row)
    except NotTaken as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_list(view))
    return HttpResponseRedirect(_record(view, row))


def go_to_next(request: HttpRequest, view: SavedView, *, after: int | None = None) -> HttpResponse:
    """Takes the next row of a queue for the person, and leads to it; to the list where there is none."""
    try:
        key = take_next(actor=request.user, view=view, after=after)
    except (UnknownFilter, ViewVeiled) as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_list(view))
    if key is None:
        messages.success(request, f"Nothing waits in “{view}” that you could take.")
        return HttpResponseRedirect(_list(view))
    return HttpResponseRedirect(_record(view, key))


def _asked(request: HttpRequest, key: str) -> tuple[SavedView, int | None]:
    """The view whose queue is meant, and the row that was posted. Raises Http404, PermissionDenied."""
    try:
        view = find_view(key, user=request.user) if is_key(key) else None
    except ViewNotThere:
        view = None
    model = model_of(view) if view else None
    if view is None or model is None:
        raise Http404
    if not can(request.user, "view", model):
        raise PermissionDenied
    row = request.POST.get("row", "")
    return view, int(row) if is_key(row) else None


def _record(view: SavedView, key: int) -> str:
    model: Any = model_of(view)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return f"{reverse(name, args=[key])}?{urlencode({KEPT_FILTERS: f'{VIEW}={view.pk}'})}"


def _list(view: SavedView) -> str:
    model: Any = model_of(view)
    return f"{reverse(f'admin:{model._meta.app_label}_{model._meta.model_name}_changelist')}?{VIEW}={view.pk}"

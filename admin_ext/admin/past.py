"""Lists and records as of an instant.

The page is the page of now, made and rendered while the past is read, where nobody may change anything; its links carry
the instant on. What changed between two instants, and one record at two moments, are pages of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import INPUT_CLASSES

from admin_ext.admin.instants import (
    AS_OF,
    address_of_now,
    asked_instant,
    carried_links,
    for_input,
    told,
    written,
)
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.past import PastNotThere, as_of, instant_looked_at
from admin_ext.filtering.instants import InstantNotUsable


def in_its_time(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view of a ModelAdmin that shows the past if its address names an instant."""

    @functools.wraps(view)
    def shown(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if AS_OF not in request.GET:
            return _with_controls(self, request, view(self, request, *args, **kwargs))
        try:
            instant = self.check_past(request)
            with as_of(instant):
                response = _with_controls(self, request, view(self, request, *args, **kwargs))
                # Templates read rows as they are rendered.
                return response.render() if isinstance(response, TemplateResponse) else response
        except (InstantNotUsable, PastNotThere) as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(address_of_now(request))

    return shown


def _with_controls(model_admin: Any, request: HttpRequest, response: Any) -> Any:
    if isinstance(response, TemplateResponse) and model_admin.has_past:
        response.context_data = {**(response.context_data or {}), "past": model_admin.past_context(request)}
    return response


class PastMixin:
    """For ModelAdmins: what the pages of a model with a past need."""

    model: type[models.Model]
    opts: Any

    @property
    def has_past(self) -> bool:
        return getattr(self.model, "has_past", False)

    @property
    def readonly_preprocess_fields(self) -> dict[str, Any]:
        return carried_links(self.model)

    def check_past(self, request: HttpRequest) -> datetime:
        """The instant that the address asks for. Raises InstantNotUsable."""
        if not self.has_past:
            name = str(self.opts.verbose_name_plural).capitalize()
            raise InstantNotUsable(f"{name} cannot be looked at as of an instant. This is now.")
        if request.method not in ("GET", "HEAD"):
            raise InstantNotUsable("The past cannot be changed. This is now.")
        instant = asked_instant(request)
        if instant is None:
            raise InstantNotUsable("No instant was given. This is now.")
        return instant

    def past_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the templates show: the banner in the past, and the way there."""
        instant = instant_looked_at()
        return {
            "instant": instant,
            "told": told(instant) if instant else "",
            "begins": _beginning(instant) if instant else "",
            "zone": timezone.get_current_timezone_name(),
            "now": address_of_now(request),
            "value": for_input(instant) if instant else "",
            "latest": for_input(timezone.now()),
            "input_classes": " ".join(INPUT_CLASSES),
            "kept": [
                (name, value) for name, values in request.GET.lists() for value in values if name not in (AS_OF, "p")
            ],
        }

    def past_of(self, request: HttpRequest, row: models.Model) -> dict[str, Any] | None:
        """The way from the history of a record to the record as of an instant."""
        if not self.has_past:
            return None
        return {**self.past_context(request), "kept": [], "action": self._change_url(row)}

    def get_preserved_filters(self, request: HttpRequest) -> str:
        """What the links of a list and a record carry on."""
        preserved = super().get_preserved_filters(request)
        instant = instant_looked_at()
        if instant is None:
            return preserved
        return "&".join(part for part in (preserved, urlencode({AS_OF: written(instant)})) if part)


def _beginning(instant: datetime) -> str:
    """When the record begins, if it does so after `instant`: an empty list then means nothing."""
    first = ChangeSet.objects.order_by("pk").values_list("started_at", flat=True).first()
    return told(first) if first and first > instant else ""

"""Instants in addresses: `?_asof=2026-03-31T12:00`, read from what a person wrote and carried on by links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from admin_ext.audit.past import instant_looked_at
from admin_ext.filtering.instants import parse_instant

AS_OF, SINCE, UNTIL, ROWS = "_asof", "_since", "_until", "_rows"
# Parameters of a list's address that are no filters.
PARAMETERS = frozenset({AS_OF, SINCE, UNTIL, ROWS})
KEPT_FILTERS = "_changelist_filters"


def asked_instant(request: HttpRequest) -> datetime | None:
    """The instant that the address asks for; None for now. Raises InstantNotUsable."""
    text = request.GET.get(AS_OF, "")
    return parse_instant(text) if text else None


def written(instant: datetime) -> str:
    """The instant in an address: exact, with the offset of the person's zone."""
    local = timezone.localtime(instant)
    return local.isoformat(timespec="auto" if local.second or local.microsecond else "minutes")


def told(instant: datetime) -> str:
    """The instant for people, as exactly as it is meant."""
    local = timezone.localtime(instant)
    exact = "%H:%M:%S.%f" if local.microsecond else "%H:%M:%S" if local.second else "%H:%M"
    return f"{local.day} {local:%B %Y}, {local.strftime(exact)}"


def for_input(instant: datetime) -> str:
    """The instant as the browser's own field takes it."""
    return timezone.localtime(instant).strftime("%Y-%m-%dT%H:%M")


def address_of_now(request: HttpRequest) -> str:
    """The page without its instant, its other parameters kept."""
    left = {name: values for name, values in request.GET.lists() if name not in (AS_OF, "p")}
    if KEPT_FILTERS in left:
        kept = [pair for pair in parse_qsl(left[KEPT_FILTERS][-1]) if pair[0] != AS_OF]
        left[KEPT_FILTERS] = [urlencode(kept)]
    return f"{request.path}?{urlencode(left, doseq=True)}" if left else request.path


def at_instant(address: str, instant: datetime) -> str:
    """The address of a list or record, as of an instant."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode({AS_OF: written(instant)})}"


def in_this_time(address: str) -> str:
    """The address of a list or record, with the instant that is being read."""
    instant = instant_looked_at()
    return address if instant is None else at_instant(address, instant)


def carried_links(model: type[models.Model]) -> dict[str, Callable[[Any], Any]]:
    """unfold's `readonly_preprocess_fields`: in the past, links to related records lead to them as they were."""
    if instant_looked_at() is None:
        return {}
    return {
        field.name: _carry
        for field in model._meta.fields
        if isinstance(field, models.ForeignKey) and getattr(field.related_model, "has_past", False)
    }


def _carry(contents: Any) -> Any:
    if not isinstance(contents, SafeString):
        return contents
    carried = in_this_time("/change/")
    return mark_safe(contents.replace('/change/" class', f'{carried}" class'))  # noqa: S308 (was safe before)

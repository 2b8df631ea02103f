"""Related rows: their names, told as far as the person may see them, and the ways to their pages and lists."""

from __future__ import annotations

import copy
import dataclasses
import functools
from html import escape
from typing import Any, TypeVar

from django.apps import apps
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.safestring import SafeString

from admin_ext.admin.instants import in_this_time
from admin_ext.filtering.telling import has_rights, hide_related

__all__ = ["RelatedList", "has_rights", "hide_related", "link", "shown"]

M = TypeVar("M", bound=models.Model)


def shown(row: M, user: Any) -> M:
    """A copy of the row to be named and shown: where its name tells of related rows, only as far as `user` sees them."""
    told = copy.copy(row)
    hide_related([told], user, loaded=False)
    return told


def link(row: Any, text: str = "") -> Any:
    """The name of a row, leading to its page if it has one; None for no row."""
    if not isinstance(row, models.Model):
        return row
    if row.pk is None:  # a line of a form that is no row yet
        return None
    around = _around(row._meta.app_label, row._meta.model_name, get_urlconf(), get_script_prefix())
    if around is None:
        return text or str(row)
    address = f"{around[0]}{row.pk}{around[1]}"
    if getattr(row, "has_past", False):
        address = in_this_time(address)
    told = text or str(row)
    if not isinstance(told, SafeString):
        told = escape(told)
    return SafeString(f'<a href="{escape(address)}" class="text-link">{told}</a>')


@functools.cache
def _around(app: str, model: str, urlconf: Any, prefix: str) -> tuple[str, str] | None:
    """What stands before and after the key in the addresses of a model's pages: a list links to hundreds of rows."""
    try:
        before, _, after = reverse(f"admin:{app}_{model}_change", args=["KEY"]).rpartition("KEY")
    except NoReverseMatch:
        return None
    return before, after


@dataclasses.dataclass(frozen=True)
class RelatedList:
    """On the page of a record: the way to the list of what hangs from it, narrowed down to it."""

    label: str
    model: str
    parameter: str
    icon: str = "table_rows"

    def button(self, request: HttpRequest, row: models.Model, site: Any) -> dict[str, Any] | None:
        """None for those who may not open the list."""
        model = apps.get_model(self.model)
        registered = site._registry.get(model)
        if registered is None or not registered.has_view_permission(request):
            return None
        address = reverse(f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_changelist")
        address = in_this_time(f"{address}?{self.parameter}={row.pk}")
        return {"label": self.label, "icon": self.icon, "url": address}

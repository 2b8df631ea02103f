"""Related rows: their names, told as far as the person may see them, and the ways to their pages and lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from admin_ext.access.fields import has_policies, veil
from admin_ext.access.hidden import NotVisible
from admin_ext.access.rights import access_of, restrict
from admin_ext.access.veils import Veiled
from admin_ext.admin.instants import in_this_time
from admin_ext.models import Record


def has_rights(model: type[models.Model]) -> bool:
    """Whether rows of `model` are told within rights; a content type or a person's name is told to everybody."""
    return hasattr(model, "scopes") or hasattr(model, "natural_key_fields")


def hide_related(rows: Iterable[models.Model], user: Any, *, loaded: bool = True, depth: int = 3) -> None:
    """Put a stand-in for every related row that `user` may not see: of those that are loaded, or of all; and for every
    value that they may not read; and so on for the related rows of those that are loaded. From then on the rows are for
    showing, not for saving. Costs at most one query for each foreign key. Rows of the platform name people alone, and
    who did something is told to everybody.
    """
    rows = list({id(row): row for row in rows}.values())
    if not rows or not isinstance(rows[0], Record):
        return
    for field in rows[0]._meta.fields:
        if not isinstance(field, models.ForeignKey) or not has_rights(field.related_model):
            continue
        told = [row for row in rows if _refers(row, field) and (not loaded or field.is_cached(row))]
        visible = _visible(field.related_model, {getattr(row, field.attname) for row in told}, user)
        for row in told:
            if getattr(row, field.attname) not in visible:
                stand_in: Any = NotVisible()
                field.set_cached_value(row, stand_in)
        if not loaded and depth and has_policies(user):
            # Read later, by a template, they would come with all their values.
            models.prefetch_related_objects([row for row in told if not field.is_cached(row)], field.name)
        known = [field.get_cached_value(row) for row in told if field.is_cached(row)]
        if depth:
            rest = [each for each in known if isinstance(each, models.Model)]
            hide_related(rest, user, loaded=loaded, depth=depth - 1)
    veil(rows, user)


def _refers(row: Any, field: models.ForeignKey) -> bool:
    key = getattr(row, field.attname)
    return bool(key) and not isinstance(key, Veiled)


def _visible(model: type[models.Model], keys: set[int], user: Any) -> set[int]:
    if not keys or user.is_superuser or not access_of(user).where(model, "view"):
        return keys
    return set(restrict(model._default_manager.filter(pk__in=keys), user, "view").values_list("pk", flat=True))


def link(row: Any, text: str = "") -> Any:
    """The name of a row, leading to its page if it has one; None for no row."""
    if not isinstance(row, models.Model):
        return row
    try:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return text or str(row)
    if getattr(row, "has_past", False):
        address = in_this_time(address)
    return format_html('<a href="{}" class="text-link">{}</a>', address, text or row)


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

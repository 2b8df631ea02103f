"""One record at two moments, side by side: its fields and those of the rows in its inlines."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db import models
from django.forms.models import _get_foreign_key
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES

from admin_ext.access.rights import restrict
from admin_ext.admin.instants import for_input, told, written
from admin_ext.admin.related import shown
from admin_ext.audit.past import PastNotThere, as_of
from admin_ext.filtering.instants import InstantNotUsable, parse_instant
from admin_ext.filtering.telling import Told, differences, in_short, tell

MOMENTS = 100
# Rows of one inline at one moment.
MOST_PARTS = 1000


@dataclasses.dataclass(frozen=True)
class Part:
    """An inline: its model, and the foreign key by which its rows hang from the record."""

    model: type[models.Model]
    foreign_key: str


class CompareViewMixin:
    """For ModelAdmins of models with a past: `<object_id>/compare/`."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_compare"
        view = self.admin_site.admin_view(self.compare_view)
        return [path("<path:object_id>/compare/", view, name=name), *super().get_urls()]

    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The record at the moments `a` and `b`; the last two of its life unless said."""
        row = self.get_object(request, object_id) if self.has_past else None
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        parts = [
            Part(inline.model, _get_foreign_key(self.model, inline.model, fk_name=inline.fk_name).name)
            for inline in self.get_inline_instances(request, row)
            if getattr(inline.model, "has_past", False)
        ]
        moments = _moments(row, parts)
        named = shown(row, request.user)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": named,
            "object": named,
            "title": f"Compare: {named}",
            "moments": moments,
            "zone": timezone.get_current_timezone_name(),
            "latest": for_input(timezone.now()),
            "input_classes": " ".join(INPUT_CLASSES),
            "select_classes": " ".join(SELECT_CLASSES),
        }
        try:
            chosen = _chosen(request, moments)
            context |= _comparison(self.model, row.pk, parts, *chosen, reader=request.user)
        except (InstantNotUsable, PastNotThere) as refusal:
            messages.error(request, str(refusal))
        return TemplateResponse(request, "admin_ext/compare.html", context)


def _moments(row: models.Model, parts: list[Part]) -> list[dict[str, str]]:
    """When the record or its parts were changed, newest first: the instant after each change set, with who and what."""
    found: dict[Any, tuple[datetime, Any]] = {}
    conditions: list[tuple[Any, dict[str, Any]]] = [(type(row), {"id": row.pk})]
    conditions += [(part.model, {f"{part.foreign_key}_id": row.pk}) for part in parts]
    for model, condition in conditions:
        history = model.history.filter(**condition).order_by("-history_id")
        for each in history.select_related("change_set__actor")[:MOMENTS]:
            act = each.change_set_id or each.xid
            if act not in found or each.history_date > found[act][0]:
                found[act] = (each.history_date, each.change_set)
    newest = sorted(found.values(), key=lambda pair: pair[0], reverse=True)[:MOMENTS]
    return [{"value": written(at), "label": " · ".join([told(at), *_who_and_what(act)])} for at, act in newest]


def _who_and_what(change_set: Any) -> list[str]:
    if change_set is None:
        return []
    return [str(each) for each in (change_set.actor, change_set.verb or change_set.get_door_display()) if each]


def _chosen(request: HttpRequest, moments: list[dict[str, str]]) -> tuple[datetime, datetime]:
    """The earlier and the later moment asked for. Raises InstantNotUsable."""
    given = [request.GET.get(f"{name}_at") or request.GET.get(name) for name in ("a", "b")]
    latest = moments[0]["value"] if moments else written(timezone.now())
    b = parse_instant(given[1] or latest)
    if given[0]:
        a = parse_instant(given[0])
    elif len(moments) > 1:
        a = parse_instant(moments[1]["value"])
    else:
        # Before its only change there was nothing.
        a = b - timedelta(microseconds=1)
    return min(a, b), max(a, b)


def _comparison(
    model: type[models.Model], key: int, parts: list[Part], a: datetime, b: datetime, *, reader: Any
) -> dict[str, Any]:
    earlier, later = (_stood(model, key, parts, at, reader) for at in (a, b))
    whole = differences(model, earlier[0].get(key), later[0].get(key), every=True)
    return {
        "a": {"value": written(a), "told": told(a), "there": key in earlier[0]},
        "b": {"value": written(b), "told": told(b), "there": key in later[0]},
        "fields": [_field(each) for each in whole],
        "parts": [
            _part(part.model, before, after)
            for part, before, after in zip(parts, earlier[1], later[1], strict=True)
            if before or after
        ],
    }


def _stood(
    model: type[models.Model], key: int, parts: list[Part], at: datetime, reader: Any
) -> tuple[dict[int, Told], list[dict[int, Told]]]:
    """The record and the rows of its parts at an instant, as far as the reader may see them."""
    with as_of(at):
        row = tell(model, restrict(model._base_manager.filter(pk=key), reader), reader=reader)
        hanging = []
        for part in parts:
            rows = restrict(part.model._base_manager.filter(**{part.foreign_key: key}), reader)
            hanging.append(tell(part.model, rows.order_by("pk")[:MOST_PARTS], reader=reader))
        return row, hanging


def _part(model: type[models.Model], before: dict[int, Told], after: dict[int, Told]) -> dict[str, Any]:
    rows, same = [], 0
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        changed = differences(model, old, new)
        if not changed and old and new:
            same += 1
            continue
        outcome, colour = (
            ("added", "success") if old is None else ("removed", "danger") if new is None else ("changed", "info")
        )
        name = (new or old).name  # type: ignore[union-attr]
        rows.append({"name": name, "outcome": outcome, "colour": colour, "fields": [_field(each) for each in changed]})
    return {"name": str(model._meta.verbose_name_plural).capitalize(), "rows": rows, "same": same}


def _field(each: Any) -> dict[str, Any]:
    return {
        "label": each.label,
        "before": in_short(each.before),
        "after": in_short(each.after),
        "differs": each.differs,
    }

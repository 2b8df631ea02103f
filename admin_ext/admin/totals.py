"""Sums below a list: of the rows of this page always, of all rows when somebody asks for them."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Sum
from django.http import HttpRequest

from admin_ext.access.fields import treatment_of
from admin_ext.access.veils import Veiled
from admin_ext.admin.amounts import money
from admin_ext.admin.changelist import TOTALS
from admin_ext.filtering.patience import TookTooLong, within

PATIENCE_MS = 5_000
MOST_UNITS = 12


@dataclasses.dataclass(frozen=True)
class Totals:
    """`sums` by label, each amount in words; of this page, or of all rows."""

    sums: list[tuple[str, str]]
    of_all: bool
    too_long: bool
    ask: str
    """The address that sums all rows; "" when they are."""


def totals_of(model_admin: Any, request: HttpRequest, changelist: Any) -> Totals | None:
    """None for a list without columns to sum, or none that the person may read."""
    columns = _summed(model_admin, request, changelist)
    if not columns or not changelist.result_list:
        return None
    asked, too_long = request.GET.get(TOTALS) == "all", False
    sums: list[tuple[str, str]] = []
    if asked:
        try:
            with within(PATIENCE_MS):
                sums = [(label, _in_words(_of_all(changelist.queryset, *what))) for label, what in columns.items()]
        except TookTooLong:
            too_long = True
    if not asked or too_long:
        sums = [(label, _in_words(_of_page(changelist.result_list, *what))) for label, what in columns.items()]
    of_all = asked and not too_long
    ask = "" if asked else changelist.get_query_string({TOTALS: "all"})
    return Totals([(label, told) for label, told in sums if told], of_all, too_long, ask)


def _summed(model_admin: Any, request: HttpRequest, changelist: Any) -> dict[str, tuple[str, str]]:
    """The columns that are shown and declared to be summed, by label: their paths, and those of their units."""
    offered, model = model_admin.offered_columns(request), model_admin.model
    found = {}
    for entry in changelist.list_display:
        column = offered.get(entry if isinstance(entry, str) else getattr(entry, "__name__", ""))
        if column is None or column.path not in model_admin.list_totals:
            continue
        unit = model_admin.list_totals[column.path]
        if not any(path and treatment_of(request.user, model, path) for path in (column.path, unit)):
            found[column.label] = (column.path, unit)
    return found


def _of_page(rows: Any, path: str, unit: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        value = getattr(row, path)
        if value is not None and not isinstance(value, Veiled):
            of = str(getattr(row, unit)) if unit else ""
            found[of] = found.get(of, 0) + value
    return found


def _of_all(rows: models.QuerySet, path: str, unit: str) -> dict[str, Any]:
    if rows.query.distinct:  # a row that is found twice counts once
        rows = rows.model._default_manager.filter(pk__in=rows.order_by().values("pk"))
    rows = rows.order_by().select_related(None)
    if not unit:
        return {"": rows.aggregate(total=Sum(path))["total"]}
    return dict(rows.values(unit).annotate(_total=Sum(path)).order_by(unit).values_list(unit, "_total"))


def _in_words(sums: dict[str, Any]) -> str:
    told = [
        str(money(total, unit)) if isinstance(total, Decimal) else f"{total:,} {unit}".rstrip()
        for unit, total in sorted(sums.items())[:MOST_UNITS]
        if total is not None
    ]
    return " + ".join(told) + (" + …" if len(sums) > MOST_UNITS else "")

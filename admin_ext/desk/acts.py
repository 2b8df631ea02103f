"""What one act did: how many rows of which models, and those rows page by page, as far as the reader may see them."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.db import models

from admin_ext.audit.acts import rows_by_model
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.records import Branch, Recorded, history_table, read
from admin_ext.desk.telling import RowChange, Teller
from admin_ext.desk.visibility import visible

FIRST = 10
PAGE = 100


@dataclasses.dataclass
class Touched:
    """The rows of one model that an act wrote. `hidden` counts those of `rows`' page that the reader may not see."""

    model: type[models.Model]
    counts: dict[str, int]
    rows: list[RowChange] = dataclasses.field(default_factory=list)
    hidden: int = 0
    more: int | None = None

    @property
    def label(self) -> str:
        return self.model._meta.label

    @property
    def name(self) -> str:
        return str(self.model._meta.verbose_name_plural).capitalize()

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def touched_by(change_set: ChangeSet, *, user: Any) -> list[Touched]:
    """Every model that the act touched, each with its first rows."""
    counts = rows_by_model(change_set)
    found = [Touched(model, counts[model]) for model in tracked_models() if model in counts]
    rows = read([_branch(each.model, change_set, 0, FIRST + 1) for each in found])
    by_model: dict[Any, list[Recorded]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)
    for each in found:
        _fill(each, by_model.get(each.model, []), FIRST)
    _tell(found, by_model, user)
    return found


def rows_of_act(change_set: ChangeSet, model: type[models.Model], *, user: Any, after: int = 0) -> Touched:
    """A page of the rows of one model that the act wrote, after the history row numbered `after`."""
    touched = Touched(model, rows_by_model(change_set, [model]).get(model, {}))
    rows = read([_branch(model, change_set, after, PAGE + 1)])
    by_model = {model: rows}
    _fill(touched, rows, PAGE)
    _tell([touched], by_model, user)
    return touched


def _fill(touched: Touched, rows: list[Recorded], size: int) -> None:
    rows.sort(key=lambda row: row.history_id)
    if len(rows) > size:
        del rows[size:]
        touched.more = rows[-1].history_id


def _tell(found: list[Touched], by_model: dict[Any, list[Recorded]], user: Any) -> None:
    rows = [row for each in found for row in by_model.get(each.model, [])]
    told: dict[Any, list[RowChange]] = {}
    for change in Teller(user).tell(visible(rows, user)):
        told.setdefault(change.recorded.model, []).append(change)
    for each in found:
        each.rows = told.get(each.model, [])
        each.hidden = len(by_model.get(each.model, [])) - len(each.rows)


def _branch(model: type[models.Model], change_set: ChangeSet, after: int, limit: int) -> Branch:
    return Branch(
        model,
        f"FROM {history_table(model)} h WHERE h.change_set_id = %s AND h.history_id > %s "
        f"ORDER BY h.history_id LIMIT {limit}",
        [change_set.pk, after],
    )

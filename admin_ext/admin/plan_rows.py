"""The rows of a plan as its reviewer asks for them and as they are shown: a page at a time, never all of them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.models import Q
from django.http import HttpRequest, QueryDict

from admin_ext.access.fields import FieldRights, told
from admin_ext.access.fields import fields as field_rights
from admin_ext.admin.plan_entities import chosen_model, planned_names
from admin_ext.admin.values import Names, in_words, names_of
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.plans.correcting import FAILED, column_of
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.relations import ends_of
from admin_ext.plans.rows import told_errors
from admin_ext.transfers.cells import as_shown
from admin_ext.transfers.entities import is_flat
from admin_ext.transfers.failures import reads_cells
from admin_ext.transfers.lines import lines_of
from admin_ext.transfers.rechecking import positions_of

PAGE = 50
# Columns with an error are looked for among as many failed rows.
LOOKED_AT = 20_000
COLOURS = {
    "create": "success",
    "update": "info",
    "delete": "warning",
    "unchanged": "default",
    "refused": "danger",
    "invalid": "danger",
    "drifted": "warning",
    "left": "warning",
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which rows of a plan are looked at."""

    outcome: str = ""
    of: str = ""
    """Of which model, in a plan of several entities."""
    column: str = ""
    term: str = ""
    after: int = 0

    @classmethod
    def from_request(cls, request: HttpRequest, plan: Plan) -> Asked:
        given = request.GET
        after = given.get("after", "")
        return cls(
            outcome=given.get("rows", "") if given.get("rows") in Action.values else "",
            of=chosen_model(plan, request),
            column=given.get("column", "").replace("\x00", ""),
            term=given.get("q", "").strip().replace("\x00", ""),
            after=int(after) if after.isdecimal() and len(after) < 18 else 0,
        )

    def address(self, **changes: Any) -> str:
        """The query of the same rows, or of others."""
        asked = dataclasses.replace(self, **{"after": 0, **changes})
        query = QueryDict(mutable=True)
        query.update(
            {
                name: str(value)
                for name, value in (
                    ("rows", asked.outcome),
                    ("of", asked.of),
                    ("column", asked.column),
                    ("q", asked.term),
                    ("after", asked.after),
                )
                if value
            }
        )
        return "?" + query.urlencode()

    def rows(self, plan: Plan, columns: list[str]) -> models.QuerySet[PlanRow]:
        """`columns` are those with an error that the reader is told of: another one finds nothing."""
        rows = plan.rows.all()
        if self.outcome:
            rows = rows.filter(Q(outcome=self.outcome) | Q(outcome="", action=self.outcome))
        if self.of:
            rows = rows.filter(model=self.of)
        if self.column:
            rows = rows.filter(Q(action__in=FAILED) | ~Q(outcome=""), errors__contains=[{"column": self.column}])
            rows = rows if self.column in columns else rows.none()
        if self.term:
            rows = rows.filter(key__icontains=self.term)
        return rows.order_by("number")


def page_of(asked: Asked, plan: Plan, columns: list[str]) -> tuple[list[PlanRow], int | None, int | None]:
    """The rows of a page, after which number the next begins and the one before it; None where there is none."""
    rows = asked.rows(plan, columns)
    page = list(rows.filter(number__gt=asked.after)[: PAGE + 1])
    later = page[PAGE - 1].number if len(page) > PAGE else None
    earlier = None
    if asked.after:
        before = list(
            rows.filter(number__lte=asked.after).order_by("-number").values_list("number", flat=True)[: PAGE + 1]
        )
        earlier = before[PAGE] if len(before) > PAGE else 0
    return page[:PAGE], later, earlier


def columns_with_errors(plan: Plan, user: Any) -> list[str]:
    """The columns in which failed rows have something wrong, as far as the reader is told of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT model, said ->> 'column', said ->> 'field' FROM (SELECT model, errors FROM plans_planrow "
            "WHERE plan_id = %s AND (action IN ('refused', 'invalid', 'drifted') OR outcome <> '') "
            "AND errors IS NOT NULL ORDER BY number LIMIT %s) failed, jsonb_array_elements(errors) said",
            [plan.pk, LOOKED_AT],
        )
        found = cursor.fetchall()
    told_columns = {
        column
        for model, column, field in found
        if column
        and (field or "") not in field_rights(user, "view", plan.model_of(PlanRow(plan=plan, model=model))).hidden
    }
    return sorted(told_columns)


def shown_rows(rows: list[PlanRow], plan: Plan, user: Any, *, corrects: bool) -> list[dict[str, Any]]:
    """Rows in words: columns by their names, related rows by theirs as far as the person may see them.

    With `corrects`, the cells in which something is wrong come with what is needed to correct them.
    """
    columns: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.model not in columns:
            columns[row.model] = _visible_columns(plan.model_of(row), user, is_beside=bool(row.model))
    pairs = [
        (columns[row.model][column], value)
        for row in rows
        for values in (row.before, row.after)
        for column, value in (values or {}).items()
        if column in columns[row.model]
    ]
    names = names_of(pairs, user)
    names |= planned_names(plan, pairs, names)
    wrong = WrongCells(plan, rows if corrects else [], user)
    return [
        {
            "row": row,
            "kind": str(plan.model_of(row)._meta.verbose_name) if row.model else "",
            "action": row.outcome or row.action,
            "label": Action(row.outcome or row.action).label,
            "colour": COLOURS[row.outcome or row.action],
            "errors": told_errors(row.errors, plan.model_of(row), user),
            "changes": _changes(row, columns[row.model], names, field_rights(user, "view", plan.model_of(row))),
            "is_correctable": wrong.has_cells(row),
            "cells": wrong.of(row),
            "log": correction_log(row, plan, user),
            "is_dropped": row.action == Action.LEFT and "was" in (row.corrections or {}),
        }
        for row in rows
    ]


class WrongCells:
    """The cells that errors of rows speak of: the row's own, or those of the lines that it came from."""

    def __init__(self, plan: Plan, rows: list[PlanRow], user: Any) -> None:
        self.plan, self.user = plan, user
        self.failed = {row.number for row in rows if row.action in FAILED}
        self.keeps_lines = is_flat(plan.parameters.get("mapping"))
        failed = [row for row in rows if row.number in self.failed]
        self.lines = lines_of(plan, failed) if self.keeps_lines else {}
        self.positions = functools.cache(lambda label: positions_of(plan, label))

    def line_of(self, row: PlanRow, error: dict[str, Any]) -> PlanRow | None:
        """Where an error is corrected: in the row itself, or in a line that it came from."""
        if row.raw is not None or not self.keeps_lines:
            return row
        return self.lines.get(error.get("line") or row.line or 0)

    def has_cells(self, row: PlanRow) -> bool:
        return row.number in self.failed and self.line_of(row, {}) is not None

    def of(self, row: PlanRow) -> list[dict[str, Any]]:
        """What is needed to correct them; none that the person may not read."""
        wrong: dict[str, dict[str, Any]] = {}
        for error in row.errors or () if row.number in self.failed else ():
            label, field = error.get("model") or row.model or self.plan.model, error.get("field", "")
            unread = field_rights(self.user, "view", apps.get_model(label)).unread
            line, position = self.line_of(row, error), self._position(label, field, error.get("column", ""))
            if line is not None and position is not None and field not in unread:
                cell = cell_of(line, self.plan, position, of=row)
                wrong[cell["name"]] = cell
        return list(wrong.values())

    def _position(self, label: str, field: str, column: str) -> int | None:
        fields, called = self.positions(label)
        # What is said of a whole line, of one among many, is wrong in no cell of it.
        return fields.get(field, None if self.keeps_lines and not field else called.get(column))


def cell_of(row: PlanRow, plan: Plan, position: int, of: PlanRow | None = None) -> dict[str, Any]:
    """A cell and the name under which it is posted; `of` is the row that came from this line and from others."""
    cells = row.cells
    is_of_many = of is not None and of.number != row.number
    return {
        "name": f"cell-{row.number}-{position}" + (f"-{of.number}" if of and is_of_many else ""),
        "line": row.line if is_of_many else None,
        "column": column_of(plan, position),
        "text": as_shown(cells[position]) if position < len(cells) else "",
        "came": as_shown(row.raw[position]) if row.raw and position < len(row.raw) else "",
        "is_corrected": str(position) in (row.corrections or {}).get("cells", {}),
    }


def correction_log(row: PlanRow, plan: Plan, user: Any) -> list[dict[str, Any]]:
    """What was done to a row before it was applied; texts of cells only to who made the plan."""
    is_told = plan.created_by_id == user.pk and reads_cells(plan, user)
    return [
        {
            **{name: entry.get(name, "") for name in ("name", "did", "at")},
            "column": entry.get("column", "") if is_told else "",
            "before": as_shown(entry.get("before")) if is_told else "",
            "after": entry.get("after", "") if is_told else "",
        }
        for entry in (row.corrections or {}).get("log", ())
    ]


Cells = dict[int, dict[int, str]]


def posted_cells(request: HttpRequest, plan: Plan) -> tuple[Cells, dict[tuple[int, int], int]]:
    """The cells that were sent with another text than they have, by row and position; for those of one of many lines, the
    row that these lines became."""
    sent: dict[int, list[tuple[int, str, int]]] = {}
    for name, text in request.POST.items():
        kind, *places = name.split("-")
        if kind == "cell" and len(places) in (2, 3) and all(each.isdecimal() and len(each) < 18 for each in places):
            number, position, of = (int(each) for each in [*places, "0"][:3])
            sent.setdefault(number, []).append((position, text.replace("\x00", ""), of))
    cells: Cells = {}
    alike: dict[tuple[int, int], int] = {}
    there = {row.number: row.cells for row in plan.rows.filter(number__in=list(sent))}
    for number, of_row in sent.items():
        now = there.get(number)
        for position, text, of in of_row:
            if now is None or text != (as_shown(now[position]) if position < len(now) else ""):
                cells.setdefault(number, {})[position] = text
                if of:
                    alike[number, position] = of
    return cells, alike


def _visible_columns(model: type[models.Model], user: Any, *, is_beside: bool) -> dict[str, Any]:
    """In the order of the model. Beside the plan's own rows, the whole of a part goes without saying; not that of a pair,
    which says nothing else."""
    visible = field_rights(user, "view", model).visible - FOLLOWING_COLUMNS
    if is_beside and not ends_of(model):
        visible -= {getattr(model, "part_of", "")}
    return {field.column: field for field in model._meta.concrete_fields if field.name in visible}


def _changes(row: PlanRow, columns: dict[str, Any], names: Names, rights: FieldRights) -> list[dict[str, str]]:
    # Of a row that goes, what it said.
    after = row.after or dict.fromkeys(row.before or ())
    return [
        {
            "label": str(columns[column].verbose_name).capitalize(),
            "before": told(
                in_words(columns[column], (row.before or {}).get(column), names), columns[column].name, rights
            ),
            "after": told(in_words(columns[column], after[column], names), columns[column].name, rights),
        }
        for column in columns
        if column in after and (row.before is not None or after[column] not in (None, "", False))
    ]

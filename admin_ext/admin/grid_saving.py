"""Saving a grid: many cells of many rows at once, all of them or none, and nobody's edit silently reverted.

A cell says which version of its row the person saw. What they saw stands in the record, so that what they typed is told
apart from what they merely looked at, and what others did since is known: a cell that only they changed is saved, one
that others changed too is a conflict, told with both values, and saves nothing until they chose.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError, models, transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, QueryDict

from admin_ext.access.rights import NotPermitted, OutOfScope, check_inside, restrict
from admin_ext.admin.grid_cells import Cell, Cells, CellWrong, Column, read_cell
from admin_ext.admin.reasons import refuse_silence
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.plans.refusals import DatabaseRefused, told
from admin_ext.services import ReasonMissing, Refused, told_why

# A page of a list never has as many rows; what has is no page of ours.
MOST_ROWS = 500
BIGGEST = 1 << 62
ROW = ""
"""Stands for the row as a whole where something is told of its cells."""
GONE = "It is not there any more, or you may not change it. Open the grid again."
CLOSED = "This cell is not yours to edit."
TOO_OLD = "What you saw of this row is too old to be compared. Open the grid again."


class NotUnderstood(Exception):
    """What was sent is no save of a grid."""


class _NothingSaved(Exception):
    """Takes back what was written so far."""


@dataclasses.dataclass(frozen=True)
class Edit:
    """What a person typed into cells of one row, of which they saw `version`."""

    key: int
    version: int
    cells: dict[str, str]


@dataclasses.dataclass
class Outcome:
    """What came of a save. Nothing was saved when there is an error, a conflict or a missing reason."""

    saved: int = 0
    change_set: int | None = None
    error: str = ""
    reason: str = ""
    errors: dict[int, dict[str, str]] = dataclasses.field(default_factory=dict)
    conflicts: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    """Rows as they are now: version and cells, of those that were saved and of those that others changed."""

    @property
    def is_refused(self) -> bool:
        return bool(self.error or self.reason or self.errors or self.conflicts)

    def refuse(self, key: int, name: str, why: str) -> None:
        self.errors.setdefault(key, {}).setdefault(name, why)


def read_edits(body: bytes) -> tuple[list[Edit], str]:
    """The edits and the reason in what the page sent. Raises NotUnderstood."""
    try:
        sent = json.loads(body)
        edits = [
            Edit(_whole(each["key"]), _whole(each["version"]), {_text(n): _text(v) for n, v in each["cells"].items()})
            for each in sent["rows"]
        ]
        reason = _text(sent.get("reason", "")).replace("\x00", "").strip()
        reason.encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NotUnderstood("What was sent was not understood. Nothing was saved; open the grid again.") from None
    if len(edits) > MOST_ROWS or len({edit.key for edit in edits}) != len(edits):
        raise NotUnderstood(f"A save takes each row once, and at most {MOST_ROWS} rows. Nothing was saved.")
    return edits, reason[:500]


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 < value < BIGGEST:
        raise TypeError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def save_grid(
    model_admin: Any, request: HttpRequest, columns: list[Column], edits: list[Edit], *, reason: str = ""
) -> Outcome:
    """Save all of the edits as one change set, or none and say why."""
    saving = _Saving(model_admin, request, columns)
    outcome = saving.outcome
    verb = f"{model_admin.opts.app_label}.change_{model_admin.opts.model_name}"
    try:
        with told_why(), change_set(actor=request.user, door=Door.GRID, verb=verb, reason=reason) as act:
            saving.save(edits)
            if outcome.is_refused:
                raise _NothingSaved
            refuse_silence()
            outcome.change_set = act.id if outcome.saved else None
    except _NothingSaved:
        pass
    except ReasonMissing as error:
        outcome.reason = str(error)
    except (NotPermitted, Refused, ProtectedError, *DatabaseRefused) as error:
        outcome.error = f"Nothing was saved. {told(error, model_admin.model)}"
    except OperationalError as error:
        if getattr(getattr(error.__cause__, "diag", None), "sqlstate", "") not in ("40P01", "40001"):
            raise
        outcome.error = "Nothing was saved, because somebody saved the same rows at the same moment. Save again."
    if outcome.is_refused:
        outcome.saved, outcome.change_set = 0, None
    # As they are now, whatever was taken back.
    outcome.rows = saving.rows_now(edits)
    return outcome


class _Saving:
    """One save: the rows locked, what was typed told apart from what was seen, each row checked and written."""

    def __init__(self, model_admin: Any, request: HttpRequest, columns: list[Column]) -> None:
        self.model_admin, self.request, self.user = model_admin, request, request.user
        self.model: Any = model_admin.model
        self.columns = {column.name: column for column in columns if column.kind}
        self.all_columns = columns
        self.outcome = Outcome()
        self.forms: dict[Any, Any] = {}

    def save(self, edits: list[Edit]) -> None:
        rows = self._locked(edits)
        cells = Cells(self.all_columns, list(rows.values()), self.user, changeable=set(rows))
        seen = self._as_seen(edits, rows)
        written = []
        for edit in sorted(edits, key=lambda each: each.key):
            row = rows.get(edit.key)
            if row is None:
                self.outcome.refuse(edit.key, ROW, GONE)
            elif edit.key not in seen:
                self.outcome.refuse(edit.key, ROW, TOO_OLD)
            elif self._save_row(edit, row, seen[edit.key], cells.of(row)):
                written.append(edit.key)
        self.outcome.saved = len(written)
        if written and not self.outcome.is_refused:
            self._check_inside(written)

    def rows_now(self, edits: list[Edit]) -> dict[int, dict[str, Any]]:
        rows = list(restrict(self.model._default_manager.filter(pk__in=[e.key for e in edits]), self.user, "view"))
        return cells_of_rows(self.model, self.all_columns, rows, self.user)

    def _locked(self, edits: list[Edit]) -> dict[int, Any]:
        """The rows that the person may change, locked in one order by everybody, as they are now."""
        keys = [edit.key for edit in edits]
        allowed = restrict(self.model._default_manager.filter(pk__in=keys), self.user, "change")
        rows = self.model._default_manager.select_for_update(of=("self",)).filter(pk__in=allowed.values("pk"))
        return {row.pk: row for row in rows.order_by("pk")}

    def _as_seen(self, edits: list[Edit], rows: dict[int, Any]) -> dict[int, Any]:
        """Each row as the person saw it: itself, or what the record has of that version."""
        seen = {
            edit.key: rows[edit.key] for edit in edits if edit.key in rows and rows[edit.key].version == edit.version
        }
        older = [edit for edit in edits if edit.key in rows and edit.key not in seen]
        if not older:
            return seen
        wanted = models.Q()
        for edit in older:
            wanted |= models.Q(id=edit.key, version=edit.version)
        for past in self.model.history.filter(wanted, history_type__in=["+", "~"]).order_by("-history_id"):
            seen[past.id] = past  # the first that had this version is the last to be put here
        return seen

    def _save_row(self, edit: Edit, row: Any, seen: Any, cells: dict[str, Cell]) -> bool:
        """Whether anything is to be written; what is wrong goes into the outcome."""
        mine: dict[str, Any] = {}
        for name, text in edit.cells.items():
            if name not in self.columns or not cells[name].is_editable:
                self.outcome.refuse(edit.key, name if name in self.columns else ROW, CLOSED)
                continue
            try:
                mine[name] = read_cell(self.columns[name], text, self.user)
            except CellWrong as wrong:
                self.outcome.refuse(edit.key, name, str(wrong))
        wanted = self._without_what_is_so(edit.key, mine, row, seen, cells)
        if not wanted:
            return False
        form = self._form(row, wanted)
        if closed := [name for name in wanted if name not in form.fields or form.fields[name].disabled]:
            for name in closed:
                self.outcome.refuse(edit.key, name, CLOSED)
            return False
        if not form.is_valid():
            for name, messages in form.errors.items():
                self.outcome.refuse(edit.key, name if name in wanted else ROW, " ".join(messages))
            return False
        try:
            with transaction.atomic():
                self.model_admin.save_model(self.request, form.save(commit=False), form, True)
        except (NotPermitted, Refused, ValidationError, ProtectedError, *DatabaseRefused) as error:
            self.outcome.refuse(edit.key, ROW, told(error, self.model))
        except DataError:
            self.outcome.refuse(edit.key, ROW, "A value is too long or too large. Shorten it.")
        return True

    def _without_what_is_so(
        self, key: int, mine: dict[str, Any], row: Any, seen: Any, cells: dict[str, Cell]
    ) -> dict[str, Any]:
        """What the person changed; where others changed it to something else since, a conflict as well."""
        wanted = {}
        for name, value in mine.items():
            attname = self.columns[name].field.attname
            before, now = getattr(seen, attname), getattr(row, attname)
            if value in (before, now):
                continue
            wanted[name] = value
            if before != now:
                who = last_writer(row, self.columns[name].field.column)
                self.outcome.conflicts.setdefault(key, {})[name] = {**cells[name].to_json(), "who": who}
        return wanted

    def _form(self, row: Any, values: dict[str, Any]) -> Any:
        """The form of the record with these fields alone, as if they had been typed there."""
        settled = row.settled_fields() if hasattr(row, "settled_fields") else ()
        shape = (tuple(values), tuple(settled))
        if shape not in self.forms:
            self.forms[shape] = self.model_admin.get_form(self.request, row, change=True, fields=list(values))
        form = self.forms[shape](QueryDict(mutable=True), instance=row)
        form.put("record_version", row.version)
        for name, value in values.items():
            if name in form.fields:
                form.put(name, value)
        return form

    def _check_inside(self, keys: list[int]) -> None:
        try:
            check_inside(self.user, self.model, keys, "change")
        except OutOfScope:
            for key in keys:
                try:
                    check_inside(self.user, self.model, [key], "change")
                except OutOfScope as error:
                    self.outcome.refuse(key, ROW, str(error))
            if not self.outcome.errors:
                raise


def cells_of_rows(model: Any, columns: list[Column], rows: list[Any], user: Any) -> dict[int, dict[str, Any]]:
    """Rows that the person may see, for the page: version and cells by key."""
    allowed = restrict(model._default_manager.filter(pk__in=[row.pk for row in rows]), user, "change")
    cells = Cells(columns, rows, user, changeable=set(allowed.values_list("pk", flat=True)))
    return {
        row.pk: {"version": row.version, "cells": {name: cell.to_json() for name, cell in cells.of(row).items()}}
        for row in rows
    }


def last_writer(row: Any, column: str) -> str:
    """Who changed a column of the row last, in words."""
    found: Iterable[Any] = row.history.select_related("change_set__actor").filter(changed__contains=[column])[:1]
    actor = next((each.change_set.actor for each in found if each.change_set), None)
    return str(actor) if actor else "Somebody"

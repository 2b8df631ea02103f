"""The rows of a plan that failed, in the shape they came in, with the reason beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from admin_ext.access.fields import fields
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.rows import told_errors
from admin_ext.transfers.cells import as_shown, from_kept
from admin_ext.transfers.entities import Entities
from admin_ext.transfers.writing import CsvWriter, Dialect, WorkbookWriter

REASON = "reason"
CORRECTED = "corrected"
NAMED = ["row", "kind", "record"]
FAILED = (Action.REFUSED, Action.INVALID, Action.DRIFTED)


def failed_rows(plan: Plan) -> Any:
    """Plan rows that were not and will not be applied, in the order of the file."""
    from django.db.models import Q

    return PlanRow.objects.filter(plan=plan).filter(Q(action__in=FAILED) | Q(outcome__in=FAILED)).order_by("number")


def write_failed_rows(plan: Plan, path: Path, *, reader: Any = None) -> int:
    """Write the failed rows of a plan, in the shape of the file that it read if it read one; returns how many.

    What is wrong is told to `reader`, who made the plan unless said, as far as they may read the values it is about.
    """
    rows = failed_rows(plan)
    if "lines" in plan.parameters:
        # A line is written once, whatever it is about: its groups fail in its own row.
        rows = rows.filter(raw__isnull=False)
    return _write(plan, path, rows, REASON, lambda row: told(row, plan, reader or plan.created_by))


def write_corrected_rows(plan: Plan, path: Path, *, reader: Any = None) -> int:
    """Write the rows that were corrected or dropped at the review, with their cells as they came, and what was done."""
    rows = plan.rows.filter(corrections__isnull=False).order_by("number")
    tells_cells = reads_cells(plan, reader or plan.created_by)
    return _write(plan, path, rows, CORRECTED, lambda row: _which(row, plan) + done_to(row, tells_cells=tells_cells))


def reads_cells(plan: Plan, reader: Any) -> bool:
    """May somebody read all that cells of a plan can hold: every column of each model that its lines are about?"""
    models = {plan.get_model(), *Entities.models_of(plan.parameters.get("mapping"))}
    return not any(fields(reader, "view", model).unread for model in models)


def _which(row: PlanRow, plan: Plan) -> str:
    """What a row is that was made of many lines: it has no cells that would tell."""
    return f"{plan.model_of(row)._meta.verbose_name} {row.key}: " if row.model and row.raw is None else ""


def done_to(row: PlanRow, *, tells_cells: bool) -> str:
    """What was done to a row at the review as one line: who did what, when, and what a cell was and became."""
    said = []
    for entry in (row.corrections or {}).get("log", ()):
        cell = (
            f" {entry['column']}: “{as_shown(entry['before'])}” became “{entry['after']}”" if "column" in entry else ""
        )
        said.append(f"{entry['did']} by {entry['name']} at {entry['at']}{cell}")
    return f"line {row.line}: " * bool(row.line) + "; ".join(said)


def _write(plan: Plan, path: Path, rows: Any, last: str, say: Callable[[PlanRow], str]) -> int:
    detected = plan.parameters.get("detected", {})
    header = [*(plan.header or NAMED), last]
    if detected.get("format") in (None, "csv"):
        encoding = (detected.get("encoding") or "utf-8").replace("_", "-")
        writer: Any = CsvWriter(
            path, header, dialect=Dialect(delimiter=detected.get("delimiter") or ",", encoding=encoding)
        )
    else:
        writer = WorkbookWriter(path, header, sheet_name=f"Rows {last}"[:24])
    with writer as out:
        for row in rows.iterator():
            cells = [from_kept(cell) for cell in row.raw or []] if plan.header else named(plan, row)
            cells += [None] * (len(header) - 1 - len(cells))
            out.write([*cells, say(row)])
    return out.rows


def named(plan: Plan, row: PlanRow) -> list[str]:
    """A row that did not come from a file: its number, what it is and by what name it is known."""
    return [str(row.number), str(plan.model_of(row)._meta.verbose_name), row.key]


def suffix(plan: Plan) -> str:
    """The extension of the file of failed rows."""
    return ".csv" if plan.parameters.get("detected", {}).get("format") in (None, "csv") else ".xlsx"


def told(row: PlanRow, plan: Plan, reader: Any) -> str:
    """A row's errors as one line: where, what, what to do."""
    parts = []
    for error in told_errors(row.errors, plan.model_of(row), reader):
        value = f" “{error['value']}”" if error.get("value") else ""
        where = f"{error['column']}{value}: " if error.get("column") else ""
        parts.append(f"{where}{error['message']} {error.get('advice', '')}".strip())
    return f"line {row.line}: " * bool(row.line) + " ".join(parts)

"""The lines of a flat file behind a row that many of them are about: where their cells stand, and which say the same."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.db.models.fields.json import KT

from admin_ext.plans.correcting import RowNotCorrectable
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.transfers.cells import as_shown, from_kept
from admin_ext.transfers.conditions import Holds, compile_condition
from admin_ext.transfers.entities import Entities, Entity
from admin_ext.transfers.entity_rows import LineKey
from admin_ext.transfers.mapping import place_in

# So many lines are corrected at once where a row is reviewed; whoever has more corrects the file.
MOST = 5_000


def lines_alike(plan: Plan, row: PlanRow, line: PlanRow, position: int) -> list[PlanRow]:
    """Of the lines that made `row`, those that say the same as `line` in a cell; none where `line` did not make it.

    What a search of the database does not find (days of a workbook beside days as text) is left to the lines themselves:
    they say then that they disagree. Raises RowNotCorrectable where there are too many.
    """
    if row.raw is not None or line.line not in (row.line, *_told_lines(row)):
        return []
    wholes = Entities.from_json(plan.parameters["mapping"]).wholes
    made = ((each, _condition(plan, each)) for each in wholes if each.label == row.model)
    entity, holds = next(((each, holds) for each, holds in made if holds(_cells(line))), (None, None))
    if entity is None or holds is None:
        return []
    key = LineKey(plan.header, entity.group_by)
    wanted, said = key(_cells(line)), _text(line, position)
    found = []
    for each in _candidates(plan, line, key.places):
        if _text(each, position) == said and key(_cells(each)) == wanted and holds(_cells(each)):
            found.append(each)
        if len(found) > MOST:
            raise RowNotCorrectable(f"More than {MOST:,} lines say “{said}” there. Correct the file, and import that.")
    return found


def lines_of(plan: Plan, rows: list[PlanRow]) -> dict[int, PlanRow]:
    """The lines that the errors of rows speak of, by their place in the file; for rows that have no cells themselves."""
    wanted = {line for row in rows if row.raw is None for line in (row.line, *_told_lines(row)) if line}
    return {row.line: row for row in plan.rows.filter(raw__isnull=False, line__in=wanted)} if wanted else {}


def _told_lines(row: PlanRow) -> list[Any]:
    return [error.get("line") for error in row.errors or ()]


def _condition(plan: Plan, entity: Entity) -> Holds:
    return compile_condition(entity.when, lambda column: place_in(plan.header, [column], "a condition"))


def _candidates(plan: Plan, line: PlanRow, places: list[int]) -> Any:
    """Lines that may be of the same group: found by what stands in the cells that make one, as they came."""
    rows = plan.rows.filter(raw__isnull=False).exclude(action=Action.LEFT)
    cells, same = line.cells, Q()
    for place in places:
        kept = cells[place] if place < len(cells) else None
        name = f"told_{place}"
        rows = rows.annotate(**{name: KT(f"raw__{place}")})
        if kept not in (None, ""):
            same &= Q(**{f"{name}__contains": str(from_kept(kept)).strip()})
    return rows.filter(same | Q(corrections__isnull=False)).order_by("number").iterator()


def _cells(line: PlanRow) -> list[Any]:
    return [from_kept(cell) for cell in line.cells]


def _text(line: PlanRow, position: int) -> str:
    cells = line.cells
    return as_shown(cells[position]).strip() if position < len(cells) else ""

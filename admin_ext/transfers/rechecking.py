"""Rows of an import compared anew, from the cells that the plan kept: the file is not read again."""

from __future__ import annotations

from typing import Any

from django.db.models import IntegerField, Max
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from admin_ext.plans.differ import Proposal
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.rows import DraftRow, plain, problem
from admin_ext.transfers.cells import from_kept
from admin_ext.transfers.comparing import differ_of
from admin_ext.transfers.mapping import Mapping
from admin_ext.transfers.resources import resource_for

# Rows that stand in the plan with what they would write, or that nothing is to be written to.
STANDING = (Action.CREATE, Action.UPDATE, Action.UNCHANGED)


def recheck_rows(plan: Plan, rows: list[PlanRow], actor: Any) -> list[DraftRow]:
    """A draft for each row, by the plan's own mapping, beside the rows that stand in the plan already."""
    mapping = Mapping.from_json(plan.parameters["mapping"], resource=plan.model)
    declared = resource_for(plan.model)
    extractors = mapping.extractors(
        plan.header, actor=actor, is_text=plan.parameters.get("detected", {}).get("format") in (None, "csv")
    )
    differ = differ_of(mapping, actor=actor)
    proposals, drafts = [], []
    for row in rows:
        cells = _fitted(row, len(plan.header))
        if cells is None:
            drafts.append(_still_broken(row, len(plan.header)))
            continue
        proposal = Proposal(number=row.number, line=row.line, values={})
        for name, extract in extractors.items():
            value, error = extract(cells)
            if error:
                label = mapping.labels.get(name, name)
                proposal.errors.append(problem(error[0], column=label, value=value, advice=error[1], field=name))
            else:
                proposal.values[name] = value
        proposals.append(proposal)
    drafts += differ.diff(proposals, actor=actor) if proposals else []
    others = plan.rows.filter(action__in=STANDING).exclude(number__in=[row.number for row in rows])
    _settle_keys(drafts, others, mapping, declared.get_model())
    _settle_sequences(drafts, others, mapping, declared.get_model())
    return drafts


def positions_of(plan: Plan, label: str = "") -> tuple[dict[str, int], dict[str, int]]:
    """Where columns stand in the file: those of the fields of a model, by name, and all by what the file calls them.

    The model is that of the label, or the plan's own.
    """
    called = {name: position for position, name in reversed(list(enumerate(plan.header)))}
    folded = {name.casefold(): position for name, position in called.items()}
    mapping = plan.parameters.get("mapping", {})
    entities = [each for each in mapping.get("entities", ()) if each["resource"] == (label or plan.model)]
    fields: dict[str, int] = {}
    for name, rule in (rule for each in entities or [mapping] for rule in each.get("columns", {}).items()):
        for alias in (rule.get("from"), *rule.get("aliases", ())):
            position = folded.get(str(alias).casefold())
            if alias and position is not None:
                fields.setdefault(name, position)
                break
    return fields, called


def _fitted(row: PlanRow, width: int) -> list[Any] | None:
    """The cells of a row, as many as the header has. Those beyond it must have been emptied, missing ones corrected."""
    cells = [from_kept(cell) for cell in row.cells]
    if any(cell not in (None, "") for cell in cells[width:]) or (len(cells) < width and not row.corrections):
        return None
    return cells[:width] + [None] * (width - len(cells))


def _still_broken(row: PlanRow, width: int) -> DraftRow:
    said = problem(
        f"It has {len(row.cells)} cells where the header has {width}.",
        advice="Correct the file, or drop the row.",
    )
    return DraftRow(number=row.number, line=row.line, action=Action.INVALID, key=row.key, errors=[said])


def _settle_keys(drafts: list[DraftRow], others: Any, mapping: Mapping, model: Any) -> None:
    """One plan writes a row once: who names one that another row of the plan names already is told which."""
    columns = [model._meta.get_field(name).column for name in mapping.key]
    creates = [draft for draft in drafts if draft.action == Action.CREATE]
    made = _standing(others, columns, creates).values_list(*_names(columns), "number")
    taken: dict[Any, int] = {tuple(key): number for *key, number in made.order_by("-number")}
    targets = [draft.target_id for draft in drafts if draft.target_id and draft.action in STANDING]
    found: dict[Any, int] = dict(
        others.filter(target_id__any_of=targets).order_by("-number").values_list("target_id", "number")
    )
    for draft in drafts:
        first = None
        if draft.action == Action.CREATE:
            first = taken.get(_texts(draft, columns))
        elif draft.action in STANDING:
            first = found.get(draft.target_id)
        if first is not None:
            label = " and ".join(mapping.labels.get(name, name) for name in mapping.key)
            said = problem(
                f"The same {label} stands in row {first} already.",
                column=label,
                value=draft.key,
                advice="Keep one of the rows.",
            )
            draft.action, draft.errors, draft.before, draft.after = Action.INVALID, [said], None, None


def _settle_sequences(drafts: list[DraftRow], others: Any, mapping: Mapping, model: Any) -> None:
    """A new row is numbered after those that the plan numbers in the same whole."""
    creates = sorted((each for each in drafts if each.action == Action.CREATE), key=lambda each: each.number)
    for name, within in mapping.sequences.items():
        column = model._meta.get_field(name).column
        columns = [model._meta.get_field(each).column for each in within]
        numbered = _standing(others, columns, creates).order_by().values_list(*_names(columns))
        last = {
            tuple(whole): number
            for *whole, number in numbered.annotate(last=Max(Cast(KT(f"after__{column}"), IntegerField())))
        }
        for draft in creates:
            assert draft.after is not None
            whole = _texts(draft, columns)
            draft.after[column] = last[whole] = max(draft.after[column], (last.get(whole) or 0) + 1)


def _standing(others: Any, columns: list[str], creates: list[DraftRow]) -> Any:
    """The new rows of the plan that agree with any of the drafts in the first of the columns: one scan for all."""
    rows = others.filter(action=Action.CREATE)
    rows = rows.annotate(
        **{name: KT(f"after__{column}") for name, column in zip(_names(columns), columns, strict=True)}
    )
    return rows.filter(place_0__in={_texts(draft, columns)[0] for draft in creates})


def _names(columns: list[str]) -> list[str]:
    return [f"place_{i}" for i in range(len(columns))]


def _texts(draft: DraftRow, columns: list[str]) -> tuple[str | None, ...]:
    """Values as the database gives them out of JSON as texts."""
    assert draft.after is not None
    values = plain({column: draft.after.get(column) for column in columns}) or {}
    texts = {column: str(value).lower() if isinstance(value, bool) else str(value) for column, value in values.items()}
    return tuple(None if values[column] is None else texts[column] for column in columns)

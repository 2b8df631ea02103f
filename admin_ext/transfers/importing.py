"""Imports: a file and a mapping as the source of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import models
from django.utils import timezone

from admin_ext.access.fields import fields
from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Door
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import JobFailed, Run
from admin_ext.jobs.services import store_file
from admin_ext.plans.differ import Differ, Proposal
from admin_ext.plans.making import BATCH, Source, register_source, submit_plan
from admin_ext.plans.models import Action, Plan, PlanRow
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.transfers.again import told_difference
from admin_ext.transfers.cells import as_kept
from admin_ext.transfers.comparing import differ_of
from admin_ext.transfers.entities import Entities, check_mapping, is_flat
from admin_ext.transfers.flat import draft_flat
from admin_ext.transfers.lines import lines_alike
from admin_ext.transfers.mapping import Extractor, Mapping, MappingNotUsable
from admin_ext.transfers.models import Profile
from admin_ext.transfers.reading import FileNotReadable, Limits, Row, Table, in_batches, open_table, read_ahead
from admin_ext.transfers.rechecking import recheck_rows
from admin_ext.transfers.resources import resource_for
from admin_ext.transfers.together import tally


class ColumnNotYours(NotPermitted):
    """A file brings a column that is hidden from who imports it, or masked for them."""


def check_columns(actor: Any, model: type[models.Model], columns: Iterable[str]) -> None:
    """Raises ColumnNotYours. A column that is only read is let in: a row that would change it is refused by itself."""
    if unread := [name for name in columns if name in fields(actor, "import", model).unread]:
        labels = " and ".join(str(model._meta.get_field(name).verbose_name) for name in unread)
        raise ColumnNotYours(
            f"You may not read {labels} of {model._meta.verbose_name_plural}, so a file of yours cannot bring it. "
            "Leave the column out, or have it imported by somebody who may read it."
        )


def submit_import(
    *,
    actor: Any,
    source: File,
    name: str,
    resource: str,
    profile: Profile | None = None,
    mapping: dict[str, Any] | None = None,
) -> Plan:
    """Keep a file and have a plan made of it. Raises NotPermitted, NoResource, MappingNotUsable, ColumnNotYours."""
    declared = resource_for(resource)
    model = declared.get_model()
    if not can(actor, "import", model):
        raise NotPermitted(f"You have no right to import {model._meta.verbose_name_plural}.")
    chosen = mapping if mapping is not None else profile.mapping if profile else None
    if chosen is not None:
        for each, columns in check_mapping(chosen, resource=model._meta.label).items():
            check_columns(actor, each, columns)
    kept = store_file(actor=actor, source=source, name=name, kind=JobFile.Kind.INPUT)
    return plan_of_file(actor=actor, file=kept, model=model, mapping=chosen, profile=profile)


def import_kept_file(
    *, actor: Any, file: JobFile, resource: str, mapping: dict[str, Any], profile: Profile | None = None
) -> Plan:
    """Have a plan made of a file that is here already. Raises NotPermitted, MappingNotUsable, ColumnNotYours."""
    model = resource_for(resource).get_model()
    if not can(actor, "import", model) or file.owner_id != actor.pk:
        raise NotPermitted(f"You have no right to import {model._meta.verbose_name_plural} from this file.")
    for each, columns in check_mapping(mapping, resource=model._meta.label).items():
        check_columns(actor, each, columns)
    return plan_of_file(actor=actor, file=file, model=model, mapping=mapping, profile=profile)


def plan_of_file(
    *, actor: Any, file: JobFile, model: type[models.Model], mapping: dict[str, Any] | None, profile: Profile | None
) -> Plan:
    """The plan of a kept file; rights were asked."""
    parameters: dict[str, Any] = {"mapping": mapping, "profile": "", "file_name": file.name}
    if profile:
        parameters |= {"profile": profile.name, "profile_id": profile.pk, "profile_version": profile.version}
    return submit_plan(
        actor=actor,
        source="import",
        title=f"{str(model._meta.verbose_name_plural).capitalize()} from {file.name}",
        model=model._meta.label,
        parameters=parameters,
        file=file,
    )


@register_source
class ImportSource(Source):
    """Reads the file in the worker and proposes a row for each of its rows."""

    name = "import"
    door = Door.IMPORT

    def draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        try:
            yield from self._draft(plan, run)
        except (FileNotReadable, MappingNotUsable) as error:
            raise JobFailed(str(error)) from error

    def check_may_write(self, plan: Plan, actor: Any) -> None:
        for model, columns in check_mapping(plan.parameters["mapping"], resource=plan.model).items():
            check_columns(actor, model, columns)

    def look_again(self, plan: Plan, run: Run, counts: Counter[str]) -> Counter[str]:
        if is_flat(plan.parameters["mapping"]):
            tally(plan)
            return Counter(plan.count_outcomes())
        if told := told_difference(plan, actor=run.actor):
            plan.notes = [*plan.notes, told]
        return counts

    def close(self, plan: Plan) -> None:
        if is_flat(plan.parameters["mapping"]):
            tally(plan)

    def keeps_cells(self, plan: Plan) -> bool:
        return bool({"columns", "entities"} & set(plan.parameters.get("mapping") or {}))

    def is_made_again(self, plan: Plan) -> bool:
        # A row of a file that fills several entities is many rows of its plan, and each may stand for many lines.
        return is_flat(plan.parameters.get("mapping"))

    def alike(self, plan: Plan, row: PlanRow, line: PlanRow, position: int) -> list[PlanRow]:
        return lines_alike(plan, row, line, position)

    def recheck(self, plan: Plan, rows: list[PlanRow], actor: Any) -> list[DraftRow]:
        check_columns(actor, plan.get_model(), plan.parameters["mapping"]["columns"])
        return recheck_rows(plan, rows, actor)

    def verb(self, plan: Plan) -> str:
        model = plan.get_model()
        return f"{model._meta.app_label}.import_{model._meta.model_name}"

    def _draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        declared = resource_for(plan.model)
        stored = plan.parameters["mapping"]
        if is_flat(stored):
            yield from self._draft_flat(plan, run, Entities.from_json(stored))
            return
        table = open_table(
            plan.file.file.path,
            options=Mapping.from_json(stored, resource=plan.model).read if stored else None,
            limits=Limits(**settings.READER_LIMITS),
        )
        mapping = (
            Mapping.from_json(stored, resource=plan.model)
            if stored
            else Mapping.by_name(table.header, resource=plan.model)
        )
        check_columns(run.actor, declared.get_model(), mapping.columns)
        self._introduce(plan, table, mapping)
        extractors = mapping.extractors(table.header, actor=run.actor, is_text=table.detected.format == "csv")
        differ = differ_of(mapping, actor=run.actor)
        parts = _parts(table, mapping, extractors, differ, timezone.get_current_timezone())
        # A thread has no part in this connection to the database, of which looking up asks.
        for damaged, proposals, cleaned in parts if mapping.looks_up else read_ahead(parts):
            drafts = differ.diff(proposals, actor=run.actor, cleaned=cleaned) if proposals else []
            yield sorted([*damaged, *drafts], key=lambda draft: draft.number) if damaged else drafts

    def _draft_flat(self, plan: Plan, run: Run, entities: Entities) -> Iterator[list[DraftRow]]:
        for model, columns in entities.columns.items():
            check_columns(run.actor, model, columns)
        table = open_table(plan.file.file.path, options=entities.read, limits=Limits(**settings.READER_LIMITS))
        self._introduce(plan, table, entities)
        yield from draft_flat(plan, run, table, entities, _damaged)

    def _introduce(self, plan: Plan, table: Table, mapping: Mapping | Entities) -> None:
        plan.header = table.header
        plan.columns = list(mapping.columns) if isinstance(mapping, Mapping) else []
        plan.notes = [str(note) for note in table.detected.notes]
        if left_out := mapping.left_out(table.header):
            plan.notes.append(f"Columns that go nowhere: {', '.join(left_out)}.")
        plan.parameters = {**plan.parameters, "detected": table.detected.to_json(), "mapping": mapping.to_json()}


def _parts(
    table: Table, mapping: Mapping, extractors: dict[str, Extractor], differ: Differ, zone: tzinfo
) -> Iterator[tuple[list[DraftRow], list[Proposal], list[dict[str, Any]]]]:
    """The rows of the table, a batch at a time: those of a broken shape, what the others propose, and that cleaned."""
    is_text = table.detected.format == "csv"
    for batch in in_batches(table.rows(), BATCH):
        damaged = [_damaged(row, _stored(row, is_text), table.header) for row in batch if row.problem]
        whole = [row for row in batch if not row.problem] if damaged else batch
        proposals = _proposals(whole, extractors, mapping, is_text) if whole else []
        with timezone.override(zone):  # a thread begins in the zone of the server
            cleaned = differ.clean(proposals)
        yield damaged, proposals, cleaned


def _proposals(rows: list[Row], extractors: dict[str, Extractor], mapping: Mapping, is_text: bool) -> list[Proposal]:
    """What the rows propose, taken out of them column by column."""
    cells = list(zip(*(row.cells for row in rows), strict=True))
    columns, wrong = {}, {}
    for name, extractor in extractors.items():
        columns[name], problems = extractor.column(cells, len(rows))
        if problems:
            wrong[name] = problems
    proposals = [
        Proposal(row.number, dict(zip(columns, values, strict=True)), row.line, _stored(row, is_text))
        for row, values in zip(rows, zip(*columns.values(), strict=True), strict=True)
    ]
    for name, problems in wrong.items():
        label = mapping.labels.get(name, name)
        for proposal, found in zip(proposals, problems, strict=True):
            if found:
                value = proposal.values.pop(name)
                proposal.errors.append(problem(found[0], column=label, value=value, advice=found[1], field=name))
    return proposals


def _stored(row: Row, is_text: bool) -> Any:
    """The cells as they came, for the plan."""
    return row.cells if is_text else [as_kept(cell) for cell in row.cells]


def _damaged(row: Row, raw: list[Any], header: list[str]) -> DraftRow:
    """Rows of a broken shape are not compared; they go into the plan as they came, with what is wrong."""
    message, _, advice = (row.problem or "").partition(": ")
    first = next((str(cell) for cell in row.cells if cell not in (None, "")), "")
    column, value = _where_it_shifts(row, header)
    said = problem(f"It {message}.", column=column, value=value, advice=f"{advice[:1].upper()}{advice[1:]}.")
    return DraftRow(number=row.number, line=row.line, action=Action.INVALID, key=first[:200], raw=raw, errors=[said])


def _where_it_shifts(row: Row, header: list[str]) -> tuple[str, str]:
    """The column and the value that an unquoted delimiter split in two, as far as that can be told.

    People write a blank after a comma, machines do not: the first cell that begins with one is the second half.
    """
    for i, cell in enumerate(row.cells[1:]):
        if len(row.cells) > len(header) and isinstance(cell, str) and cell.startswith(" ") and i < len(header):
            return header[i], f"{row.cells[i]},{cell}"
    return "whole row", ", ".join(str(cell) for cell in row.cells)

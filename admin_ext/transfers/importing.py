"""Imports: a file and a mapping as the source of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files import File
from django.db import models

from admin_ext.access.fields import fields
from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Door
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import JobFailed, Run
from admin_ext.jobs.services import store_file
from admin_ext.plans.differ import Differ, Proposal
from admin_ext.plans.making import BATCH, Source, register_source, submit_plan
from admin_ext.plans.models import Action, Plan
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.transfers.mapping import Mapping, MappingNotUsable
from admin_ext.transfers.models import Profile
from admin_ext.transfers.reading import FileNotReadable, Row, Table, open_table
from admin_ext.transfers.resources import resource_for


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
        check_columns(actor, model, Mapping.from_json(chosen, resource=model._meta.label).columns)
    kept = store_file(actor=actor, source=source, name=name, kind=JobFile.Kind.INPUT)
    return submit_plan(
        actor=actor,
        source="import",
        title=f"{str(model._meta.verbose_name_plural).capitalize()} from {name}",
        model=model._meta.label,
        parameters={"mapping": chosen, "profile": profile.name if profile else "", "file_name": name},
        file=kept,
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
        check_columns(actor, plan.get_model(), plan.parameters["mapping"]["columns"])

    def verb(self, plan: Plan) -> str:
        model = plan.get_model()
        return f"{model._meta.app_label}.import_{model._meta.model_name}"

    def _draft(self, plan: Plan, run: Run) -> Iterator[list[DraftRow]]:
        declared = resource_for(plan.model)
        stored = plan.parameters["mapping"]
        table = open_table(
            plan.file.file.path,
            options=Mapping.from_json(stored, resource=plan.model).read if stored else None,
        )
        mapping = (
            Mapping.from_json(stored, resource=plan.model)
            if stored
            else Mapping.by_name(table.header, resource=plan.model)
        )
        check_columns(run.actor, declared.get_model(), mapping.columns)
        self._introduce(plan, table, mapping)
        extractors = mapping.extractors(table.header)
        differ = Differ(
            model=declared.get_model(),
            actor=run.actor,
            key=mapping.key,
            columns=mapping.columns,
            new_values=declared.new_values(),
            sequences=mapping.sequences,
            labels=mapping.labels,
        )
        is_text = table.detected.format == "csv"
        for rows in _batches(table):
            yield self._compare(rows, extractors, mapping, differ, run.actor, table.header, is_text)

    def _introduce(self, plan: Plan, table: Table, mapping: Mapping) -> None:
        plan.header = table.header
        plan.columns = list(mapping.columns)
        plan.notes = [str(note) for note in table.detected.notes]
        if left_out := mapping.left_out(table.header):
            plan.notes.append(f"Columns that go nowhere: {', '.join(left_out)}.")
        plan.parameters = {**plan.parameters, "detected": table.detected.to_json(), "mapping": mapping.to_json()}

    def _compare(
        self,
        rows: list[Row],
        extractors: dict[str, Any],
        mapping: Mapping,
        differ: Differ,
        actor: Any,
        header: list[str],
        is_text: bool,
    ) -> list[DraftRow]:
        """Rows of a broken shape are not compared; they go into the plan as they came, with what is wrong."""
        proposals = []
        drafts = []
        for row in rows:
            raw: Any = row.cells if is_text else [_jsonable(cell) for cell in row.cells]
            if row.problem:
                drafts.append(self._damaged(row, raw, header))
                continue
            proposal = Proposal(number=row.number, line=row.line, raw=raw, values={})
            for name, extract in extractors.items():
                value, error = extract(row.cells)
                if error:
                    label = mapping.labels.get(name, name)
                    proposal.errors.append(problem(error[0], column=label, value=value, advice=error[1], field=name))
                else:
                    proposal.values[name] = value
            proposals.append(proposal)
        drafts += differ.diff(proposals, actor=actor) if proposals else []
        return sorted(drafts, key=lambda draft: draft.number)

    def _damaged(self, row: Row, raw: list[Any], header: list[str]) -> DraftRow:
        message, _, advice = (row.problem or "").partition(": ")
        first = next((str(cell) for cell in row.cells if cell not in (None, "")), "")
        column, value = _where_it_shifts(row, header)
        said = problem(f"It {message}.", column=column, value=value, advice=f"{advice[:1].upper()}{advice[1:]}.")
        return DraftRow(
            number=row.number, line=row.line, action=Action.INVALID, key=first[:200], raw=raw, errors=[said]
        )


def _where_it_shifts(row: Row, header: list[str]) -> tuple[str, str]:
    """The column and the value that an unquoted delimiter split in two, as far as that can be told.

    People write a blank after a comma, machines do not: the first cell that begins with one is the second half.
    """
    for i, cell in enumerate(row.cells[1:]):
        if len(row.cells) > len(header) and isinstance(cell, str) and cell.startswith(" ") and i < len(header):
            return header[i], f"{row.cells[i]},{cell}"
    return "whole row", ", ".join(str(cell) for cell in row.cells)


def _batches(table: Table) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in table.rows():
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _jsonable(cell: Any) -> Any:
    if cell is None or isinstance(cell, str | int | bool):
        return cell
    return str(cell)

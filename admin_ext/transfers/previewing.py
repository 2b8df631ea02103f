"""A first look at a file through a mapping: what was detected, what is suggested, and its first rows as they would come.

A small job: the web request stores and enqueues, a worker reads. What it saw is kept with the job, for who asked.
"""

from __future__ import annotations

import itertools
from typing import Any

from django.conf import settings

from admin_ext.access.rights import NotPermitted, can
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.running import Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.plans.differ import Proposal
from admin_ext.plans.models import Plan
from admin_ext.plans.rows import DraftRow, plain, problem
from admin_ext.services import Refused
from admin_ext.transfers.cells import as_kept, as_shown
from admin_ext.transfers.comparing import differ_of
from admin_ext.transfers.importing import ColumnNotYours, check_columns
from admin_ext.transfers.mapping import Mapping, MappingNotUsable
from admin_ext.transfers.reading import FileNotReadable, Limits, OptionNotUsable, ReadOptions, Row, Table, open_table
from admin_ext.transfers.resources import ModelResource, resource_for
from admin_ext.transfers.suggesting import suggest

KIND = "transfers.preview"
# Suggestions look at as many rows, and as many are shown.
LOOKED_AT, SHOWN = 200, 8


class NotYourFile(NotPermitted):
    """A file is read again by who brought it."""


class PlanNotMappable(Refused):
    """The plan did not come from a file, was applied, or fills several entities from one."""


def submit_preview(
    *, actor: Any, file: JobFile, resource: str, mapping: dict[str, Any] | None = None, profile: str = ""
) -> Job:
    """Have a file looked at; without a mapping one is suggested. `mapping` may hold nothing but how to read the file.

    Raises NotPermitted, NotYourFile, NoResource.
    """
    model = resource_for(resource).get_model()
    if not can(actor, "import", model):
        raise NotPermitted(f"You have no right to import {model._meta.verbose_name_plural}.")
    if file.owner_id != actor.pk or file.kind != JobFile.Kind.INPUT:
        raise NotYourFile("A file is read by who brought it.")
    return submit_job(
        actor=actor,
        kind=KIND,
        title=f"Look at {file.name}",
        arguments={"file": file.pk, "resource": model._meta.label, "mapping": mapping, "profile": profile},
    )


def look_again_at(*, actor: Any, plan: Plan) -> Job:
    """Have the file of an import looked at again through the mapping that its plan was made by.

    Raises PlanNotMappable, NotPermitted.
    """
    if plan.created_by_id != actor.pk:
        raise NotPermitted("The mapping of a plan is changed by who made it.")
    if not is_mappable(plan):
        raise PlanNotMappable(f"{plan} has no mapping that could be changed.")
    assert plan.file is not None
    stored, profile = plan.parameters.get("mapping"), plan.parameters.get("profile", "")
    return submit_preview(actor=actor, file=plan.file, resource=plan.model, mapping=stored, profile=profile)


def is_mappable(plan: Plan) -> bool:
    """Did it come from a file of one entity, and can the file still be read otherwise?"""
    stored = plan.parameters.get("mapping")
    is_settled = plan.state in (Plan.State.READY, Plan.State.FAILED, Plan.State.DISCARDED)
    return bool(plan.source == "import" and plan.file_id and is_settled and (not stored or "columns" in stored))


@job_kind(KIND)
def run_preview(run: Run) -> None:
    arguments = run.job.arguments
    file = JobFile.objects.get(pk=arguments["file"])
    if file.owner_id != run.job.requested_by_id:
        raise NotYourFile("A file is read by who brought it.")
    with run.chunk(phase="looking"):
        seen = look_at(file.file.path, resource_for(arguments["resource"]), arguments["mapping"], run.actor)
        run.save_cursor(seen=seen)


def look_at(path: str, resource: type[ModelResource], stored: dict[str, Any] | None, actor: Any) -> dict[str, Any]:
    """What a person sees before they let a file be read: as JSON, and never an exception over what is in the file."""
    stored = stored or {}
    try:
        table = open_table(
            path, options=ReadOptions.from_json(stored.get("read") or {}), limits=Limits(**settings.READER_LIMITS)
        )
        rows = list(itertools.islice(table.rows(), LOOKED_AT))
    except (FileNotReadable, OptionNotUsable) as error:
        return {"unreadable": str(error), "mapping": stored}
    suggested = suggest(resource, table.header, [row.cells for row in rows if not row.problem], actor=actor)
    columns = stored.get("columns")
    if columns is None:
        columns = {name: each.rule for name, each in suggested.items()}
    mapping = {
        "key": stored.get("key") or list(resource.key()),
        "columns": columns,
        "ignore": stored.get("ignore", []),
        "read": stored.get("read") or {},
    }
    seen: dict[str, Any] = {
        "detected": table.detected.to_json(),
        "sheets": [{"name": sheet.name, "hidden": sheet.hidden} for sheet in table.sheets],
        "header": table.header,
        "sample": [[as_shown(as_kept(cell)) for cell in row.cells] for row in rows[:SHOWN]],
        "suggested": {
            name: {"from": each.rule["from"], "rule": each.rule, "why": each.why} for name, each in suggested.items()
        },
        "mapping": mapping,
        "left_out": [],
        "rows": [],
    }
    try:
        seen |= _mapped(table, rows[:SHOWN], resource, mapping, actor)
    except (MappingNotUsable, ColumnNotYours, NotPermitted) as error:
        seen["error"] = str(error)
    return seen


def _mapped(
    table: Table, rows: list[Row], resource: type[ModelResource], stored: dict[str, Any], actor: Any
) -> dict[str, Any]:
    model = resource.get_model()
    mapping = Mapping.from_json(stored, resource=model._meta.label)
    check_columns(actor, model, mapping.columns)
    extractors = mapping.extractors(table.header, actor=actor, is_text=table.detected.format == "csv")
    differ = differ_of(mapping, actor=actor)
    proposals, broken = [], []
    for row in rows:
        proposal = Proposal(number=row.number, line=row.line, values={})
        for name, extract in () if row.problem else extractors.items():
            value, error = extract(row.cells)
            if error:
                label = mapping.labels.get(name, name)
                proposal.errors.append(problem(error[0], column=label, value=value, advice=error[1], field=name))
            else:
                proposal.values[name] = value
        if row.problem:
            broken.append(DraftRow(number=row.number, line=row.line, action="invalid", errors=[problem(row.problem)]))
        else:
            proposals.append(proposal)
    values = {
        each.number: {name: as_shown(as_kept(value)) for name, value in each.values.items()} for each in proposals
    }
    drafts = [*(differ.diff(proposals, actor=actor) if proposals else ()), *broken]
    shown = [
        plain(
            {
                "number": draft.number,
                "line": draft.line,
                "action": draft.action,
                "errors": draft.errors or [],
                "values": values.get(draft.number, {}),
            }
        )
        for draft in sorted(drafts, key=lambda each: each.number)
    ]
    return {"rows": shown, "left_out": mapping.left_out(table.header)}

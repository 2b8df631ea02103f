"""Exports: a selection and its columns, streamed from one snapshot into a file, as a job.

Rights are the owner's when the job runs, and asked again at every download. Rows expected and rows written are counted
apart and must agree, or the export fails. The database makes the bytes (`writing.cells_in_sql`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Door
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.jobs.models import Job
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.jobs.zones import zone_of
from admin_ext.transfers.export_columns import UnknownColumn, check_columns, query_of
from admin_ext.transfers.formats import FORMATS, QueryWriter, check_format, suffix_of
from admin_ext.transfers.outputs import keep_output
from admin_ext.transfers.replica import from_replica_or_primary
from admin_ext.transfers.resources import ModelResource, resource_for
from admin_ext.transfers.snapshots import rights_unchanged, snapshot, time_zone
from admin_ext.transfers.writing import WorkbookLimitReached
from admin_ext.transfers.writing.workbook_by_copy import Look


def submit_export(
    *,
    actor: Any,
    selection: Selection,
    format: str = "csv",
    packing: str = "",
    columns: list[str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Job:
    """Have a selection written to a file. `headers` renames columns in it.

    Raises NotPermitted, NoResource, UnknownColumn, FormatNotKnown.
    """
    resource = resource_for(selection.model)
    model = resource.get_model()
    _check(actor, model)
    check_format(format, packing)
    chosen = check_columns(resource, actor, columns)
    return submit_job(
        actor=actor,
        kind="transfers.export",
        title=f"Export {model._meta.verbose_name_plural}, {selection.describe()}",
        arguments={
            "selection": selection.to_json(),
            "format": format,
            "packing": packing,
            "columns": chosen,
            "headers": {name: header for name, header in (headers or {}).items() if name in chosen},
        },
        door=Door.TASK,
    )


@job_kind("transfers.export")
def run_export(run: Run) -> None:
    arguments = run.job.arguments
    selection = Selection.from_json(arguments["selection"])
    resource = resource_for(selection.model)
    actor = run.actor
    _check(actor, resource.get_model())
    try:
        columns = check_columns(resource, actor, arguments["columns"])
    except UnknownColumn as error:
        raise JobFailed(f"{error} What you may read has changed since you asked for the export.") from error
    suffix = suffix_of(arguments["format"], arguments.get("packing", ""))
    # Days in filters are days in the owner's zone, as on the page.
    with tempfile.TemporaryDirectory(prefix="opsadmin-export-") as folder, timezone.override(zone_of(actor)):
        path = Path(folder) / f"export.{suffix}"
        try:
            writer, expected = _write(run, path, selection, resource, columns, actor)
        except (UnknownFilter, WorkbookLimitReached) as error:
            raise JobFailed(str(error)) from error
        if writer.rows != expected:
            raise JobFailed(f"{expected:,} rows were expected and {writer.rows:,} written. The file was thrown away.")
        told = {"rows_expected": expected, "rows_written": writer.rows, "columns": columns}
        keep_output(run, path, name=_file_name(selection, actor, suffix), told=told, sha256=writer.sha256)


def _write(
    run: Run, path: Path, selection: Selection, resource: type[ModelResource], columns: list[str], actor: Any
) -> tuple[QueryWriter, int]:
    model = resource.get_model()
    with run.chunk(phase="counting"):
        pass
    unchanged = rights_unchanged(run, model, [resource.path(name) for name in columns])
    written = partial(_written, run, path, selection, resource, columns, actor, unchanged)
    (writer, expected), from_replica = from_replica_or_primary(written)
    unchanged()
    with run.chunk(phase="written", total=expected):
        Job.objects.filter(pk=run.job.pk).update(rows_done=writer.rows)
        run.add_counts({"rows": writer.rows})
        if from_replica:
            run.note("read", "From the replica, which had all that was committed when the job began.")
    return writer, expected


def _written(
    run: Run,
    path: Path,
    selection: Selection,
    resource: type[ModelResource],
    columns: list[str],
    actor: Any,
    unchanged: Callable[[], None],
) -> tuple[QueryWriter, int]:
    model, arguments = resource.get_model(), run.job.arguments
    # One snapshot for counting and reading; the pulse tells of progress, and asks for the rights, from outside of it. It
    # begins before the transaction does: inside of one it does not beat.
    with Pulse(run, phase="writing", permitted=unchanged) as pulse, snapshot(), selection.moment():
        rows = selection.resolve(actor=actor, action="export")
        pulse.total = expected = rows.count()
        writer = QueryWriter(
            path,
            query_of(
                rows,
                resource,
                columns,
                actor,
                headers=arguments.get("headers"),
                with_version=FORMATS[arguments["format"]].protected,
            ),
            format=arguments["format"],
            packing=arguments.get("packing", ""),
            name=_file_name(selection, actor, suffix_of(arguments["format"])),
            look=Look(title=str(model._meta.verbose_name_plural), zone=str(zone_of(actor))),
        )
        with time_zone(str(zone_of(actor))):
            for pulse.done in _batches(writer):
                pulse.check()
    return writer, expected


def _batches(writer: QueryWriter) -> Iterator[int]:
    return writer.batches()


def _check(actor: Any, model: Any) -> None:
    if not can(actor, "export", model):
        raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural}.")


def _file_name(selection: Selection, actor: Any, suffix: str) -> str:
    of = f"{timezone.localdate()}"
    if selection.instant:
        of = f"as-of-{selection.instant.astimezone(zone_of(actor)):%Y-%m-%dT%H%M}"
    return f"{selection.get_model()._meta.verbose_name_plural}-{of}.{suffix}"

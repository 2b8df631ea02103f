"""Exports: a selection and its columns, streamed from one snapshot into a file, as a job.

Rights are the owner's when the job runs, and asked again at every download. Rows expected and rows written are counted
apart and must agree, or the export fails.
"""

from __future__ import annotations

import contextlib
import tempfile
import zoneinfo
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.files import File
from django.db import connection, models, transaction
from django.utils import timezone

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Door
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import store_file, submit_job
from admin_ext.transfers.resources import ModelResource, resource_for
from admin_ext.transfers.writing import CsvWriter, WorkbookWriter

FORMATS = ("csv", "xlsx")
KEPT_DAYS = 30
FETCHED = 2000


class UnknownColumn(Exception):
    """An export asks for a column that its resource does not have, or that the person may not see."""


class FileGone(Exception):
    """The file of an export has expired or was removed."""


def submit_export(*, actor: Any, selection: Selection, format: str = "csv", columns: list[str] | None = None) -> Job:
    """Have a selection written to a file. Raises NotPermitted, NoResource, UnknownColumn."""
    resource = resource_for(selection.model)
    model = resource.get_model()
    if not can(actor, "export", model):
        raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural}.")
    chosen = check_columns(resource, actor, columns)
    return submit_job(
        actor=actor,
        kind="transfers.export",
        title=f"Export {model._meta.verbose_name_plural}, {selection.describe()}",
        arguments={"selection": selection.to_json(), "format": format, "columns": chosen},
        door=Door.TASK,
    )


def check_columns(resource: type[ModelResource], actor: Any, columns: list[str] | None) -> list[str]:
    """The columns to write, all of the resource's unless said; within what the person may see. Raises UnknownColumn."""
    visible = field_rights(actor, "export", resource.get_model()).visible
    known = [name for name in resource.field_names() if name in visible]
    if unknown := [name for name in columns or () if name not in known]:
        raise UnknownColumn(f"There is no column {', '.join(unknown)}. There are: {', '.join(known)}.")
    return list(columns or known)


@job_kind("transfers.export")
def run_export(run: Run) -> None:
    arguments = run.job.arguments
    selection = Selection.from_json(arguments["selection"])
    resource = resource_for(selection.model)
    actor = run.actor
    if not can(actor, "export", resource.get_model()):
        raise NotPermitted(f"You have no right to export {resource.get_model()._meta.verbose_name_plural}.")
    columns = check_columns(resource, actor, arguments["columns"])
    with tempfile.TemporaryDirectory(prefix="opsadmin-export-") as folder:
        path = Path(folder) / f"export.{arguments['format']}"
        try:
            written, expected = _write(run, path, selection, resource, columns, actor)
        except UnknownFilter as error:
            raise JobFailed(str(error)) from error
        if written != expected:
            raise JobFailed(f"{expected:,} rows were expected and {written:,} written. The file was thrown away.")
        _keep(run, path, resource, arguments["format"], written)


def download(*, actor: Any, file: JobFile) -> JobFile:
    """Count a download, if the actor may still have the file. Raises NotPermitted, FileGone."""
    if file.owner_id != actor.pk:
        raise NotPermitted("A file is fetched by who had it made.")
    if file.expires_at and file.expires_at < timezone.now():
        raise FileGone(f"{file} has expired. Make it anew.")
    if file.job and file.job.kind == "transfers.export":
        model = resource_for(file.job.arguments["selection"]["model"]).get_model()
        if not can(actor, "export", model):
            raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural} any more.")
    JobFile.objects.filter(pk=file.pk).update(downloads=models.F("downloads") + 1)
    return file


def _write(
    run: Run, path: Path, selection: Selection, resource: type[ModelResource], columns: list[str], actor: Any
) -> tuple[int, int]:
    model = resource.get_model()
    # One snapshot for counting and reading; the pulse tells of progress from outside of it.
    with _snapshot():
        rows = selection.resolve(actor=actor, action="export")
        expected = rows.count()
        with _writer(path, model, columns, actor) as writer, Pulse(run, phase="writing", total=expected) as pulse:
            for batch in _fetched(rows.values_list(*(resource.path(name) for name in columns))):
                pulse.check()
                for row in batch:
                    writer.write(row)
                pulse.done = writer.rows
    with run.chunk(phase="written", total=expected):
        Job.objects.filter(pk=run.job.pk).update(rows_done=writer.rows)
        run.add_counts({"rows": writer.rows})
    return writer.rows, expected


@contextlib.contextmanager
def _snapshot() -> Iterator[None]:
    """A transaction that sees the database as it was when it began."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _fetched(rows: models.QuerySet) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows.iterator(chunk_size=FETCHED):
        batch.append(row)
        if len(batch) == FETCHED:
            yield batch
            batch = []
    if batch:
        yield batch


def _writer(path: Path, model: type[models.Model], columns: list[str], actor: Any) -> CsvWriter | WorkbookWriter:
    header = [str(name) for name in columns]
    zone = zoneinfo.ZoneInfo(getattr(actor, "time_zone", "") or "UTC")
    if path.suffix == ".xlsx":
        return WorkbookWriter(path, header, sheet_name=str(model._meta.verbose_name_plural)[:31], zone=zone)
    return CsvWriter(path, header)


def _keep(run: Run, path: Path, resource: type[ModelResource], format: str, rows: int) -> None:
    name = f"{resource.get_model()._meta.verbose_name_plural}-{timezone.localdate():%Y-%m-%d}.{format}".replace(
        " ", "-"
    )
    with path.open("rb") as source, run.chunk(phase="done"):
        made = store_file(
            actor=run.job.requested_by, source=File(source), name=name, kind=JobFile.Kind.OUTPUT, job=run.job
        )
        made.rows, made.expires_at = rows, timezone.now() + timedelta(days=KEPT_DAYS)
        made.save(update_fields=["rows", "expires_at"])

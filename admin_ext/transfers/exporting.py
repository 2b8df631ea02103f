"""Exports: a selection and its columns, streamed from one snapshot into a file, as a job.

Rights are the owner's when the job runs, and asked again at every download. Rows expected and rows written are counted
apart and must agree, or the export fails.
"""

from __future__ import annotations

import contextlib
import tempfile
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.files import File
from django.db import connection, models, transaction
from django.utils import timezone

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import NotPermitted, access_of, can, whole_of
from admin_ext.audit.access_log import NotNoted, note_access
from admin_ext.audit.models import Access, Door
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
    """The columns to write, all of the resource's unless said; within what the person may read. Raises UnknownColumn."""
    readable = field_rights(actor, "export", resource.get_model()).readable
    known = [name for name in resource.field_names() if name in readable]
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
    try:
        columns = check_columns(resource, actor, arguments["columns"])
    except UnknownColumn as error:
        raise JobFailed(f"{error} What you may read has changed since you asked for the export.") from error
    # Days in filters are days in the owner's zone, as on the page.
    with tempfile.TemporaryDirectory(prefix="opsadmin-export-") as folder, timezone.override(zone_of(actor)):
        path = Path(folder) / f"export.{arguments['format']}"
        try:
            written, expected = _write(run, path, selection, resource, columns, actor)
        except UnknownFilter as error:
            raise JobFailed(str(error)) from error
        if written != expected:
            raise JobFailed(f"{expected:,} rows were expected and {written:,} written. The file was thrown away.")
        told = {"rows_expected": expected, "rows_written": written, "columns": columns}
        keep_output(run, path, name=_file_name(selection, actor, arguments["format"]), told=told)


# What asks for the rights to a file that a job of some kind made, before it is handed out; raises NotPermitted.
download_rights: dict[str, Callable[[Any, Job], None]] = {}


def download(*, actor: Any, file: JobFile) -> JobFile:
    """Count and note a download, if the actor may still have the file. Raises NotPermitted, FileGone, NotNoted."""
    if file.owner_id != actor.pk:
        raise NotPermitted("A file is fetched by who had it made.")
    if file.expires_at and file.expires_at < timezone.now():
        raise FileGone(f"{file} has expired. Make it anew.")
    label = ""
    if file.job and file.job.kind in ("transfers.export", "transfers.changes"):
        label = file.job.arguments["selection"]["model"]
        model = Selection.from_json(file.job.arguments["selection"]).get_model()
        if not can(actor, "export", model):
            raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural} any more.")
        check_still_read(
            actor, model, file.job.arguments.get("columns") or file.job.cursor.get("columns", ()), "export"
        )
    if file.job and (check := download_rights.get(file.job.kind)):
        check(actor, file.job)
    with transaction.atomic():
        JobFile.objects.filter(pk=file.pk).update(downloads=models.F("downloads") + 1)
        detail = {"job": file.job_id, "rows": file.rows, "sha256": file.sha256}
        note_access(Access.DOWNLOAD, actor=actor, model=label, subject=file.name, detail=detail)
    return file


def check_still_read(actor: Any, model: type[models.Model], columns: Iterable[str], action: str = "view") -> None:
    """Raises NotPermitted where a file has columns that the actor may not read any more. Names of fields or columns."""
    readable = field_rights(actor, action, model).readable
    named = {name: field for field in model._meta.concrete_fields for name in (field.name, field.column)}
    if lost := [named[name] for name in columns if name in named and named[name].name not in readable]:
        labels = ", ".join(str(field.verbose_name) for field in lost)
        raise NotPermitted(
            f"The file tells {labels} of {model._meta.verbose_name_plural}, which you have no right to read any more. "
            "Make it anew."
        )


def _write(
    run: Run, path: Path, selection: Selection, resource: type[ModelResource], columns: list[str], actor: Any
) -> tuple[int, int]:
    model = resource.get_model()
    unchanged = rights_unchanged(run, model)
    # One snapshot for counting and reading; the pulse tells of progress, and asks for the rights, from outside of it.
    with snapshot(), selection.moment():
        rows = selection.resolve(actor=actor, action="export")
        expected = rows.count()
        with (
            open_writer(path, model, columns, actor) as writer,
            Pulse(run, phase="writing", total=expected, permitted=unchanged) as pulse,
        ):
            for batch in _fetched(rows.values_list(*(resource.path(name) for name in columns))):
                pulse.check()
                for row in batch:
                    writer.write(row)
                pulse.done = writer.rows
    unchanged()
    with run.chunk(phase="written", total=expected):
        Job.objects.filter(pk=run.job.pk).update(rows_done=writer.rows)
        run.add_counts({"rows": writer.rows})
    return writer.rows, expected


def rights_unchanged(run: Run, model: type[models.Model]) -> Callable[[], None]:
    """What asks, whenever it is called, whether the owner of the job may still take out what they could when it began.

    A snapshot does not see a right that is taken while it is read. Where it was, the question raises NotPermitted.
    """
    before = _mark(run.actor, model)

    def ask() -> None:
        if _mark(run.actor, model) != before:
            raise NotPermitted(
                "Your rights changed while the file was written, so it was thrown away. Start it again for what you may "
                "have now."
            )

    return ask


def _mark(actor: Any, model: type[models.Model]) -> tuple[Any, ...]:
    """All that decides which rows and columns of a model somebody takes out."""
    access, whole, rights = access_of(actor), whole_of(model), field_rights(actor, "export", model)
    places = [access.places(dimension) for dimension in getattr(whole, "scopes", {})]
    granted = [sorted(rows) if isinstance(rows, list) else rows.count() for rows in access.granted(whole, "export")]
    return (
        actor.is_superuser,
        access.holds(model, "export"),
        [None if keys is None else sorted(keys) for keys in places],
        granted,
        rights.visible,
        rights.readable,
    )


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
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


def open_writer(path: Path, model: type[models.Model], columns: list[str], actor: Any) -> CsvWriter | WorkbookWriter:
    """A writer of the format that the name of the file says."""
    header = [str(name) for name in columns]
    zone = zone_of(actor)
    if path.suffix == ".xlsx":
        return WorkbookWriter(path, header, sheet_name=str(model._meta.verbose_name_plural)[:31], zone=zone)
    return CsvWriter(path, header)


def zone_of(actor: Any) -> zoneinfo.ZoneInfo:
    """The zone in which a person reads instants."""
    return zoneinfo.ZoneInfo(getattr(actor, "time_zone", "") or "UTC")


def keep_output(
    run: Run, path: Path, *, name: str, told: dict[str, Any], noted: Access = Access.EXPORT, reason: str = ""
) -> None:
    """Keep what the job wrote, for its owner to fetch, and note that it was taken out: both or neither.

    `told` is what the ledger of reads says of it, `rows_written` among it.
    """
    selection = run.job.arguments.get("selection")
    meant = {"selection": selection} if selection else {}
    with path.open("rb") as source, run.chunk(phase="done"):
        made = store_file(
            actor=run.job.requested_by,
            source=File(source),
            name=name.replace(" ", "-"),
            kind=JobFile.Kind.OUTPUT,
            job=run.job,
        )
        made.rows, made.expires_at = told["rows_written"], timezone.now() + timedelta(days=KEPT_DAYS)
        made.save(update_fields=["rows", "expires_at"])
        detail = {**meant, "sha256": made.sha256, "expires": made.expires_at, "job": run.job.pk}
        try:
            note_access(
                noted,
                actor=run.job.requested_by,
                model=selection["model"] if selection else "",
                subject=made.name,
                reason=reason,
                detail={**told, **detail},
            )
        except NotNoted as error:
            raise JobFailed(str(error)) from error


def _file_name(selection: Selection, actor: Any, format: str) -> str:
    of = f"{timezone.localdate()}"
    if selection.instant:
        of = f"as-of-{selection.instant.astimezone(zone_of(actor)):%Y-%m-%dT%H%M}"
    return f"{selection.get_model()._meta.verbose_name_plural}-{of}.{format}"

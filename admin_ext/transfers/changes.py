"""What changed in a view between two instants, written to a file as a job: a line for each field of each row.

Rights are the owner's when the job runs, and asked again at every download, as for any export.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import models
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.audit.models import Door
from admin_ext.audit.past import as_of
from admin_ext.filtering.changes import Changes, changes_between
from admin_ext.filtering.instants import in_words
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.filtering.telling import Difference, Told, differences, tell, told_fields
from admin_ext.jobs.models import Job
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.jobs.zones import zone_of
from admin_ext.transfers.outputs import keep_output
from admin_ext.transfers.snapshots import rights_unchanged, snapshot
from admin_ext.transfers.writing import CsvWriter, WorkbookWriter

FORMATS = ("csv", "xlsx")
COLUMNS = ["change", "key", "record", "field", "before", "after"]
TOLD = 1000


def submit_changes(*, actor: Any, selection: Selection, since: datetime, until: datetime, format: str = "csv") -> Job:
    """Have what changed in a selection written to a file. Raises NotPermitted."""
    _check(actor, selection)
    name = selection.get_model()._meta.verbose_name_plural
    return submit_job(
        actor=actor,
        kind="transfers.changes",
        title=f"Changes of {name} from {in_words(since)} to {in_words(until)}, {selection.describe()}",
        arguments={
            "selection": selection.to_json(),
            "since": since.isoformat(),
            "until": until.isoformat(),
            "format": format,
        },
        door=Door.TASK,
    )


@job_kind("transfers.changes")
def run_changes(run: Run) -> None:
    arguments = run.job.arguments
    selection, actor = Selection.from_json(arguments["selection"]), run.actor
    since, until = (datetime.fromisoformat(arguments[name]) for name in ("since", "until"))
    _check(actor, selection)
    model, zone = selection.get_model(), zone_of(actor)
    unchanged = rights_unchanged(run, model)
    with tempfile.TemporaryDirectory(prefix="opsadmin-changes-") as folder, timezone.override(zone):
        path = Path(folder) / f"changes.{arguments['format']}"
        try:
            with Pulse(run, phase="comparing", permitted=unchanged) as pulse, snapshot():
                changes = changes_between(selection, actor=actor, since=since, until=until, action="export")
                pulse.total = sum(len(keys) for _, keys in changes)
                with _writer(path, model, actor) as writer:
                    for kind, told in _told(model, changes, since, until, actor):
                        pulse.check()
                        for key, (before, after) in told.items():
                            for each in differences(model, before, after):
                                writer.write(_line(kind, key, before, after, each))
                        pulse.done += len(told)
        except UnknownFilter as error:
            raise JobFailed(str(error)) from error
        unchanged()
        with run.chunk(phase="written", total=pulse.total):
            Job.objects.filter(pk=run.job.pk).update(rows_done=pulse.done)
            run.add_counts({kind: len(keys) for kind, keys in changes})
            # Asked again when the file is fetched.
            run.save_cursor(columns=[field.name for field in told_fields(model, actor, "export")])
        name = f"{model._meta.verbose_name_plural}-changes-{since.astimezone(zone):%Y-%m-%dT%H%M}"
        name += f"-to-{until.astimezone(zone):%Y-%m-%dT%H%M}.{arguments['format']}"
        keep_output(run, path, name=name, told={"rows_written": writer.rows, "changes": True})


def tell_changes(
    model: type[models.Model], keys: list[int], *, since: datetime, until: datetime, reader: Any, action: str = "view"
) -> dict[int, tuple[Told | None, Told | None]]:
    """Each row as it stood at both instants, as far as `reader` may see it; None where it did not stand."""
    told = []
    for instant in (since, until):
        with as_of(instant):
            rows = restrict(model._base_manager.filter(pk__any_of=keys), reader, action)
            told.append(tell(model, rows, reader=reader, action=action))
    before, after = told
    return {key: (before.get(key), after.get(key)) for key in keys}


def _told(
    model: type[models.Model], changes: Changes, since: datetime, until: datetime, actor: Any
) -> Iterator[tuple[str, dict[int, tuple[Told | None, Told | None]]]]:
    for kind, keys in changes:
        for start in range(0, len(keys), TOLD):
            some: array[int] = keys[start : start + TOLD]
            yield kind, tell_changes(model, list(some), since=since, until=until, reader=actor, action="export")


def _writer(path: Path, model: type[models.Model], actor: Any) -> CsvWriter | WorkbookWriter:
    if path.suffix == ".xlsx":
        name = str(model._meta.verbose_name_plural)
        return WorkbookWriter(path, COLUMNS, sheet_name=name, zone=zone_of(actor))
    return CsvWriter(path, COLUMNS)


def _line(kind: str, key: int, before: Told | None, after: Told | None, each: Difference) -> list[Any]:
    row = after or before
    return [kind, key, row.name if row else "", each.field, each.before, each.after]


def _check(actor: Any, selection: Selection) -> None:
    model = selection.get_model()
    if not can(actor, "export", model):
        raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural}.")

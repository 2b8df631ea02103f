"""`manage.py export_file`: the export of the admin, from the shell. Same job, same rights, same record."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.access_log import NotNoted
from admin_ext.filtering.instants import InstantNotUsable, parse_instant
from admin_ext.filtering.list_state import ViewVeiled
from admin_ext.filtering.selection import Selection
from admin_ext.filtering.views import ViewNotThere, find_view
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.zones import zone_of
from admin_ext.transfers.definitions import (
    DefinitionNotThere,
    DefinitionNotUsable,
    find_definition,
    submit_definition,
)
from admin_ext.transfers.export_columns import UnknownColumn
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.formats import FORMATS, PACKINGS, FormatNotKnown
from admin_ext.transfers.outputs import download
from admin_ext.transfers.resources import NoResource, resource_for
from admin_ext.transfers.view_schedules import columns_of
from admin_ext.transfers.waiting import wait_for

NOTHING_DONE = 2


class Command(BaseCommand):
    help = "Export rows to a file. Exits 0 when everything was written, 2 when nothing could be done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--resource", help="what the rows are, e.g. customers.Customer; a view says it itself")
        parser.add_argument("--definition", help="an export definition, instead of all that says what is written")
        parser.add_argument("--format", choices=FORMATS, default="csv")
        parser.add_argument("--pack", choices=list(filter(None, PACKINGS)), default="", help="pack the file")
        parser.add_argument("--user", required=True, help="whose rights count")
        parser.add_argument(
            "--filter", action="append", default=[], metavar="KEY=VALUE", help="as in the list's address"
        )
        parser.add_argument(
            "--view",
            default="",
            metavar="VIEW",
            help="a saved view of the user's, by name or number; --filter adds to it",
        )
        parser.add_argument("--columns", help="column names, separated by commas")
        parser.add_argument("--as-of", default="", metavar="INSTANT", help="the rows as they stood, 2026-03-31T12:00")
        parser.add_argument("--output", type=Path, required=True)
        parser.add_argument("--json", action="store_true", help="print the receipt as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job, made = self._export(options)
        except NOTHING_DONE_BY as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error)}))
            self.stderr.write(str(error))
            sys.exit(NOTHING_DONE)
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "job": job.pk,
                        "plan": None,
                        "change_set": job.change_set_id,
                        "state": job.state,
                        "rows": made.rows,
                        "file": str(options["output"]),
                        "sha256": made.sha256,
                    }
                )
            )
        else:
            self.stdout.write(f"{made.rows:,} rows written to {options['output']} (SHA-256 {made.sha256})")

    def _export(self, options: dict[str, Any]) -> tuple[Job, JobFile]:
        actor = get_user_model().objects.filter(username=options["user"]).first()
        if actor is None:
            raise _NothingDone(f"There is no user {options['user']}.")
        if not options["output"].parent.is_dir():
            raise _NothingDone(f"There is no folder {options['output'].parent}.")
        filters: dict[str, list[str]] = {}
        for pair in options["filter"]:
            name, equals, value = pair.partition("=")
            if not equals:
                raise _NothingDone(f"--filter {pair}: write it as key=value.")
            filters.setdefault(name, []).append(value)
        job = wait_for(self._submit(actor, filters, options))
        if job.state != Job.State.SUCCEEDED:
            raise _NothingDone(job.error or f"The export was {job.get_state_display().lower()}.")
        made = download(actor=actor, file=job.files.get(kind=JobFile.Kind.OUTPUT))
        part = options["output"].with_name(options["output"].name + ".part")
        shutil.copyfile(made.file.path, part)
        part.replace(options["output"])
        return job, made

    def _submit(self, actor: Any, filters: dict[str, list[str]], options: dict[str, Any]) -> Job:
        if bool(options["definition"]) == bool(options["resource"] or options["view"]):
            raise _NothingDone("Say what to export: --resource, --view or --definition.")
        if options["definition"]:
            return submit_definition(actor=actor, definition=find_definition(options["definition"], user=actor))
        selection, columns = _rows_meant(options, actor)
        filters = {**selection.filters, **filters}
        return submit_export(
            actor=actor,
            selection=dataclasses.replace(selection, filters=filters, as_of=_instant(options["as_of"], actor)),
            format=options["format"],
            packing=options["pack"],
            columns=columns,
        )


class _NothingDone(Exception):
    """The command cannot begin, or its job did not succeed."""


def _rows_meant(options: dict[str, Any], actor: Any) -> tuple[Selection, list[str] | None]:
    """The rows of the resource, or those of a view, and the columns: as said, or those of the view that a file has."""
    said = [name.strip() for name in options["columns"].split(",")] if options["columns"] else None
    if not options["view"]:
        return Selection(model=resource_for(options["resource"]).get_model()._meta.label), said
    label = resource_for(options["resource"]).get_model()._meta.label if options["resource"] else ""
    try:
        view = find_view(options["view"], user=actor, model=label)
        selection = Selection.of_view(view, actor)
        shown = columns_of(view, actor)
    except (ViewNotThere, ViewVeiled) as refusal:
        raise _NothingDone(str(refusal)) from None
    return selection, said or shown


NOTHING_DONE_BY = (
    _NothingDone,
    NotPermitted,
    NoResource,
    UnknownColumn,
    FormatNotKnown,
    NotNoted,
    DefinitionNotThere,
    DefinitionNotUsable,
)


def _instant(text: str, actor: Any) -> str:
    """The instant as a selection keeps it; read in the zone of whose rights count."""
    if not text:
        return ""
    with timezone.override(zone_of(actor)):
        try:
            return parse_instant(text).isoformat()
        except InstantNotUsable as error:
            raise _NothingDone(str(error)) from error

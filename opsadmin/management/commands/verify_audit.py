"""`manage.py verify_audit`: is the record as it was sealed?"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from admin_ext.audit.seals.checkpoints import BadSignature, Checkpoint, NotACheckpoint, open_note
from admin_ext.audit.seals.findings import LISTED, Report
from admin_ext.audit.seals.keys import NoKey
from admin_ext.audit.seals.publishing import Published
from admin_ext.audit.seals.standing import public_keys, verify_record

CANNOT = (NoKey, NotACheckpoint, BadSignature, OSError, psycopg.Error, UnicodeDecodeError)


class Command(BaseCommand):
    help = (
        "Verify the record: blocks, signatures, published checkpoints, every row, and the live rows against history. "
        "Exit code 0 intact, 1 not intact, 2 it could not be verified."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", help="leave out what was sealed before, e.g. 2026-03-01 or 2026-03-01T12:00Z")
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            metavar="FILE_OR_DIR",
            help="a checkpoint that was kept, or a copy of the published directory",
        )
        parser.add_argument("--json", action="store_true", help="the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        since = _moment(options["since"])
        try:
            held, outside = _outside([Path(name) for name in options["checkpoint"]])
            report = verify_record(since=since, held=held, outside=outside)
        except CANNOT as error:
            raise CommandError(f"The record could not be verified: {error}", returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict(), indent=1))
        else:
            self._tell(report)
        if not report.intact:
            sys.exit(1)

    def _tell(self, report: Report) -> None:
        for finding in report.findings:
            self.stdout.write(str(finding))
        if (more := report.counts.total() - len(report.findings)) > 0:
            self.stdout.write(f"… and {more:,} more: only the first {LISTED:,} are listed.")
        for note in report.notes:
            self.stdout.write(f"note: {note}")
        outside = (
            f"published up to block {report.published_block}"
            if report.published_block is not None
            else "no published checkpoint was at hand: a rewritten database could not be told from the true one"
        )
        self.stdout.write(report.verdict())
        self.stdout.write(
            f"{report.leaves:,} sealed rows in {report.blocks:,} blocks, {outside}; "
            f"{report.unsealed:,} rows wait to be sealed ({report.seconds:.1f} s)"
        )


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:
        moment = day = None
    if day:
        moment = datetime(day.year, day.month, day.day)
    if moment is None:
        raise CommandError(f"--since is not a time: {text}. Write 2026-03-01 or 2026-03-01T12:00Z.", returncode=2)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _outside(paths: list[Path]) -> tuple[list[Checkpoint], Published | None]:
    """The checkpoints of the files and the published copy of the directory that were named."""
    if not paths:
        return [], None
    keys = public_keys()
    directories = [path for path in paths if path.is_dir()]
    held = [open_note(path.read_text(encoding="utf-8"), keys) for path in paths if not path.is_dir()]
    return held, Published(directories[-1], keys) if directories else None

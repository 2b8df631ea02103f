"""`manage.py import_roles`: shows what a file of roles would change, and does it as somebody who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from admin_ext.access.rights import NotPermitted
from admin_ext.granting.comparing import Comparison, in_lines
from admin_ext.granting.files import FileNotUnderstood, read_roles
from admin_ext.granting.management.commands.export_roles import find_person
from admin_ext.services import Refused


class Command(BaseCommand):
    help = "Show what a file of roles would change, line by line, and do it in one act: all of it or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", dest="username", required=True, help="who does it: their rights count")
        parser.add_argument("--reason", default="", help="why, for the record; needed unless --dry-run")
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = find_person(options["username"])
        try:
            text = options["file"].read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        try:
            comparison = Comparison(read_roles(text), actor=actor)
        except FileNotUnderstood as error:
            raise CommandError("\n".join([f"{options['file']}:", *map(str, error.problems)])) from error
        self.stdout.write(in_lines(comparison.steps))
        if options["dry_run"] or not comparison.steps:
            return
        try:
            comparison.apply(reason=options["reason"])
        except (Refused, NotPermitted) as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        self.stdout.write("Done.")

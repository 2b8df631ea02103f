"""`manage.py erase_record`: blank a person's data in a record and in all its history, as the owner of the tables."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from admin_ext.audit.history import tracked_models
from admin_ext.audit.seals.erasing import CannotErase, erase_record
from opsadmin.management.commands.migrate import become_owner


class Command(BaseCommand):
    help = "Blank columns of records, live and in history, behind a sealed tombstone. This cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="e.g. customers.Contact")
        parser.add_argument("keys", nargs="+", type=int, help="primary keys")
        parser.add_argument("--columns", required=True, help="which columns, with commas between")
        parser.add_argument("--reason", required=True, help="why; kept for ever, so name nobody in it")
        parser.add_argument("--ordered-by", required=True, help="who asked for it; kept for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            model = apps.get_model(options["model"])
        except (LookupError, ValueError) as error:
            raise CommandError(f"There is no model {options['model']}. Write e.g. customers.Contact.") from error
        if model not in tracked_models():
            raise CommandError(f"{options['model']} is not on the record.")
        become_owner()
        columns = [name.strip() for name in options["columns"].split(",") if name.strip()]
        try:
            rows = erase_record(
                model=model,
                keys=options["keys"],
                columns=columns,
                reason=options["reason"],
                ordered_by=options["ordered_by"],
            )
        except (CannotErase, DatabaseError) as error:
            raise CommandError(f"Nothing was erased: {error}") from error
        self.stdout.write(f"erased {', '.join(columns)} in {len(options['keys'])} records and {rows:,} rows of history")

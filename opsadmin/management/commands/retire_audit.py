"""`manage.py retire_audit`: remove history that is past its time, as the owner of the tables."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from admin_ext.audit.history import tracked_models
from admin_ext.audit.seals.erasing import retire_history
from opsadmin.management.commands.migrate import become_owner
from opsadmin.management.commands.verify_audit import _moment


class Command(BaseCommand):
    help = (
        "Remove history rows that were superseded before a day, behind sealed tombstones. The last state of a living "
        "record stays. This cannot be undone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, help="a day in the past, e.g. 2019-01-01")
        parser.add_argument("--reason", required=True, help="why; kept for ever")
        parser.add_argument("--ordered-by", required=True, help="who decided it; kept for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        before = _moment(options["before"])
        if before is None or before >= timezone.now():
            raise CommandError("--before must lie in the past.")
        become_owner()
        for model in tracked_models():
            removed = retire_history(
                model=model, before=before, reason=options["reason"], ordered_by=options["ordered_by"]
            )
            if removed:
                self.stdout.write(f"{model._meta.label}: removed {removed:,} rows of history")

"""`manage.py export_roles`: roles, and who holds them where, as YAML for review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from admin_ext.granting.files import write_roles


class Command(BaseCommand):
    help = "Write roles, and who holds them where, as YAML: to a file, or to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="where to write; standard output when left out")
        parser.add_argument("--as", dest="username", help="write only what this person may see")

    def handle(self, *args: Any, **options: Any) -> None:
        text = write_roles(seen_by=find_person(options["username"]) if options["username"] else None)
        if options["file"]:
            options["file"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")


def find_person(username: str) -> Any:
    """The person whose rights count. Raises CommandError."""
    people = get_user_model()
    found = people._base_manager.filter(**{people.USERNAME_FIELD: username}, is_active=True).first()
    if found is None:
        raise CommandError(f"There is no person {username} with an open account.")
    return found

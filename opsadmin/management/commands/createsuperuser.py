"""`manage.py createsuperuser`: Django's command, on the record."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands.createsuperuser import Command as DjangoCommand

from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door


class Command(DjangoCommand):
    """Writes inside a change set of the door «command»; the database login stands for who did it."""

    def handle(self, *args: Any, **options: Any) -> Any:
        with change_set(actor=None, door=Door.COMMAND, verb="accounts.createsuperuser"):
            return super().handle(*args, **options)

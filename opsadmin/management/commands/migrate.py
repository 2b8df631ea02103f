"""`manage.py migrate` as the role that owns the tables, whoever the product otherwise runs as."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections

from opsadmin.database import OWNER, as_role
from opsadmin.settings.base import env


class Command(DjangoCommand):
    """Django's command on the owner's login (`DATABASE_OWNER_URL`, or derived from `DATABASE_URL`)."""

    def handle(self, *args: Any, **options: Any) -> None:
        become_owner(options["database"])
        super().handle(*args, **options)


def become_owner(alias: str = "default") -> None:
    """Log this process's connection in as the owner. The test suite does so itself, on its own database."""
    connection = connections[alias]
    if connection.settings_dict["USER"] == OWNER:
        return
    url = os.environ.get("DATABASE_OWNER_URL") or as_role(settings.DATABASE_URL, OWNER)
    login = env.db_url_config(url)
    connection.close()
    connection.settings_dict.update(USER=login["USER"], PASSWORD=login["PASSWORD"])

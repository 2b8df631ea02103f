"""`manage.py migrate` as the role that owns the tables, whoever the product otherwise runs as."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections
from django.db.migrations.state import ProjectState

from opsadmin.database import OWNER, as_role
from opsadmin.settings.base import env


class Command(DjangoCommand):
    """Django's command on the owner's login (`DATABASE_OWNER_URL`, or derived from `DATABASE_URL`)."""

    # The check that every declared trigger is there would refuse the very migration that brings it.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        become_owner(options["database"])
        with models_stay_rendered():
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


@contextlib.contextmanager
def models_stay_rendered() -> Iterator[None]:
    """Do not render all models anew for every index, constraint and trigger that a migration adds.

    Django rebuilds a model and everything that refers to it after each such operation, though none of the operations
    looks at the rebuilt class: with a history and two grant tables per model that was nine tenths of a first migrate.
    """
    append = ProjectState._append_option
    quiet = {"indexes", "constraints", "triggers"}

    def append_without_rendering(self: Any, app_label: str, model_name: str, option: str, value: Any) -> None:
        if option not in quiet:
            append(self, app_label, model_name, option, value)
            return
        options = self.models[app_label, model_name].options
        options[option] = [*options.get(option, []), value]

    from django.db.migrations.operations import RemoveIndex
    from pgtrigger.migrations import AddTrigger, RemoveTrigger

    def without_rendering(operation: Any) -> Any:
        forwards = operation.state_forwards

        def state_forwards(self: Any, app_label: str, state: Any) -> None:
            with patch.object(ProjectState, "reload_model", lambda *args, **kwargs: None):
                forwards(self, app_label, state)

        return patch.object(operation, "state_forwards", state_forwards)

    with patch.object(ProjectState, "_append_option", append_without_rendering), contextlib.ExitStack() as quietly:
        for operation in (AddTrigger, RemoveTrigger, RemoveIndex):
            quietly.enter_context(without_rendering(operation))
        yield

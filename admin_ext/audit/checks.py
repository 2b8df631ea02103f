"""Checks that say, before anything is served, where the record would have a hole."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.db import connections

from admin_ext.audit.exempt import EXEMPT_MODELS
from admin_ext.audit.history import tracked_models
from admin_ext.audit.triggers import unguarded


@checks.register()
def every_table_is_recorded(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every concrete model has history or stands, with a reason, in the one list of exemptions."""
    tracked = {model._meta.concrete_model for model in tracked_models()}
    history = {model.history.model for model in tracked_models()}
    # include_auto_created: a many-to-many table made in passing would change unseen.
    return [
        checks.Error(
            f"{model._meta.label} has no history and is not exempt.",
            hint="Derive it from Record or give it `history = History()`; a many-to-many needs an explicit `through`.",
            obj=model,
            id="audit.E001",
        )
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        and model not in tracked
        and model not in history
        and model._meta.managed
        and model._meta.label not in EXEMPT_MODELS
    ]


@checks.register(checks.Tags.database)
def every_trigger_is_on(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """What is declared is installed, and cannot be switched off by a session."""
    messages: list[checks.CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if "audit_changeset" not in connection.introspection.table_names():
            continue
        messages += [
            checks.Error(
                f"The trigger {name} is missing or not ENABLE ALWAYS.",
                hint="Run `migrate`; if it was switched off by hand, find out why.",
                id="audit.E002",
            )
            for name in unguarded(connection)
        ]
    return messages

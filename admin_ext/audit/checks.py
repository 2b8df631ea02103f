"""Checks that say, before anything is served, where the record would have a hole."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.db import connections

from admin_ext.audit.exempt import EXEMPT_MODELS
from admin_ext.audit.history import tracked_models
from admin_ext.audit.past import missing_views
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


@checks.register()
def every_reason_asked_for_is_about_a_column(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """`reason_required` names columns that the record keeps: of others it cannot tell that they changed."""
    messages: list[checks.CheckMessage] = []
    for model in tracked_models():
        rule = getattr(model, "reason_required", False)
        kept = {field.name for field in model.history.model._meta.fields} & {f.name for f in model._meta.fields}
        names = () if isinstance(rule, bool) else rule
        unknown = [names] if isinstance(names, str) else [name for name in names if name not in kept]
        messages += [
            checks.Error(
                f"{model._meta.label}.reason_required names {name!r}, which is no column on the record.",
                hint="Write True, or a tuple of the names of fields that have history.",
                obj=model,
                id="audit.E004",
            )
            for name in unknown
        ]
    return messages


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


@checks.register(checks.Tags.database)
def every_past_can_be_read(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every model that says it has a past has its view; `as_of` refuses to read while one is missing."""
    messages: list[checks.CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if "audit_changeset" not in connection.introspection.table_names():
            continue
        with connection.cursor() as cursor:
            missing = missing_views(cursor)
        messages += [
            checks.Error(f"The past of {table} cannot be read.", hint="Run `migrate`.", id="audit.E003")
            for table in missing
        ]
    return messages


@checks.register(checks.Tags.database)
def the_triggers_are_guarded(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Says where the owner of the tables could switch a trigger off."""
    return [
        checks.Info(
            "The event trigger that keeps the record's triggers switched on is not installed.",
            hint="Run setup_database as a superuser; without one, verify_audit still finds a trigger that is off.",
            id="audit.I001",
        )
        for alias in databases or []
        if not _is_guarded(connections[alias])
    ]


def _is_guarded(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_event_trigger WHERE evtname = 'opsadmin_guard_triggers' AND evtenabled <> 'D'")
        return cursor.fetchone() is not None

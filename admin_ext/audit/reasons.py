"""Which changes ask for a reason: declared on the model, enforced by the database.

A model says `reason_required = True` (every change) or names columns (`("credit_limit",)`: a change of one of them).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import DatabaseError, models

from admin_ext.audit.history import tracked_models

CONSTRAINT = "a_change_that_asks_for_a_reason_has_one"


def asks_reason(model: type[models.Model], columns: Iterable[str] = ()) -> bool:
    """Does a change of these columns of `model` ask for a reason? Without columns: does making or deleting a row?"""
    rule = getattr(model, "reason_required", False)
    if isinstance(rule, bool):
        return rule
    return not _columns(model, rule).isdisjoint(_columns(model, columns))


def told_rule(model: type[models.Model]) -> str:
    """Which changes of `model` ask for a reason, in words; empty where none does."""
    rule = getattr(model, "reason_required", False)
    if isinstance(rule, bool):
        return f"every change of {model._meta.verbose_name_plural}" if rule else ""
    return "a change of " + ", ".join(str(model._meta.get_field(name).verbose_name) for name in rule)


def is_missing_reason(error: DatabaseError) -> bool:
    """Did the database refuse a change because nobody said why?"""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == CONSTRAINT


def install_reason_rules() -> None:
    """Tell the database, as its owner, what the models declare."""
    from admin_ext.audit.models import ReasonRule

    declared = {}
    for model in tracked_models():
        rule = getattr(model, "reason_required", False)
        if rule:
            columns = None if rule is True else [model._meta.get_field(name).column for name in rule]
            declared[model._meta.db_table] = (model.history.model._meta.db_table, columns)
    known = {rule.table_name: (rule.history_table, rule.columns) for rule in ReasonRule.objects.all()}
    if known == declared:
        return
    ReasonRule.objects.all().delete()
    ReasonRule.objects.bulk_create(
        ReasonRule(table_name=table, history_table=history, columns=columns)
        for table, (history, columns) in declared.items()
    )


def _columns(model: type[models.Model], names: Iterable[str]) -> set[str]:
    """Names of fields or of columns, as columns."""
    named = {field.name: field.column for field in model._meta.concrete_fields}
    return {named.get(name, name) for name in names}

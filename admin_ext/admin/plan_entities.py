"""What the review of a plan of several entities adds: what became of the rows of each, and of the lines of the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import models
from django.http import HttpRequest

from admin_ext.admin.values import Names
from admin_ext.plans.models import Action, Plan


def chosen_model(plan: Plan, request: HttpRequest) -> str:
    """The entity to which the list is narrowed; empty for all."""
    asked = request.GET.get("of", "")
    return asked if any(each["model"] == asked for each in plan.parameters.get("entities", ())) else ""


def shown_entities(plan: Plan, colours: dict[str, str]) -> list[dict[str, Any]]:
    """The entities in their order, each with its rows by outcome."""
    return [
        {
            "model": each["model"],
            "name": str(apps.get_model(each["model"])._meta.verbose_name_plural).capitalize(),
            "total": sum(each["counts"].values()),
            "counts": [
                {
                    "action": action,
                    "label": Action(action).label,
                    "number": each["counts"][action],
                    "colour": colours[action],
                }
                for action in Action.values
                if each["counts"].get(action)
            ],
        }
        for each in plan.parameters.get("entities", ())
    ]


def planned_names(plan: Plan, values: Iterable[tuple[Any, Any]], names: Names) -> Names:
    """Names of rows that the same plan is going to make, by the keys that are kept free for them."""
    if plan.state != Plan.State.READY or "entities" not in plan.parameters:
        return {}
    wanted: dict[str, set[int]] = {}
    for field, value in values:
        if isinstance(field, models.ForeignKey) and value is not None and (field.related_model, value) not in names:
            wanted.setdefault(field.related_model._meta.label, set()).add(value)
    found: Names = {}
    for label, keys in wanted.items():
        rows = plan.rows.filter(action=Action.CREATE, model=label, target_id__in=keys)
        found |= {(apps.get_model(label), key): f"{name}, new" for key, name in rows.values_list("target_id", "key")}
    return found

"""Which fields a policy can be about: not the key, and not those by which people name a row."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from admin_ext.access.veils import Veiled
from admin_ext.audit.triggers import FOLLOWING_COLUMNS

# What nobody sees anyway.
NEVER_SEEN = frozenset({"password"})


@cache
def named_by(model: type[models.Model]) -> frozenset[str]:
    """The fields by which people know a row: its natural key, what it hangs from, and what its name is made of."""
    names = {name.partition("__")[0] for name in getattr(model, "natural_key_fields", ())}
    if part_of := getattr(model, "part_of", ""):
        names.add(part_of)
    for field in model._meta.concrete_fields:
        if field.name not in names and _is_in_name(model, field):
            names.add(field.name)
    return frozenset(names)


def _is_in_name(model: type[models.Model], asked: Any) -> bool:
    """Does the value of the field show in the name of a row? Asked of a row of tokens; in doubt, yes."""
    trace = "\ue000"
    row: Any = model()
    for field in model._meta.concrete_fields:
        token = Veiled(trace if field is asked else "-")
        row.__dict__[field.attname] = token
        if field.is_relation:
            field.set_cached_value(row, token)
    try:
        return trace in str(row)
    except (TypeError, ValueError, AttributeError):
        return not asked.is_relation


@cache
def policed_models() -> tuple[type[models.Model], ...]:
    """The models whose fields can have policies: records that roles, or their wholes' roles, open."""
    found = [model for model in apps.get_models() if hasattr(model, "controlled_fields") and not model._meta.proxy]
    return tuple(sorted(found, key=lambda model: model._meta.label))


def policed_fields(model: type[models.Model]) -> list[models.Field]:
    """The fields that a policy can hide or mask, or keep from being written."""
    return [field for field in model._meta.concrete_fields if not why_not_policed(model._meta.label, field.name, "")]


def why_not_policed(label: str, name: str, kind: str) -> str:
    """Why there can be no policy of this kind for this field, for people; empty when there can."""
    model: Any = next((each for each in policed_models() if each._meta.label == label), None)
    if model is None:
        return f"There are no records “{label}” whose fields could have policies."
    field = next((each for each in model._meta.concrete_fields if each.name == name), None)
    kind_of_row = model._meta.verbose_name
    if field is None or name in NEVER_SEEN:
        return f"A {kind_of_row} has no field “{name}”."
    if field.primary_key or name in FOLLOWING_COLUMNS:
        return f"The product itself needs {field.verbose_name} of every {kind_of_row}: there is no policy for it."
    if kind != "read_only" and name in named_by(model):
        return (
            f"{str(field.verbose_name).capitalize()} is part of the name under which people see a {kind_of_row}: in "
            "lists, links, searches, files and messages. It can be read only, but neither hidden nor masked."
        )
    return ""

"""What a new row gets by itself, and what it cannot do without."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from django.db import models


def defaults_of(model: type[models.Model]) -> dict[str, Any]:
    """What a new row gets where nothing is said; the database knows its own defaults."""
    return {
        field.name: field.get_default()
        for field in model._meta.concrete_fields
        if not field.primary_key
        and not getattr(field, "generated", False)
        and not field.has_db_default()
        and (field.has_default() or not field.null)
        and not (field.get_default() is None and not field.null)
    }


def required_of(
    model: type[models.Model], defaults: dict[str, Any], *, spare: Container[str], said: Container[str]
) -> list[tuple[str, bool, Any]]:
    """Fields that a new row cannot do without: name, whether an empty text will do, and the default.

    Those in `spare` are filled elsewhere. One that is not in `said`, and whose default will do, is not asked about.
    """
    required = [
        (field.name, field.blank, defaults.get(field.name))
        for field in model._meta.concrete_fields
        if not (field.primary_key or field.null or field.has_db_default() or getattr(field, "generated", False))
        and field.name not in spare
    ]
    return [each for each in required if each[0] in said or is_missing(each[2], each[1])]


def is_missing(given: Any, may_be_blank: bool) -> bool:
    """Whether a value is none that a field takes."""
    return given is None or (given == "" and not may_be_blank)

"""Values of columns in words: related rows by their names, as far as the person may see them now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.access.rights import restrict
from admin_ext.filtering.telling import names, with_related

Names = dict[tuple[Any, int], str]


def names_of(values: Iterable[tuple[Any, Any]], user: Any) -> Names:
    """The names of the related rows among (field, value) pairs that `user` may see; one query per related model."""
    wanted: dict[type[models.Model], set[Any]] = {}
    for field, value in values:
        if isinstance(field, models.ForeignKey) and value is not None:
            wanted.setdefault(field.related_model, set()).add(value)
    found = {}
    for model, keys in wanted.items():
        rows = restrict(model._default_manager.filter(pk__in=keys), user, "view")
        found.update({(model, key): name for key, name in names(with_related(rows), reader=user).items()})
    return found


def in_words(field: Any, value: Any, names: Names) -> str:
    """A value as a person reads it; empty for none."""
    if value in (None, ""):
        return ""
    if isinstance(field, models.ForeignKey):
        return names.get((field.related_model, value), NOT_VISIBLE)
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)

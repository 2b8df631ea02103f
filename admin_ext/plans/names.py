"""By what name people know rows as they were, when the rows themselves may be gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from admin_ext.access.fields import fields
from admin_ext.access.rights import restrict

NOT_TOLD = "…"


def names_then(rows: Iterable[Any], model: Any, user: Any) -> dict[int, str]:
    """Names of history rows of `model`, by the key of the record: its natural key and its words of then; a
    part is named within its whole.

    What stands in related rows is told as it is now, and only as far as `user` may see them.
    """
    rows = list(rows)
    own = [name for name in model.natural_key_fields if not model.part_of or name.partition("__")[0] != model.part_of]
    parts = [_step(rows, model, name, user) for name in own]
    readable = fields(user, "view", model).readable
    words = [name for name in model.search_words if name in readable]
    return {
        row.id: " ".join(
            [
                " / ".join(str(part[row.id]) for part in parts),
                *(str(getattr(row, name)) for name in words if getattr(row, name, "")),
            ]
        )
        for row in rows
    }


def _step(rows: list[Any], model: type[models.Model], name: str, user: Any) -> dict[int, Any]:
    first, _, rest = name.partition("__")
    field: Any = model._meta.get_field(first)
    if not isinstance(field, models.ForeignKey):
        return {row.id: getattr(row, field.attname) for row in rows}
    related = field.related_model
    keys = {getattr(row, field.attname) for row in rows}
    rest = rest or getattr(related, "natural_key_fields", ("pk",))[0]
    seen = restrict(related._default_manager.filter(pk__in=keys), user, "view").values_list("pk", rest)
    told = dict(seen)
    return {row.id: told.get(getattr(row, field.attname), NOT_TOLD) for row in rows}

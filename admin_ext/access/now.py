"""Rights are those of now, also where rows are read as they were.

While the past is read, a table's name means its view in the past. What a person may see is then asked of the tables
themselves: the condition of now becomes a subquery whose tables are named with their schema.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

# What may be done where the past is read. All else is refused.
READING = ("view", "export")

_TABLE = re.compile(r'\b(FROM|JOIN) "(\w+)"(?!\.)')


class ExistsNow(Exists):
    """An EXISTS that reads tables as they are, whatever the search path says."""

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        sql, params = super().as_sql(compiler, connection, **extra)
        return _TABLE.sub(r'\1 "public"."\2"', sql), params


def visible_now(model: type[models.Model], where: Q, whole: tuple[str, type[models.Model], Q] | None) -> Q:
    """The condition on past rows of `model` of which `where` holds of the row of now.

    A row deleted since has no scope to be in: who is limited by scope does not see it. A part deleted since follows
    its whole, as it always did: `whole` is the foreign key to it, its model and the condition on that.
    """
    rows = model._base_manager
    seen = Q(ExistsNow(rows.filter(where, pk=OuterRef("pk"))))
    if whole is None:
        return seen
    part_of, whole_model, whole_where = whole
    gone = ~Q(ExistsNow(rows.filter(pk=OuterRef("pk"))))
    followed = whole_model._base_manager.filter(whole_where, pk=OuterRef(f"{part_of}_id"))
    return seen | (gone & Q(ExistsNow(followed)))

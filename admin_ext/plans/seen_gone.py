"""Which rows a person may know of, there or gone: asked for a batch."""

from __future__ import annotations

from typing import Any

from admin_ext.access.deleted import restrict_deleted
from admin_ext.access.rights import restrict


def seen(user: Any, model: Any, past: dict[int, Any]) -> set[int]:
    """Those keys of `past` (a history row for each key) whose rows `user` may see now, or where they last were.

    What is gone is asked about as `access.deleted.can_deleted` does: a part about its whole.
    """
    rows = model._default_manager.filter(pk__any_of=list(past))
    there = set(rows.values_list("pk", flat=True))
    found = set(restrict(rows, user, "view").values_list("pk", flat=True))
    gone = {key: row for key, row in past.items() if key not in there}
    if not gone:
        return found
    if not (part_of := getattr(model, "part_of", "")):
        last = restrict_deleted(model.history.filter(pk__any_of=[row.pk for row in gone.values()]), user, "view")
        return found | set(last.values_list("id", flat=True))
    field = model._meta.get_field(part_of)
    whole = field.related_model
    wholes = {getattr(row, field.attname) for row in gone.values()}
    seen_wholes = seen(user, whole, _last(whole, wholes))
    return found | {key for key, row in gone.items() if getattr(row, field.attname) in seen_wholes}


def _last(model: Any, keys: set[int]) -> dict[int, Any]:
    rows = model.history.filter(id__any_of=list(keys)).order_by("id", "-history_id").distinct("id")
    return {row.id: row for row in rows}

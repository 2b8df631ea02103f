"""What changed in a view between two instants: which rows came in, which went out, which are others than they were.

The view's filters are asked at each instant, so a row also comes in because it was changed to pass them, or because a
row that they look at along a relation was. Only keys and versions are kept, 16 bytes for a row at each instant.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from admin_ext.audit.past import as_of
from admin_ext.filtering.filterset import filterset_for
from admin_ext.filtering.selection import Selection, UnknownFilter

FETCHED = 10_000


@dataclasses.dataclass
class Changes:
    """Primary keys of rows, ascending."""

    added: array[int]
    left: array[int]
    changed: array[int]

    def __iter__(self) -> Iterator[tuple[str, array[int]]]:
        return iter((("added", self.added), ("left", self.left), ("changed", self.changed)))


def changes_between(
    selection: Selection, *, actor: Any, since: datetime, until: datetime, action: str = "view"
) -> Changes:
    """The rows of a selection of now that came, went or changed after `since`, up to `until`. Raises UnknownFilter."""
    after = _standing(selection, actor, action, since, until, at=until)
    try:
        before = _standing(selection, actor, action, since, until, at=since)
    except UnknownFilter:
        # A filter names a row that there is, and was not yet: nothing stood in the view then.
        before = array("q"), array("q")
    return _compared(before, after)


def _standing(
    selection: Selection, actor: Any, action: str, since: datetime, until: datetime, *, at: datetime
) -> tuple[array[int], array[int]]:
    """Keys and versions of the rows that stood in the selection at an instant."""
    then = dataclasses.replace(selection, as_of=at.isoformat())
    keys, versions = array("q"), array("q")
    with as_of(at):
        rows = then.resolve(actor=actor, action=action)
        if _looks_at_itself(selection):
            touched = rows.model.history.filter(history_date__gt=since, history_date__lte=until)
            rows = rows.filter(pk__in=touched.values("id"))
        for key, version in rows.order_by("pk").values_list("pk", "version").iterator(chunk_size=FETCHED):
            keys.append(key)
            versions.append(version)
    return keys, versions


def _looks_at_itself(selection: Selection) -> bool:
    """Whether nothing but a row's own columns decides if it is in: then only rows with history between can differ."""
    model = selection.get_model()
    searched = (
        *getattr(model, "natural_key_fields", ())[:1],
        *getattr(model, "search_references", ()),
        *getattr(model, "search_words", ()),
    )
    if selection.search and any("__" in name for name in searched):
        return False
    filterset_class = filterset_for(model)
    declared = filterset_class.base_filters if filterset_class else {}
    for parameter in selection.filters:
        used = [each for name, each in declared.items() if parameter == name or parameter.startswith(f"{name}_")]
        if not used or any(each.method or "__" in each.field_name for each in used):
            return False
    return True


def _compared(before: tuple[array[int], array[int]], after: tuple[array[int], array[int]]) -> Changes:
    """Walk both sides in the order of their keys."""
    changes = Changes(added=array("q"), left=array("q"), changed=array("q"))
    old, old_versions = before
    new, new_versions = after
    i = j = 0
    while i < len(old) or j < len(new):
        if j == len(new) or (i < len(old) and old[i] < new[j]):
            changes.left.append(old[i])
            i += 1
        elif i == len(old) or new[j] < old[i]:
            changes.added.append(new[j])
            j += 1
        else:
            if old_versions[i] != new_versions[j]:
                changes.changed.append(old[i])
            i += 1
            j += 1
    return changes

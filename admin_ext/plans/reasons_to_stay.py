"""Why a row that nobody has changed since still stays as it is: what verbs move, what is settled, what is not the actor's."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from admin_ext.access.fields import fields as field_rights
from admin_ext.models import Record

NOT_YOURS = "The act changed something of it that is not yours to change."


class Stays:
    """Asked about a batch of rows of one model; `past` has a history row for each key, `keys` are those meant."""

    def __init__(self, model: Any, actor: Any, past: dict[int, Any], keys: list[int]) -> None:
        self.model = model
        self.actor = actor
        self.past = past
        self.keys = keys
        self.rights = field_rights(actor, "change", model)
        self.seen = field_rights(actor, "view", model)

    def with_its_whole(self, key: int) -> str:
        """A part neither goes nor comes back while its whole, in the state it is in, keeps its parts."""
        if not self._wholes:
            return ""
        field = self.model._meta.get_field(self.model.part_of)
        whole = self._wholes.get(getattr(self.past[key], field.attname))
        if whole is None or field.remote_field.get_accessor_name() not in whole.settled_fields():
            return ""
        return f"The {whole._meta.verbose_name} keeps its {self.model._meta.verbose_name_plural} in the state it is in."

    def with_values(self, key: int, moved: list[Any]) -> str:
        """A row goes back as a whole or not at all: one column that may not is enough."""
        settled = self._present[key].settled_fields() if key in self._present else ()
        for field in moved:
            label = str(field.verbose_name).capitalize()
            if field.name not in self.seen.readable:
                return NOT_YOURS
            if field.name in self.rights.controlled:
                return f"{label} is moved by the record's own verbs alone."
            if field.name not in self.rights.writable:
                return f"{label} is not yours to change."
            if field.name in settled:
                return f"{label} stays as it is while the {self.model._meta.verbose_name} is in this state."
        return ""

    @cached_property
    def _present(self) -> dict[int, Any]:
        return _those_that_settle(self.model, set(self.keys))

    @cached_property
    def _wholes(self) -> dict[int, Any]:
        if not self.model.part_of:
            return {}
        field = self.model._meta.get_field(self.model.part_of)
        return _those_that_settle(field.related_model, {getattr(self.past[key], field.attname) for key in self.keys})


def _those_that_settle(model: Any, keys: set[int]) -> dict[int, Any]:
    """The rows as they are, of a model whose states settle anything."""
    if model.settled_fields is Record.settled_fields:
        return {}
    return {row.pk: row for row in model._default_manager.filter(pk__any_of=list(keys))}

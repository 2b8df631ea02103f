"""Which rows a person meant, as data: the question is kept, not its million answers.

A selection is resolved again, under the actor's rights of that moment, when its job runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Self

from django.apps import apps
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.sql.query import Query

from admin_ext.access.fields import treatment_of
from admin_ext.access.rights import restrict
from admin_ext.audit.past import as_of, instant_looked_at
from admin_ext.filtering.filterset import as_querydict, filterset_for
from admin_ext.filtering.instants import in_words
from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.search import search


class UnknownFilter(Exception):
    """A selection names a filter that the list does not have, or a value that it does not understand."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """Picked keys, or everything that passes filters and search; ordered as the person saw it.

    With `as_of`, an instant in ISO 8601 with its offset, the rows are those that stood then: resolve and read them
    inside `moment()`.
    """

    model: str
    keys: list[int] | None = None
    filters: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    search: str = ""
    ordering: list[str] = dataclasses.field(default_factory=list)
    as_of: str = ""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**data)

    @classmethod
    def picked(cls, model: type[models.Model], keys: list[int]) -> Self:
        return cls(model=model._meta.label, keys=sorted(keys))

    @classmethod
    def of_view(cls, view: Any, reader: Any) -> Self:
        """The rows that a saved view asks for. Raises ViewVeiled."""
        state = ListState.of_view(view, reader)
        ordering = list(state.ordering)
        return cls(model=view.model, filters=dict(state.filters), search=state.search, ordering=ordering)

    def get_model(self) -> type[models.Model]:
        return apps.get_model(self.model)

    @property
    def instant(self) -> datetime | None:
        """The instant of the past that is meant; None for now."""
        return datetime.fromisoformat(self.as_of) if self.as_of else None

    def moment(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, the rows are read as they stood when they were meant to be."""
        return as_of(self.instant) if self.instant else contextlib.nullcontext()

    def resolve(self, *, actor: Any, action: str) -> models.QuerySet:
        """The rows meant, as far as `actor` may do `action` to them now. Raises UnknownFilter."""
        if self.instant != instant_looked_at():
            raise RuntimeError("A selection of the past is resolved inside its moment(), one of now outside of any.")
        model = self.get_model()
        rows = restrict(model._default_manager.all(), actor, action)
        if self.keys is not None:
            rows = rows.filter(pk__in=self.keys)
        if self.filters:
            rows = self._filtered(rows, actor)
        rows = search(rows, self.search, actor)
        told = (name for name in self.ordering if has_column(model, name) and not treatment_of(actor, model, name))
        return rows.order_by(*told, "pk")

    def describe(self) -> str:
        """One line for people: «3 picked» or the filters in words, and the instant in their zone."""
        rows = self._describe_rows()
        return f"{rows}, as of {in_words(self.instant)}" if self.instant else rows

    def _describe_rows(self) -> str:
        if self.keys is not None:
            return f"{len(self.keys):,} picked"
        parts = [f"{name}={','.join(values)}" for name, values in self.filters.items()]
        if self.search:
            parts.append(f"search “{self.search}”")
        return " and ".join(parts) or "all"

    def _filtered(self, rows: models.QuerySet, actor: Any) -> models.QuerySet:
        filterset_class = filterset_for(rows.model)
        known = filterset_class.parameters(actor) if filterset_class else set()
        if unknown := sorted(set(self.filters) - known):
            raise UnknownFilter(
                f"{rows.model._meta.verbose_name_plural.capitalize()} have no filter {', '.join(unknown)}. "
                f"There are: {', '.join(sorted(known)) or 'none'}."
            )
        assert filterset_class is not None
        filterset = filterset_class(
            as_querydict(self.filters), queryset=rows, request=SimpleNamespace(user=actor, GET={})
        )
        if not filterset.is_valid():
            errors = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in filterset.errors.items())
            raise UnknownFilter(f"The filter was not understood: {errors}")
        return filterset.filter_queryset(rows)


def has_column(model: type[models.Model], path: str) -> bool:
    """Whether rows of the model can be put in the order of this path; what a list adds to its rows is no column."""
    try:
        Query(model).names_to_path(path.removeprefix("-").split("__"), model._meta, fail_on_missing=True)
    except FieldError:
        return False
    return True

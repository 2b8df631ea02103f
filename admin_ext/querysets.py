"""Reads that every business model has."""

from __future__ import annotations

from typing import Any, Self

from django.db import models

from admin_ext.access.rights import restrict


class RecordQuerySet(models.QuerySet):
    """A queryset that knows what a person may do to its rows."""

    def restrict(self, user: Any, action: str = "view") -> Self:
        """The rows to which `user` may do `action`."""
        return restrict(self, user, action)  # type: ignore[return-value, type-var]

    def get_by_natural_key(self, *values: Any) -> Any:
        return self.get(**dict(zip(self.model.natural_key_fields, values, strict=True)))

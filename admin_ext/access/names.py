"""Names in explanations, told within the rights of whom they are told to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models

from admin_ext.access.rights import restrict

SHOWN = 8


class Names:
    """What rows are called now. A row that the reader may not see, or that is gone, is told by its number."""

    def __init__(self, told_to: Any, instant: datetime | None = None) -> None:
        self.told_to, self.instant = told_to, instant

    def row(self, model: type[models.Model], key: int) -> str:
        return self.rows(model, [key])[0]

    def rows(self, model: type[models.Model], keys: Iterable[int]) -> list[str]:
        """The names of rows, in the order of their keys as given."""
        keys = list(keys)
        seen: Any = model._default_manager.filter(pk__in=keys)
        if self.told_to is not None:
            seen = restrict(seen, self.told_to, "view")
        known = seen.in_bulk()
        kind = str(model._meta.verbose_name)
        return [str(known[key]) if key in known else f"{kind} #{key}" for key in keys]


def listed(names: Iterable[str]) -> str:
    """Names as a person would say them, the first few by name."""
    names = list(names)
    if len(names) > SHOWN:
        names = [*names[:SHOWN], f"{len(names) - SHOWN} more"]
    return names[0] if len(names) == 1 else " and ".join([", ".join(names[:-1]), names[-1]]) if names else "nothing"

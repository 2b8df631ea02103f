"""Related rows by another of their fields than the one they are known by: the name of a supplier, not its code.

A row is found only among those that the person may see, by a field that they may read.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from admin_ext.access.fields import fields
from admin_ext.access.rights import NotPermitted, restrict

# Up to as many related rows are read at once; of more, each name is asked for by itself.
READ_AT_ONCE = 20_000
_SEVERAL = object()


class LookUp:
    """A step of a mapping: from what a field of the related row says to the name it is known by."""

    def __init__(self, field: Any, by: str, actor: Any) -> None:
        self.related = field.related_model
        self.by = by
        self.natural = getattr(self.related, "natural_key_fields", ("pk",))[0]
        check_readable(actor, self.related, by)
        self.rows = restrict(self.related._default_manager.all(), actor, "view").order_by()
        self.found: dict[str, Any] = {}
        self.is_whole = False

    def __call__(self, value: Any) -> tuple[Any, tuple[str, str] | None]:
        text = "" if value is None else str(value).strip()
        if not text:
            return value, None
        found = self._find(text.casefold(), text)
        kind = self.related._meta.verbose_name
        if found is _SEVERAL:
            return None, (f"There are several: {kind} “{text}” is not one row.", "Use what they are told apart by.")
        if found is None:
            return None, (f"There is no {kind} “{text}” that you may use.", "Correct the name, or import it first.")
        return found, None

    def _find(self, folded: str, text: str) -> Any:
        if not self.found and not self.is_whole:
            some = list(self.rows.values_list(self.by, self.natural)[: READ_AT_ONCE + 1])
            self.is_whole = len(some) <= READ_AT_ONCE
            self._keep(some if self.is_whole else ())
        if folded not in self.found and not self.is_whole:
            self._keep(self.rows.filter(**{f"{self.by}__iexact": text}).values_list(self.by, self.natural)[:2])
        return self.found.get(folded)

    def _keep(self, rows: Any) -> None:
        for told, natural in rows:
            folded = str(told).strip().casefold()
            self.found[folded] = natural if self.found.get(folded, natural) == natural else _SEVERAL


def offered(field: Any, actor: Any) -> list[str]:
    """By which fields of the related row it may be looked up: texts that the person may read."""
    related = field.related_model
    natural = getattr(related, "natural_key_fields", ("pk",))[0]
    readable = fields(actor, "view", related).readable
    return [
        each.name
        for each in related._meta.concrete_fields
        if isinstance(each, models.CharField) and not each.choices and each.name in readable and each.name != natural
    ]


def check_readable(actor: Any, related: type[models.Model], by: str) -> None:
    """Raises NotPermitted for a field that is not offered: whether a value is there would tell what it is."""
    if by not in fields(actor, "view", related).readable:
        raise NotPermitted(f"You may not look up {related._meta.verbose_name_plural} by {by}.")

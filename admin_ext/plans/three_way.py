"""A file that says which version of a row it was made from: three values of a cell are compared, and nobody's work is lost.

What the file leaves as it was is not written, so that what others changed meanwhile stays. What both changed, each in
their own way, is told and not written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models

from admin_ext.plans.rows import problem

VERSION = "row version"
"""The column of a file that says it, as exports for editing write it; and its name among the values of a proposal."""
EXPORT_AGAIN = "Export the row again."
Key = tuple[int, int]


def is_versioned(model: type[models.Model]) -> bool:
    """Whether rows of the model have versions, and a record in which a version can be looked up."""
    return hasattr(model, "history") and any(field.name == "version" for field in model._meta.concrete_fields)


class ThreeWay:
    """The rows of a file beside what they were made from and what they are; asks the record once for a batch."""

    def __init__(self, model: type[models.Model], fields: dict[str, Any], *, label: Callable[[str], str]) -> None:
        self.model, self.fields, self.label = model, fields, label
        self.is_asked = is_versioned(model)
        self.then: dict[Key, dict[str, Any]] = {}

    def version_of(self, proposal: Any) -> int | None:
        """The version that a row says; None where it says none, as one that was added to the file."""
        return proposal.values.get(VERSION) if self.is_asked else None

    def look_up(self, batch: list[Any], keys: list[Any], existing: dict[Any, dict[str, Any]]) -> None:
        """Read the versions that proposals say; what is none becomes an error of theirs."""
        wanted: set[Key] = set()
        for proposal, key in zip(batch, keys, strict=True):
            raw = self.version_of(proposal)
            if raw is None:
                continue
            try:
                version = proposal.values[VERSION] = _number(raw)
            except ValueError:
                said = "A version is a whole number, as the export wrote it."
                proposal.errors.append(problem(said, column=VERSION, value=raw, advice=EXPORT_AGAIN))
                continue
            current = existing.get(key)
            if version is not None and current is not None and version != current["version"]:
                wanted.add((current["pk"], version))
        self.then = self._standing(wanted)

    def _standing(self, wanted: set[Key]) -> dict[Key, dict[str, Any]]:
        """What stood in rows at versions of theirs, as far as the record has them."""
        if not wanted:
            return {}
        history: Any = self.model.history  # type: ignore[attr-defined]
        names = [field.attname for field in self.fields.values()]
        keys, versions = map(set, zip(*wanted, strict=True))
        rows = history.filter(id__in=keys, version__in=versions).order_by("history_id").values("id", "version", *names)
        found = {(row["id"], row["version"]): row for row in rows}
        return {key: row for key, row in found.items() if key in wanted}

    def merge(
        self, values: dict[str, Any], now: dict[str, Any], version: int | None
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """What of `values` is to be written to the row that is `now`; and what both sides changed, each in their own way."""
        then = self.then.get((now["pk"], version or 0))
        if then is None:
            said = "The record has no such version of this row."
            return {}, [problem(said, column=VERSION, value=version, advice=EXPORT_AGAIN)]
        mine, conflicts = {}, []
        for name, value in values.items():
            field = self.fields[name]
            stood, stands = then[field.attname], now[field.attname]
            if _same(value, stood) or _same(value, stands):
                continue
            mine[name] = value
            if not _same(stood, stands):
                conflicts.append(told_conflict(field, self.label(name), value, stood, stands))
        return mine, conflicts


def _number(raw: Any) -> int | None:
    """The version that a cell tells; None for a blank one. Raises ValueError."""
    return None if raw == "" else int(str(raw).strip().removesuffix(".0"))


def told_conflict(field: models.Field, label: str, value: Any, then: Any, now: Any) -> dict[str, str]:
    """A column that both changed, for people."""
    said = f"{label} was changed by somebody else since the export"
    if not field.is_relation:
        said += f": it was “{_shown(then)}” and is “{_shown(now)}” now"
    advice = "Write what stands there now to leave it, or export the row again to change it."
    return problem(f"{said}.", column=label, value=value, advice=advice, field=field.name)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()  # an import takes blanks around a text away
    return bool(one == other)


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"

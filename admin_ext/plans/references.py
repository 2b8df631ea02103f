"""Related rows by the names that people use, or by their keys as the record holds them: looked up once per batch and
only within what the actor may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from django.db import models

from admin_ext.access.rights import restrict
from admin_ext.plans.rows import problem
from admin_ext.plans.values import Reference, RowKey

if TYPE_CHECKING:
    from admin_ext.plans.differ import Proposal


class PlannedRows(Protocol):
    """Rows that the same plan is going to make, or would have made."""

    def find(
        self, model: type[models.Model], names: Iterable[str]
    ) -> tuple[dict[str, int], dict[str, list[dict[str, Any]]]]:
        """Of these names: the keys of new rows, and what is wrong with those that cannot be."""


# As many found names of one column are kept from batch to batch.
KEPT = 100_000


class References:
    """Finds the rows that foreign keys name."""

    def __init__(self, *, model: type[models.Model], fields: dict[str, Any], labels: dict[str, str]) -> None:
        self.model = model
        self.labels = labels
        self.fields = {name: field for name, field in fields.items() if isinstance(field, models.ForeignKey)}
        self.found: dict[str, dict[str, int]] = {name: {} for name in self.fields}
        self.planned: PlannedRows | None = None

    def resolve(self, batch: list[Proposal], cleaned: list[dict[str, Any]], actor: Any) -> None:
        """Replace every Reference in `cleaned` by the key of its row; what is not found becomes an error."""
        for name, field in self.fields.items():
            column: list[Any] = [values.get(name) for values in cleaned]
            kinds = set(map(type, column))
            if RowKey in kinds:
                self._check_keys(name, field, batch, cleaned, actor)
            if Reference not in kinds:
                continue
            texts = {text for text in column if type(text) is Reference}
            made, failed = self.planned.find(field.related_model, texts) if self.planned else ({}, {})
            rest = texts - made.keys() - failed.keys()
            found = self._look_up(name, field, rest, actor) if rest else {}
            if made:
                found = {**found, **made}
            keys = [found.get(text) for text in column] if kinds == {Reference} else [None]
            if None not in keys:
                for values, key in zip(cleaned, keys, strict=True):
                    values[name] = key
                continue
            for text, proposal, values in zip(column, batch, cleaned, strict=True):
                if type(text) is not Reference:
                    continue
                if (key := found.get(text)) is not None:
                    values[name] = key
                    continue
                del values[name]
                if text in failed:
                    proposal.errors.append(self._follows(name, field, text, failed[text]))
                    continue
                proposal.errors.append(
                    problem(
                        f"There is no {field.related_model._meta.verbose_name} “{text}” that you may use.",
                        column=self.labels.get(name) or str(field.verbose_name),
                        value=text,
                        advice="Correct the name, or import the missing row first.",
                        field=name,
                    )
                )

    def _follows(self, name: str, field: Any, text: str, errors: list[dict[str, Any]]) -> dict[str, str]:
        """Why a row cannot be whose whole cannot be; what is wrong with that is told to whoever may read it there."""
        related = field.related_model._meta
        first = errors[0] if errors else {}
        said = problem(
            f"Its {related.verbose_name} cannot be imported: {first.get('message', '')}".rstrip(": "),
            column=self.labels.get(name) or str(field.verbose_name),
            value=text,
            advice=first.get("advice", ""),
        )
        return (
            {**said, "field": first["field"], "model": first.get("model", related.label)} if "field" in first else said
        )

    def _check_keys(
        self, name: str, field: Any, batch: list[Proposal], cleaned: list[dict[str, Any]], actor: Any
    ) -> None:
        """Whether a row is gone or only hidden is not told apart: its name would be no secret any more."""
        keys = {values[name] for values in cleaned if isinstance(values.get(name), RowKey)}
        action = "change" if name == getattr(self.model, "part_of", "") else "view"
        rows = restrict(
            field.related_model._default_manager.filter(pk__any_of=[int(key) for key in keys]), actor, action
        )
        found = set(rows.values_list("pk", flat=True))
        label = self.labels.get(name) or str(field.verbose_name)
        for proposal, values in zip(batch, cleaned, strict=True):
            key = values.get(name)
            if not isinstance(key, RowKey):
                continue
            if key in found:
                values[name] = int(key)
                continue
            del values[name]
            proposal.errors.append(
                problem(
                    f"The {label} of then does not exist any more, or you may not use it.",
                    column=label,
                    advice=f"Restore the {field.related_model._meta.verbose_name} first, or ask somebody who sees it.",
                )
            )

    def _look_up(self, name: str, field: Any, texts: set[Reference], actor: Any) -> dict[str, int]:
        kept = self.found[name]
        missing = [str(text) for text in texts if text not in kept]
        if missing:
            related = field.related_model
            natural = getattr(related, "natural_key_fields", ("pk",))[0]
            # Who adds a part changes the whole; any other row need only be visible.
            action = "change" if name == getattr(self.model, "part_of", "") else "view"
            rows = restrict(related._default_manager.filter(**{f"{natural}__any_of": missing}), actor, action)
            if len(kept) + len(missing) > KEPT:
                kept.clear()
                missing = [str(text) for text in texts]
                rows = restrict(related._default_manager.filter(**{f"{natural}__any_of": missing}), actor, action)
            kept.update({str(value): key for value, key in rows.values_list(natural, "pk")})
        return kept

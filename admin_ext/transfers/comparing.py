"""The differ of a mapping: what an import, a look at its first rows and a corrected row are compared by."""

from __future__ import annotations

from typing import Any

from admin_ext.plans.differ import Differ
from admin_ext.transfers.mapping import Mapping
from admin_ext.transfers.resources import resource_for


def differ_of(mapping: Mapping, *, actor: Any, labels: dict[str, str] | None = None) -> Differ:
    """Compares what a mapping takes out of a file with the rows there are; `labels`, where they are not the mapping's."""
    declared = resource_for(mapping.resource)
    return Differ(
        model=declared.get_model(),
        actor=actor,
        key=mapping.key,
        columns=mapping.columns,
        new_values=declared.new_values(),
        sequences=mapping.sequences,
        labels=mapping.labels if labels is None else labels,
    )

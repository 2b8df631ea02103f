"""Which columns of a model a person may see and write."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.db import models


@dataclasses.dataclass(frozen=True)
class FieldRights:
    """Names of fields. `controlled` are written by services alone: a form shows them, an import may only bring them in."""

    visible: frozenset[str]
    writable: frozenset[str]
    controlled: frozenset[str]


def fields(user: Any, action: str, model: type[models.Model]) -> FieldRights:
    """What `user` may see and write of `model` when doing `action`."""
    names = frozenset(field.name for field in model._meta.fields if field.name not in ("password",))
    controlled = frozenset(getattr(model, "controlled_fields", ()))
    editable = frozenset(field.name for field in model._meta.fields if field.editable and not field.primary_key)
    return FieldRights(visible=names, writable=(editable & names) - controlled, controlled=controlled)

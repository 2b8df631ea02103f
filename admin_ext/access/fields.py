"""Which columns of a model a person may see, read and write: the one answer, for every page, job and file.

Roles only ever add. Of the person's roles that give the right to do something on a model, the one that treats a field
most generously counts. Who holds no such role and still reaches a row (a grant on it, or because it is theirs) is
treated as strictly as any role is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from admin_ext.access.naming import NEVER_SEEN, named_by, worked_out
from admin_ext.access.rights import access_of, permission
from admin_ext.access.veils import HIDDEN, MASKED

# From generous to strict; nothing stands for no policy.
STRICTNESS = {"": 0, "read_only": 1, "masked": 2, "hidden": 3}
# What only reads. A column is exported by who may both see and export it.
READING = ("view", "export")


@dataclasses.dataclass(frozen=True)
class FieldRights:
    """Names of fields. `controlled` are written by services alone: a form shows them, an import may only bring them in.

    `masked` are among the visible, and shown as dots.
    """

    visible: frozenset[str]
    writable: frozenset[str]
    controlled: frozenset[str]
    masked: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    """What a policy keeps from being written, for whatever reason."""

    @property
    def readable(self) -> frozenset[str]:
        """The fields whose values are told."""
        return self.visible - self.masked

    @property
    def unread(self) -> frozenset[str]:
        """The fields whose values policies keep to themselves."""
        return self.hidden | self.masked


def fields(user: Any, action: str, model: type[models.Model]) -> FieldRights:
    """What `user` may see and write of `model` when doing `action`."""
    known = access_of(user).field_rights
    if (model, action) not in known:
        known[model, action] = _own_rights(user, action, model)
        # A field may be worked out from one that is worked out itself, and from one of a model that refers back.
        while (found := _with_sources(user, model, known[model, action])) != known[model, action]:
            known[model, action] = found
    return known[model, action]


def _own_rights(user: Any, action: str, model: type[models.Model]) -> FieldRights:
    names = frozenset(field.name for field in model._meta.fields if field.name not in NEVER_SEEN)
    controlled = frozenset(getattr(model, "controlled_fields", ()))
    editable = frozenset(field.name for field in model._meta.fields if field.editable and not field.primary_key)
    seen, done = treatments(user, "view", model), treatments(user, action, model)
    reading = [seen, done] if action in READING else [seen]
    hidden = {name for each in reading for name, kind in each.items() if kind == "hidden"}
    masked = {name for each in reading for name, kind in each.items() if kind == "masked"} - hidden
    kept = names & (hidden | masked | done.keys())
    return FieldRights(
        visible=names - hidden,
        masked=names & masked,
        hidden=names & hidden,
        writable=(editable & names) - controlled - kept,
        controlled=controlled,
        kept=kept,
    )


def _with_sources(user: Any, model: type[models.Model], rights: FieldRights) -> FieldRights:
    """The same, where what is worked out from a field that is not told is not told either."""
    hidden, masked = set(rights.hidden), set(rights.masked)
    for name, kind in _followed(user, model).items():
        if name in rights.visible and kind == "hidden":
            hidden.add(name)
        elif name in rights.readable and kind == "masked":
            masked.add(name)
    return dataclasses.replace(
        rights,
        visible=rights.visible - hidden,
        masked=frozenset(masked - hidden),
        hidden=frozenset(hidden),
        writable=rights.writable - hidden - masked,
        kept=rights.kept | hidden | masked,
    )


def _followed(user: Any, model: type[models.Model]) -> dict[str, str]:
    """How strictly the columns of `model` that are worked out are treated for what they are worked out from."""
    if not has_policies(user):
        return {}
    kinds = {name: _strictest(user, model, paths) for name, paths in worked_out(model).items()}
    return {name: kind for name, kind in kinds.items() if kind and name not in named_by(model)}


def _strictest(user: Any, model: type[models.Model], paths: Iterable[str]) -> str:
    return max((treatment_of(user, model, path) for path in paths), key=STRICTNESS.__getitem__, default="")


def treatments(user: Any, action: str, model: type[models.Model]) -> dict[str, str]:
    """The kind of policy that holds for `user` doing `action`, for each field of `model` that has one for them."""
    if user is None or user.is_superuser:
        return {}
    policies = access_of(user).policies()
    giving = policies.roles.get(permission(model, action), set())
    found = {}
    for name, by_role in policies.fields.get(model._meta.label, {}).items():
        if giving:
            kind = min((by_role.get(role, "") for role in giving), key=STRICTNESS.__getitem__)
        else:
            kind = max(by_role.values(), key=STRICTNESS.__getitem__)
        if kind:
            found[name] = kind
    return found


def has_policies(user: Any) -> bool:
    """Can there be a field that `user` meets otherwise than everybody?"""
    return user is not None and not user.is_superuser and bool(access_of(user).policies().fields)


def treatment_of(user: Any, model: type[models.Model], path: str) -> str:
    """How the reader meets what stands at the end of an ORM path: "hidden", "masked" or, when it is told, ""."""
    strictest = ""
    for step in path.removeprefix("-").split("__"):
        try:
            field: Any = model._meta.pk if step == "pk" else model._meta.get_field(step)
        except FieldDoesNotExist:
            # A lookup, or something that a queryset adds.
            kind = _strictest(user, model, worked_out(model).get(step, ()))
            return max(strictest, kind, key=STRICTNESS.__getitem__)
        # Whoever follows a relation backwards reads the column that makes it.
        holder, column = (
            (field.related_model, field.field) if field.auto_created and not field.concrete else (model, field)
        )
        if column.concrete and not column.many_to_many:
            rights = fields(user, "view", holder)
            kind = "" if column.name in rights.readable else "masked" if column.name in rights.masked else "hidden"
            strictest = max(strictest, kind, key=STRICTNESS.__getitem__)
        if field.related_model is None:
            break
        model = field.related_model
    return strictest


def veil(rows: list[Any], user: Any) -> None:
    """Take from rows of one model the values that `user` may not read. From then on they are for showing alone."""
    if not rows:
        return
    model = type(rows[0])
    rights = fields(user, "view", model)
    for field in model._meta.concrete_fields:
        if field.name not in rights.unread:
            continue
        stand_in = MASKED if field.name in rights.masked else HIDDEN
        for row in rows:
            row.__dict__[field.attname] = stand_in
            if isinstance(field, models.ForeignKey):
                other: Any = stand_in
                field.set_cached_value(row, other)
    kind_of_row: Any = model
    for name in worked_out(kind_of_row).keys() - {field.name for field in model._meta.concrete_fields}:
        if kind := treatment_of(user, model, name):
            for row in rows:
                if name in row.__dict__:
                    row.__dict__[name] = MASKED if kind == "masked" else HIDDEN


def told(value: Any, name: str, rights: FieldRights) -> Any:
    """The value of a visible field, or dots."""
    return MASKED if name in rights.masked else value

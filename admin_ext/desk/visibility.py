"""Which rows of the record a person may see: those of records that they may see now.

A part follows its whole, and what is about a record (a note, a grant, a role held) follows the record. A record that is
gone can no longer be asked for its place: it is seen by those whose right on its model no scope limits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models

from admin_ext.access.rights import access_of, restrict
from admin_ext.desk.records import Recorded


def visible(rows: Iterable[Recorded], user: Any) -> list[Recorded]:
    """Those of `rows` that `user` may see, in their order. One query per model that decides."""
    rows = list(rows)
    deciding: dict[type[models.Model], set[int]] = defaultdict(set)
    subjects = []
    for row in rows:
        subject = subject_of(row)
        subjects.append(subject)
        if subject:
            deciding[subject[0]].add(subject[1])
    seen = {model: _seen(model, keys, user) for model, keys in deciding.items()}
    return [row for row, subject in zip(rows, subjects, strict=True) if subject and subject[1] in seen[subject[0]]]


def subject_of(row: Recorded) -> tuple[type[models.Model], int] | None:
    """The record whose visibility decides: model and key. None when it cannot be told."""
    name = getattr(row.model, "part_of", "") or next(iter(getattr(row.model, "about", ())), "")
    if not name:
        return recorded_as(row.model), row.key
    if name == "record":
        model = ContentType.objects.get_for_id(row.after["content_type_id"]).model_class()
        return (recorded_as(model), row.after["object_id"]) if model else None
    field = row.model._meta.get_field(name)
    key = row.after.get(field.attname)
    return (recorded_as(field.related_model), key) if key is not None else None


def recorded_as(model: Any) -> type[models.Model]:
    """The model under which a table is on the record: a table of somebody else's is known by our proxy of it."""
    from admin_ext.audit.history import tracked_models

    if hasattr(model._meta, "simple_history_manager_attribute"):
        return model
    return next((each for each in tracked_models() if each._meta.concrete_model is model), model)


def sees_all(user: Any, model: type[models.Model]) -> bool:
    """Is the person's right to see rows of `model` limited by no scope, so that it holds for rows that are gone?"""
    return user.is_active and not access_of(user).where(model, "view")


def _seen(model: type[models.Model], keys: set[int], user: Any) -> set[int]:
    if sees_all(user, model):
        return keys
    return set(restrict(model._default_manager.filter(pk__in=keys), user, "view").values_list("pk", flat=True))


def may_see(user: Any, model: type[models.Model], key: int) -> bool:
    """May the person see this record, there or gone?"""
    model = recorded_as(model)
    return bool(_seen(model, {key}, user))

"""Rights to rows that are no longer there: what a role gives, where the row last was. Grants on it went with it."""

from __future__ import annotations

from typing import Any

from django.db import models

from admin_ext.access.rights import access_of, can, on_whole, owner_field


def restrict_deleted(rows: models.QuerySet, user: Any, action: str = "view") -> models.QuerySet:
    """History rows of deletions of a whole, as far as `user` could do `action` to the row where it last was.

    Where a place is reached through another row, that row's place of now counts; when it is gone too, only those who
    work everywhere are let through.
    """
    if not user.is_active:
        return rows.none()
    model: Any = rows.model.instance_type
    access = access_of(user)
    if not access.holds(model, action):
        owner = owner_field(model)
        return rows.filter(**{owner: user.pk}) if owner and action in ("view", "change") else rows.none()
    for dimension, path in getattr(model, "scopes", {}).items():
        places = access.places(dimension)
        if places is not None:
            rows = rows.filter(**{f"{'id' if path == 'pk' else path}__in": places})
    return rows


def can_deleted(user: Any, action: str, deletion: Any) -> bool:
    """May `user` do `action` to the row whose deletion this history row tells of? A part is asked about its whole."""
    model = deletion.instance_type
    if not (part_of := getattr(model, "part_of", "")):
        return restrict_deleted(type(deletion)._default_manager.filter(pk=deletion.pk), user, action).exists()
    whole = model._meta.get_field(part_of).related_model
    key = getattr(deletion, f"{part_of}_id")
    if present := whole._default_manager.filter(pk=key).first():
        return can(user, on_whole(action), present)
    gone = whole.history.filter(id=key, history_type="-").first()
    return gone is not None and can_deleted(user, on_whole(action), gone)

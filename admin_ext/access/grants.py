"""Grants on single rows, in a pair of tables per model with a real foreign key each.

guardian's generic tables compare keys as text and do not scale; its direct-foreign-key tables do. `Grants()` on a
model makes the pair, as simple-history makes the history table: `<Model>UserGrant` and `<Model>GroupGrant`.
"""

from __future__ import annotations

import sys
from typing import Any

from django.db import models
from django.db.models.signals import class_prepared
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from admin_ext.audit.history import History


class UserGrant(UserObjectPermissionBase):
    """One verb on one row for one person."""

    about = ("content_object", "user")
    review_required = True

    history = History(inherit=True)

    class Meta(UserObjectPermissionBase.Meta):
        abstract = True


class GroupGrant(GroupObjectPermissionBase):
    """One verb on one row for every holder of a role."""

    about = ("content_object", "group")
    review_required = True

    history = History(inherit=True)

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = True


class Grants:
    """Declares that rows of a model can be granted one by one. Makes the two grant tables of each concrete model."""

    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        class_prepared.connect(self._make_tables, weak=False)
        self.owner = cls

    def _make_tables(self, sender: type[models.Model], **kwargs: Any) -> None:
        options = sender._meta
        part_of: str = getattr(sender, "part_of", "")
        if options.abstract or options.proxy or not issubclass(sender, self.owner) or part_of:
            return
        sender.user_grants_model = _make_table(sender, UserGrant, "User")
        sender.group_grants_model = _make_table(sender, GroupGrant, "Group")


def _make_table(model: type[models.Model], parent: type[models.Model], holder: str) -> type[models.Model]:
    name = f"{model.__name__}{holder}Grant"
    row = models.ForeignKey(model, on_delete=models.CASCADE, related_name=f"{holder.lower()}_grants")
    meta = type(
        "Meta",
        (parent.Meta,),
        {
            "abstract": False,
            "app_label": model._meta.app_label,
            "default_permissions": (),
            "verbose_name": f"{model._meta.verbose_name} {holder.lower()} grant",
        },
    )
    table = type(name, (parent,), {"__module__": model.__module__, "content_object": row, "Meta": meta})
    setattr(sys.modules[model.__module__], name, table)
    return table

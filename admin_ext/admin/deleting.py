"""What goes with a deletion, told within the rights of who deletes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from admin_ext.access.rights import restrict
from admin_ext.admin.related import hide_related, shown


def deleted_objects(objs: Any, request: HttpRequest, site: admin.AdminSite) -> tuple[Any, ...]:
    """As Django's `get_deleted_objects`, without a name that the person may not know."""
    from django.contrib.admin.utils import NestedObjects
    from django.db import router

    objs = list(objs)
    if not objs:
        return [], {}, set(), []
    collector = NestedObjects(using=router.db_for_write(type(objs[0])), origin=objs)
    collector.collect(objs)
    named: list[str] = []
    counts: dict[str, int] = {}
    lacking: set[str] = set()
    model: Any
    for model, rows in collector.model_objs.items():
        counts[str(model._meta.verbose_name_plural)] = len(rows)
        visible = set(restrict(model._default_manager.filter(pk__in=[r.pk for r in rows]), request.user, "view"))
        hide_related(visible, request.user, loaded=False)
        kind = str(model._meta.verbose_name).capitalize()
        named += [f"{kind}: {row}" for row in list(visible)[:100]]
        if hidden := len(rows) - len(visible):
            named.append(f"{hidden} {model._meta.verbose_name_plural} that you may not see")
        registered = site._registry.get(model)
        if registered and not all(registered.has_delete_permission(request, row) for row in visible):
            lacking.add(str(model._meta.verbose_name))
    protected: list[str] = []
    for blocker in collector.protected:
        seen = restrict(type(blocker)._default_manager.filter(pk=blocker.pk), request.user, "view").exists()
        kind = str(type(blocker)._meta.verbose_name)
        name = shown(blocker, request.user) if seen else ""
        protected.append(f"{kind.capitalize()}: {name}" if seen else f"a {kind} that you may not see")
    return named, counts, lacking, sorted(set(protected))

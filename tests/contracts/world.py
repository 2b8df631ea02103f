"""Whatever is registered is tested: rows of any model, people with exactly the rights of one admin."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import models
from factory import Factory

from admin_ext.access.rights import permission
from admin_ext.models import RECORD_PERMISSIONS, Record
from tests.factories import RecordFactory, UserFactory, give_role


def registered() -> list[admin.ModelAdmin]:
    """Every ModelAdmin of the product."""
    return sorted(admin.site._registry.values(), key=lambda a: a.opts.label)


def ids(model_admin: admin.ModelAdmin) -> str:
    return model_admin.opts.label


def factory_of(model: type[models.Model]) -> type[Factory]:
    """The factory of a model, found by its Meta; every registered model needs one."""
    for path in sorted(Path(__file__).parents[1].glob("apps/*/factories.py")):
        import_module(f"tests.apps.{path.parent.name}.factories")
    waiting = list(RecordFactory.__subclasses__())
    while waiting:
        each = waiting.pop()
        if each._meta.model is model:
            return each
        waiting += each.__subclasses__()
    raise AssertionError(f"{model._meta.label} needs a factory: a RecordFactory in tests/apps/<app>/factories.py.")


def make(model: type[models.Model], **kwargs: Any) -> Any:
    return factory_of(model)(**kwargs)


def rights_on(model: type[models.Model]) -> list[str]:
    """Every right there is on a model, by role."""
    prefix, _, name = permission(model, "view").partition(".view_")
    codenames = [f"{action}_{name}" for action in RECORD_PERMISSIONS]
    found = Permission.objects.filter(content_type__app_label=prefix, codename__in=codenames)
    return [f"{prefix}.{codename}" for codename in found.values_list("codename", flat=True)]


def everywhere(model: type[models.Model]) -> list[str]:
    """The permissions that open every scope that a model hangs from."""
    from admin_ext.access.scopes import scope_model

    dimensions = getattr(model, "scopes", {})
    return [f"{scope_model(each)._meta.app_label}.access_all_{each}" for each in dimensions]


def person_for(model: type[models.Model], *rights: str, scoped: bool = False) -> Any:
    """Somebody with all rights on a model, or the given ones; in every scope unless `scoped`."""
    wanted = list(rights) or rights_on(model)
    return give_role(UserFactory(), *wanted, *([] if scoped else everywhere(model)))


def owner_of(row: Any) -> Any:
    """Whose own the row is, for models where owning is enough; None for others."""
    name = getattr(row, "owner_field", "")
    return getattr(row, name) if name else None


def is_record(model_admin: admin.ModelAdmin) -> bool:
    return issubclass(model_admin.model, Record)


def page(model_admin: admin.ModelAdmin, name: str, *args: Any) -> str:
    from django.urls import reverse

    return reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_{name}", args=args)

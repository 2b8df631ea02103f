"""Resources: which columns of a model go in and out, declared as django-import-export declares them.

A declaration is all that is used of it: reading, checking, writing and rights are the plan engine's.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from import_export import resources


class NoResource(LookupError):
    """No resource is declared for a model."""


class ModelResource(resources.ModelResource):
    """A model's columns for import and export. `Meta` says `model`, `fields` and `import_id_fields`.

    Related rows go by their natural key. `Meta.new_values` are given to rows that an import creates. `Meta.synonyms`
    says what else people call a column, for suggestions: {"postal_code": ["zip", "plz"]}.
    """

    class Meta:
        abstract = True
        new_values: dict[str, Any] = {}
        synonyms: dict[str, list[str]] = {}

    @classmethod
    def get_model(cls) -> type[models.Model]:
        return cls._meta.model

    @classmethod
    def field_names(cls) -> list[str]:
        """The columns, in their declared order."""
        return list(cls._meta.fields or [])

    @classmethod
    def importable(cls) -> list[str]:
        """The columns that a file may bring; the others follow from them or are written by services alone."""
        model = cls.get_model()
        return [
            name
            for name in cls.field_names()
            if model._meta.get_field(name).editable and not getattr(model._meta.get_field(name), "generated", False)
        ]

    @classmethod
    def key(cls) -> tuple[str, ...]:
        """The columns by which an import finds an existing row."""
        return tuple(cls._meta.import_id_fields)

    @classmethod
    def new_values(cls) -> dict[str, Any]:
        return dict(getattr(cls._meta, "new_values", None) or getattr(cls.Meta, "new_values", {}))

    @classmethod
    def synonyms(cls) -> dict[str, list[str]]:
        return dict(getattr(cls._meta, "synonyms", None) or getattr(cls.Meta, "synonyms", {}))

    @classmethod
    def path(cls, name: str) -> str:
        """The ORM path that an export reads for a column, or for a path along foreign keys: at its end, a related row's
        natural key."""
        model: Any = cls.get_model()
        for step in name.split("__"):
            field = model._meta.get_field(step)
            model = field.related_model
        if isinstance(field, models.ForeignKey):
            natural = getattr(field.related_model, "natural_key_fields", ("pk",))[0]
            return f"{name}__{natural}"
        return name


def resource_for(label: str) -> type[ModelResource]:
    """The resource of a model given as "app.Model", in any case. Raises NoResource."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        model = None
    for each in _declared():
        if each._meta.model is model:
            return each
    known = ", ".join(sorted(each._meta.model._meta.label for each in _declared()))
    raise NoResource(f"There is no resource {label}. There are: {known}.")


def has_resource(model: type[models.Model]) -> bool:
    return any(each._meta.model is model for each in _declared())


def _declared() -> list[type[ModelResource]]:
    found, waiting = [], list(ModelResource.__subclasses__())
    while waiting:
        each = waiting.pop()
        waiting += each.__subclasses__()
        if each._meta.model:
            found.append(each)
    return found

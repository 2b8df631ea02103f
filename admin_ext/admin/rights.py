"""Every question that Django's admin asks about rights, answered by `access`."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest

from admin_ext.access.rights import can, restrict
from admin_ext.admin.choices import shown_again
from admin_ext.audit.past import instant_looked_at


class RightsMixin:
    """For ModelAdmins and inlines: rows, pages, choices and autocompletes within the person's rights."""

    model: type[models.Model]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return restrict(super().get_queryset(request), request.user, "view")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "add", self.model)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "delete", obj)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return can(request.user, "import", self.model)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return can(request.user, "export", self.model)

    def _may(self, request: HttpRequest, action: str, obj: Any) -> bool:
        """unfold asks with the key as text, Django with the row or, for the page as a whole, with nothing.

        A page asks about the same row many times; the answers are kept on the request, not beyond it.
        """
        key = getattr(obj, "pk", obj)
        if key is None:
            return can(request.user, action, self.model)
        asked = request.__dict__.setdefault("_opsadmin_answers", {})
        question = (action, self.model, str(key), instant_looked_at())
        if question not in asked:
            rows = self.model._default_manager.filter(pk=key) if str(key).isdigit() else self.model.objects.none()
            asked[question] = restrict(rows, request.user, action).exists()
        return asked[question]

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        rows = _offered(db_field, kwargs)
        kwargs["queryset"] = restrict(rows, request.user, "view")
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.bound_data = shown_again
        return field

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField | None:
        rows = _offered(db_field, kwargs)
        kwargs["queryset"] = restrict(rows, request.user, "view")
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None:
            field.bound_data = shown_again
        return field

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Every foreign key to a model that has a list of its own: never a select with all rows."""
        registry = self.admin_site._registry
        return tuple(
            field.name
            for field in self.model._meta.fields
            if isinstance(field, models.ForeignKey) and field.editable and field.related_model in registry
        )


def _offered(db_field: Any, said: dict[str, Any]) -> models.QuerySet:
    """The rows that a form offers before rights are asked: none, where it says none."""
    rows = said.get("queryset")
    return db_field.related_model._default_manager.all() if rows is None else rows

"""Field policies: which roles meet which fields hidden, masked or read only, and setting that."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from admin_ext.access.models import FieldPolicy
from admin_ext.access.naming import policed_fields, policed_models, why_not_policed
from admin_ext.access.rights import can, restrict
from admin_ext.admin.forms import RecordForm
from admin_ext.admin.options import ModelAdmin
from admin_ext.admin.reasons import posted_reason
from admin_ext.desk.visibility import recorded_as
from admin_ext.granting.policies import lift_policy, set_policy

KINDS = {"read_only": "info", "masked": "warning", "hidden": "danger"}


def columns() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every field that a policy can be about, by model, as people call them."""
    return [
        (
            _name(model),
            [(f"{model._meta.label}:{field.name}", str(field.verbose_name).capitalize()) for field in _fields(model)],
        )
        for model in sorted(policed_models(), key=_name)
        if _fields(model)
    ]


class NewPolicyForm(RecordForm):
    """Which field, of those that there are."""

    column = forms.ChoiceField(choices=lambda: [("", "—"), *columns()], label="Field", widget=UnfoldAdminSelectWidget)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        role, column, kind = cleaned.get("role"), cleaned.get("column", ""), cleaned.get("kind", "")
        if column:
            self.instance.model, _, self.instance.field = column.partition(":")
            if refusal := why_not_policed(self.instance.model, self.instance.field, kind):
                self.add_error("kind", refusal)
            there = FieldPolicy.objects.filter(role=role, model=self.instance.model, field=self.instance.field).first()
            if there:
                said = there.get_kind_display().lower()
                self.add_error("column", f"For holders of {role} it is {said} already. Change that policy instead.")
        return cleaned


class FieldPolicyAdmin(ModelAdmin):
    list_display = ["shown_role", "shown_model", "shown_field", "shown_kind"]
    list_display_links = ["shown_role", "shown_field"]
    list_select_related = ["role"]
    ordering = ["role__name", "model", "field"]
    search_fields = ["model", "field"]
    in_palette: ClassVar[bool] = False
    readonly_fields = ["shown_role", "shown_model", "shown_field"]
    add_fieldsets: ClassVar[list[Any]] = [(None, {"fields": ["role", "column", "kind"]})]
    fieldsets = [(None, {"fields": [("shown_role", "shown_model", "shown_field"), "kind"]})]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        words = search_term.replace(" ", "_")
        found = queryset.filter(model__icontains=words) | queryset.filter(field__icontains=words)
        return (found if search_term else queryset), False

    # Whoever sets policies gives and takes sight: for that the right to grant is asked as well.
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and self._may_grant(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_grant(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_grant(request)

    def _may_grant(self, request: HttpRequest) -> bool:
        return can(request.user, "grant", FieldPolicy)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewPolicyForm
        return super().get_form(request, obj, change=change, **kwargs)

    def formfield_for_foreignkey(self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        # A role is known by our proxy of Django's group, and seen with the right on that.
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        roles: Any = recorded_as(db_field.related_model)
        if field is not None:
            field.queryset = restrict(roles._default_manager.order_by("name"), request.user, "view")
        return field

    def save_model(self, request: HttpRequest, obj: FieldPolicy, form: Any, change: bool) -> None:
        reason = posted_reason(request)
        saved = set_policy(
            actor=request.user, role=obj.role, model=obj.model, field=obj.field, kind=obj.kind, reason=reason
        )
        obj.pk, obj._state.adding = saved.pk, False

    def delete_model(self, request: HttpRequest, obj: FieldPolicy) -> None:
        lift_policy(actor=request.user, policy=obj, reason=posted_reason(request))

    @display(description="role", ordering="role__name")
    def shown_role(self, policy: FieldPolicy) -> str:
        return str(policy.role)

    @display(description="kind of record", ordering="model")
    def shown_model(self, policy: FieldPolicy) -> str:
        try:
            return _name(apps.get_model(policy.model))
        except LookupError:
            return policy.model

    @display(description="field", ordering="field")
    def shown_field(self, policy: FieldPolicy) -> str:
        try:
            return str(apps.get_model(policy.model)._meta.get_field(policy.field).verbose_name).capitalize()
        except (LookupError, FieldDoesNotExist):
            return f"{policy.field} (there is no such field any more)"

    @display(description="treatment", ordering="kind", label=KINDS)
    def shown_kind(self, policy: FieldPolicy) -> tuple[str, str]:
        return policy.kind, policy.get_kind_display()


def _fields(model: type[models.Model]) -> list[models.Field]:
    """Those of which something can be hidden come with those that can only be kept from being written."""
    return [
        field
        for field in model._meta.concrete_fields
        if field in policed_fields(model)
        or (field.editable and not why_not_policed(model._meta.label, field.name, "read_only"))
    ]


def _name(model: type[models.Model]) -> str:
    name = str(model._meta.verbose_name_plural)
    return name[:1].upper() + name[1:]

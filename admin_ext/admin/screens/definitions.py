"""Export definitions: what each writes, who shares it, and having it written now or again and again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest
from unfold.decorators import display

from admin_ext.admin.options import ModelAdmin
from admin_ext.admin.sharing import SharingForm
from admin_ext.admin.times import ExportTimesForm
from admin_ext.admin.verbs import Verb
from admin_ext.transfers.definitions import schedule_export, share_definition, shared_with, write_definition
from admin_ext.transfers.export_columns import label_of
from admin_ext.transfers.formats import FORMATS, PACKINGS
from admin_ext.transfers.models import ExportDefinition


class ShareDefinitionForm(SharingForm):
    def shared_with(self) -> tuple[list[Any], list[Any]]:
        return shared_with(self.row)


class WriteForm(forms.Form):
    """Asks for nothing: what is written stands in the definition."""


class ExportDefinitionAdmin(ModelAdmin):
    list_display = ["name", "shown_list", "shown_format", "owner", "updated_at"]
    list_select_related = ["owner"]
    in_palette = False
    fieldsets = [
        (None, {"fields": ["name", ("shown_list", "owner")]}),
        ("What it writes", {"fields": ["shown_filters", "search", "shown_columns", "shown_order", "shown_format"]}),
        ("Who may use it", {"fields": ["shown_sharing"]}),
    ]
    readonly_fields = [
        "owner", "shown_list", "shown_filters", "search", "shown_columns", "shown_order", "shown_format", "shown_sharing",
    ]  # fmt: skip
    verbs = (
        Verb(write_definition, "Export now", "download", WriteForm, bulk=False),
        Verb(schedule_export, "Schedule", "schedule", ExportTimesForm, bulk=False),
        Verb(share_definition, "Share", "group_add", ShareDefinitionForm, bulk=False),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # They are saved on the page of an export.
        return False

    @display(description="records", ordering="resource")
    def shown_list(self, definition: ExportDefinition) -> str:
        model = _model(definition)
        return str(model._meta.verbose_name_plural).capitalize() if model else definition.resource

    @display(description="filters", ordering="filters")
    def shown_filters(self, definition: ExportDefinition) -> str:
        filters = definition.filters if isinstance(definition.filters, dict) else {}
        return "; ".join(f"{name}: {', '.join(map(str, values))}" for name, values in filters.items()) or "None"

    @display(description="columns", ordering="columns")
    def shown_columns(self, definition: ExportDefinition) -> str:
        return ", ".join(_column(definition, each) for each in definition.columns if isinstance(each, dict))

    @display(description="order", ordering="ordering")
    def shown_order(self, definition: ExportDefinition) -> str:
        return ", ".join(map(str, definition.ordering)) or "As they were made"

    @display(description="format", ordering="format")
    def shown_format(self, definition: ExportDefinition) -> str:
        known = FORMATS.get(definition.format)
        packed = f", {PACKINGS.get(definition.packing, '')}" if definition.packing else ""
        return f"{known.label if known else definition.format}{packed}"

    @display(description="shared with")
    def shown_sharing(self, definition: ExportDefinition) -> str:
        people, roles = shared_with(definition)
        return ", ".join([*(role.name for role in roles), *(str(person) for person in people)]) or "Nobody"


def _model(definition: ExportDefinition) -> Any:
    try:
        return apps.get_model(definition.resource)
    except (LookupError, ValueError):
        return None


def _column(definition: ExportDefinition, column: dict[str, str]) -> str:
    name, header = str(column.get("name", "")), str(column.get("header", ""))
    try:
        label = label_of(_model(definition), name)
    except (FieldDoesNotExist, AttributeError):
        label = name
    return f"{label} as “{header}”" if header else label

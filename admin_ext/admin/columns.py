"""Every question of Django's admin about columns and fields, answered by `access.fields`: hidden ones are not there,
masked ones are dots, and what a policy keeps from being written is shown and not asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.fields import treatment_of
from admin_ext.access.rights import access_of
from admin_ext.access.veils import DOTS
from admin_ext.admin.changelist import ordered_by
from admin_ext.audit.past import instant_looked_at


@dataclasses.dataclass(frozen=True)
class MaskedColumn:
    """Stands in a list or on a page for a column that is masked. `reveals` leads to where its value is shown once."""

    name: str
    short_description: str
    reveals: str = ""
    """The name of the address, for a page; "" in a list."""
    field: str = ""

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, row: Any) -> Any:
        if row.pk is None:
            return ""
        if not self.reveals:
            return DOTS
        part_of = getattr(row, "part_of", "")
        record = getattr(row, f"{part_of}_id") if self.reveals.startswith("part:") else row.pk
        address = reverse(self.reveals.removeprefix("part:"), args=[record, row._meta.model_name, row.pk, self.field])
        return format_html(
            '<span>{}</span> <a class="text-link" href="{}" title="Reveal {}">Reveal …</a>',
            DOTS,
            address,
            self.short_description.lower(),
        )


class ColumnRightsMixin:
    """For ModelAdmins and inlines: columns and fields within the person's rights."""

    model: type[models.Model]
    admin_site: Any

    # -- lists -------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._allowed(request, super().get_list_display(request))

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        ordering = super().get_ordering(request)
        asked: Any = ordering or self.model._meta.ordering or ()
        told = [each for each in asked if not treatment_of(request.user, self.model, ordered_by(each))]
        return ordering if len(told) == len(asked) else told or ["-pk"]

    # -- forms -------------------------------------------------------------------------------------

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        """Beside what stands on the page: no form has a field for what is not seen or not read."""
        kept = self._rights(request, obj).kept
        return (
            [*(super().get_exclude(request, obj) or ()), *sorted(kept)] if kept else super().get_exclude(request, obj)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        rights = self._rights(request, obj)
        read_only = [
            name for name in sorted(rights.kept & rights.readable) if self.model._meta.get_field(name).editable
        ]
        masked = [self._masked(request, name, on_page=True) for name in sorted(rights.masked)] if obj else []
        declared = self._allowed(request, super().get_readonly_fields(request, obj), on_page=True)
        return tuple(dict.fromkeys([*declared, *read_only, *masked]))

    def allowed_fieldsets(self, request: HttpRequest, obj: Any, fieldsets: Iterable[Any]) -> list[Any]:
        """The fieldsets with what the person may see; on the page of a new row, without what they may not write."""
        allowed = []
        for title, options in fieldsets:
            names: list[Any] = []
            for line in options["fields"]:
                if isinstance(line, list | tuple):
                    if left := tuple(self._allowed(request, line, on_page=True, making=obj is None)):
                        names.append(left)
                else:
                    names += self._allowed(request, [line], on_page=True, making=obj is None)
            if names:
                allowed.append((title, {**options, "fields": names}))
        return allowed

    def bind_rights(self, form: Any, request: HttpRequest, *, new: bool) -> None:
        """Let a form class know what the person can neither read nor write."""
        form.lacking = self.lacking(request) if new else []
        form.unread = field_rights(request.user, "view", self.model).unread

    def lacking(self, request: HttpRequest) -> list[str]:
        """What a new row needs and this person may not write, by the names that people use."""
        kept = field_rights(request.user, "add", self.model).kept
        return [
            str(field.verbose_name)
            for field in self.model._meta.concrete_fields
            if field.name in kept
            and field.editable
            and not (field.blank or field.null or field.has_default() or field.has_db_default())
        ]

    # -- shared ------------------------------------------------------------------------------------

    def _rights(self, request: HttpRequest, obj: Any) -> Any:
        return field_rights(request.user, "change" if obj else "add", self.model)

    def _allowed(
        self, request: HttpRequest, names: Iterable[Any], *, on_page: bool = False, making: bool = False
    ) -> list[Any]:
        """The names of columns without those that are hidden, a stand-in for each that is masked."""
        allowed: list[Any] = []
        for name in names:
            path = self._path(name)
            treatment = treatment_of(request.user, self.model, path) if path else ""
            if treatment == "masked" and not making:
                allowed.append(self._masked(request, name, on_page=on_page))
            elif not treatment:
                allowed.append(name)
        return allowed

    def _path(self, name: Any) -> str:
        """What a column shows, as an ORM path: a field's name, or what a callable declares as its ordering."""
        if isinstance(name, str):
            try:
                return self.model._meta.get_field(name).name
            except FieldDoesNotExist:
                name = getattr(self, name, None) or getattr(self.model, name, None)
        shown = name.fget if isinstance(name, property) else name
        return ordered_by(getattr(shown, "admin_order_field", None) or "")

    def _masked(self, request: HttpRequest, name: Any, *, on_page: bool) -> MaskedColumn:
        from django.contrib.admin.utils import label_for_field

        own = isinstance(name, str) and any(field.name == name for field in self.model._meta.fields)
        page: Any = self
        label = str(self.model._meta.get_field(name).verbose_name if own else label_for_field(name, self.model, page))
        reveals = self._reveals(request) if on_page and own else ""
        return MaskedColumn(str(name), label, reveals, str(name) if own else "")

    def _reveals(self, request: HttpRequest) -> str:
        """The name of the address where a masked value of a row is shown; "" when it is not for this person, or now."""
        if instant_looked_at() or not access_of(request.user).holds_any(self.model, "reveal"):
            return ""
        if self.model in self.admin_site._registry:
            options, part = self.model._meta, ""
        elif part_of := getattr(self.model, "part_of", ""):
            related: Any = self.model._meta.get_field(part_of).related_model
            options, part = related._meta, "part:"
        else:
            return ""
        return f"{part}admin:{options.app_label}_{options.model_name}_reveal"

"""Inlines: the parts of a record, edited on its page under the record's own right."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import StackedInline as UnfoldStackedInline
from unfold.admin import TabularInline as UnfoldTabularInline

from admin_ext.access.rights import can
from admin_ext.admin.forms import RecordForm
from admin_ext.admin.rights import RightsMixin


class PartInlineMixin(RightsMixin):
    """Who may change the whole may change its parts; a stale line is refused as a stale record is."""

    form = RecordForm
    extra = 0
    tab = True
    show_change_link = False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        names = [name for name in self.get_fields(request, obj) if name != "record_version"]  # type: ignore[attr-defined]
        return [(None, {"fields": [*names, "record_version"]})]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "add", self.model) if obj is None else self._may_change_whole(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "change", self.model) if obj is None else self._may_change_whole(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "view", self.model) if obj is None else True

    def _may_change_whole(self, request: HttpRequest, whole: Any) -> bool:
        return RightsMixin._may(_AskingAbout(type(whole)), request, "change", whole)  # type: ignore[arg-type]


class _AskingAbout:
    """Lets a question about a whole share the answers kept on the request."""

    def __init__(self, model: type) -> None:
        self.model = model


class TabularInline(PartInlineMixin, UnfoldTabularInline):
    """Parts as lines of a table."""


class StackedInline(PartInlineMixin, UnfoldStackedInline):
    """Parts as blocks."""

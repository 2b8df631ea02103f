"""Inlines: the parts of a record, edited on its page under the record's own right."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import StackedInline as UnfoldStackedInline
from unfold.admin import TabularInline as UnfoldTabularInline

from admin_ext.access.rights import can
from admin_ext.admin.columns import ColumnRightsMixin
from admin_ext.admin.forms import RecordForm
from admin_ext.admin.inline_pages import PagesMixin
from admin_ext.admin.instants import carried_links
from admin_ext.admin.rights import RightsMixin
from admin_ext.audit.past import instant_looked_at
from admin_ext.models import Record


class CarriesInstant:
    """For inlines: links lead to records as they were, where the past is read."""

    model: Any

    @property
    def readonly_preprocess_fields(self) -> dict[str, Any]:
        return carried_links(self.model)


class PartInlineMixin(PagesMixin, CarriesInstant, ColumnRightsMixin, RightsMixin):
    """Who may change the whole may change its parts; a stale line is refused as a stale record is."""

    form = RecordForm
    extra = 0
    tab = True
    show_change_link = False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        names = [name for name in self.get_fields(request, obj) if name != "record_version"]
        allowed = self.allowed_fieldsets(request, obj, [(None, {"fields": names})])
        return [(None, {"fields": [*(allowed[0][1]["fields"] if allowed else ()), "record_version"]})]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        self.bind_rights(formset.form, request, new=True)
        return formset

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "add", self.model) if obj is None else self._may_change_whole(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "change", self.model) if obj is None else self._may_change_whole(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "view", self.model) if obj is None else True

    def _may_change_whole(self, request: HttpRequest, whole: Any) -> bool:
        """The page of the whole decides, and the whole itself: an order that was confirmed keeps its lines."""
        page = self.admin_site._registry[self.parent_model]
        settled = whole.settled_fields() if isinstance(whole, Record) else ()
        return self._relation() not in settled and page.has_change_permission(request, whole)

    def _relation(self) -> str | None:
        part_of = getattr(self.model, "part_of", "")
        return self.model._meta.get_field(part_of).remote_field.get_accessor_name() if part_of else ""


class TabularInline(PartInlineMixin, UnfoldTabularInline):
    """Parts as lines of a table."""


class StackedInline(PartInlineMixin, UnfoldStackedInline):
    """Parts as blocks."""


class ReadOnlyInline(PagesMixin, CarriesInstant, ColumnRightsMixin, RightsMixin, UnfoldTabularInline):
    """Records that hang from this one, shown under their own rights, never changed here."""

    extra = 0
    tab = True

    @property
    def show_change_link(self) -> bool:
        """unfold's own link would leave the past."""
        return instant_looked_at() is None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request.user, "view", self.model)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self.allowed_fieldsets(request, obj, super().get_fieldsets(request, obj))

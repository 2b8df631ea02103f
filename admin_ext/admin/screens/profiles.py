"""Import profiles: how the columns of somebody's file become our fields."""

from __future__ import annotations

from admin_ext.admin.options import ModelAdmin


class ProfileAdmin(ModelAdmin):
    list_display = ["name", "title", "resource", "owner", "updated_at"]
    list_select_related = ["owner"]
    fields = ["name", "title", "resource", "mapping", "owner"]

"""The admin as the packages' documentation has it: scoped by `get_queryset`, a secret column excluded."""

from __future__ import annotations

from typing import Any

from guardian.admin import GuardedModelAdmin
from import_export import resources
from import_export.admin import ImportExportModelAdmin
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.sites import UnfoldAdminSite

from tests.stock.models import Folder, Parcel

site = UnfoldAdminSite(name="admin")


class OwnRows(ModelAdmin):
    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(owner=request.user)


class FolderAdmin(OwnRows):
    search_fields = ["name"]


class ParcelResource(resources.ModelResource):
    class Meta:
        model = Parcel


class ParcelAdmin(SimpleHistoryAdmin, GuardedModelAdmin, ImportExportModelAdmin, OwnRows):
    resource_classes = [ParcelResource]
    list_filter = ["folder"]
    raw_id_fields = ["shelf"]
    search_fields = ["name"]
    exclude = ["secret"]


site.register(Folder, FolderAdmin)
site.register(Parcel, ParcelAdmin)

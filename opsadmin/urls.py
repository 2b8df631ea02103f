"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("", include("opsadmin.health")), path("", admin.site.urls)]

handler403 = "admin_ext.admin.screens.refusals.permission_denied"
handler400 = "admin_ext.admin.screens.refusals.bad_request"

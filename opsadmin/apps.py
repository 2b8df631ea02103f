"""The composition root's own two app configs: its commands, and Django's admin with our site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class OpsAdminConfig(AppConfig):
    name = "opsadmin"
    label = "opsadmin"
    verbose_name = "opsadmin"


class SiteConfig(AdminConfig):
    default_site = "opsadmin.sites.OpsAdminSite"

    def ready(self) -> None:
        super().ready()
        # After Django's autodiscovery of the apps' own admins.
        from admin_ext.admin import registered  # noqa: F401

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "admin_ext.audit"
    label = "audit"
    verbose_name = "The record"

    def ready(self) -> None:
        from admin_ext.audit import checks  # noqa: F401 (registers the system checks)
        from admin_ext.audit.privileges import grant_to_app

        post_migrate.connect(grant_to_app, sender=self, dispatch_uid="opsadmin-grants")

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class AuditConfig(AppConfig):
    name = "admin_ext.audit"
    label = "audit"
    verbose_name = "The record"

    def ready(self) -> None:
        from admin_ext.audit import checks, logins  # noqa: F401 (they register system checks and receivers)
        from admin_ext.audit.past import drop_views
        from admin_ext.audit.privileges import grant_to_app, grant_to_sealer, install_rules
        from admin_ext.audit.seals.columns import note_new_columns

        pre_migrate.connect(drop_views, sender=self, dispatch_uid="opsadmin-past")
        post_migrate.connect(grant_to_app, sender=self, dispatch_uid="opsadmin-grants")
        post_migrate.connect(install_rules, sender=self, dispatch_uid="opsadmin-rules")
        post_migrate.connect(grant_to_sealer, sender=self, dispatch_uid="opsadmin-sealer")
        post_migrate.connect(note_new_columns, sender=self, dispatch_uid="opsadmin-columns")

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DeskConfig(AppConfig):
    name = "admin_ext.desk"
    label = "desk"
    verbose_name = "The auditors' desk"

    def ready(self) -> None:
        from admin_ext.desk import packs, verification  # noqa: F401 (they register job kinds)
        from admin_ext.desk.cases import guard_triggers, install_triggers

        guard_triggers()
        post_migrate.connect(install_triggers, sender=self, dispatch_uid="opsadmin-cases")

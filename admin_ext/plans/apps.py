from django.apps import AppConfig


class PlansConfig(AppConfig):
    name = "admin_ext.plans"
    label = "plans"
    verbose_name = "Plans"

    def ready(self) -> None:
        from admin_ext.plans import applying, making, reverting, sources  # noqa: F401 (they register job kinds and sources)

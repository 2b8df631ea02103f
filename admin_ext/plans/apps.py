from django.apps import AppConfig


class PlansConfig(AppConfig):
    name = "admin_ext.plans"
    label = "plans"
    verbose_name = "Plans"

    def ready(self) -> None:
        # They register job kinds and sources.
        from admin_ext.plans import applying, correcting, making, reverting, sources, undoing  # noqa: F401

from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "admin_ext.transfers"
    label = "transfers"
    verbose_name = "Imports and exports"

    def ready(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        # They register job kinds and a source.
        from admin_ext.transfers import changes, definitions, exporting, importing, previewing, view_schedules  # noqa: F401

        autodiscover_modules("resources")

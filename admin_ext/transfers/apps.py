from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "admin_ext.transfers"
    label = "transfers"
    verbose_name = "Imports and exports"

    def ready(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        from admin_ext.transfers import changes, exporting, importing  # noqa: F401 (they register job kinds and a source)

        autodiscover_modules("resources")

from django.apps import AppConfig


class FilteringConfig(AppConfig):
    name = "admin_ext.filtering"
    label = "filtering"
    verbose_name = "Filters and selections"

    def ready(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        # It registers a job kind and what a schedule can repeat.
        from admin_ext.filtering import watches  # noqa: F401

        # A FilterSet is looked up by its model, by jobs too.
        autodiscover_modules("filters")

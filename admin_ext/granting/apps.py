from django.apps import AppConfig


class GrantingConfig(AppConfig):
    name = "admin_ext.granting"
    label = "granting"
    verbose_name = "Granting"

    def ready(self) -> None:
        from admin_ext.granting.moving import put_up_guards

        put_up_guards()

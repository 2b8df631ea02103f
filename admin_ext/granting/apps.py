from django.apps import AppConfig


class GrantingConfig(AppConfig):
    name = "admin_ext.granting"
    label = "granting"
    verbose_name = "Granting"

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "admin_ext.access"
    label = "access"
    verbose_name = "Access"

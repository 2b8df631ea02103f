from django.apps import AppConfig


class AdminExtConfig(AppConfig):
    name = "admin_ext"
    label = "admin_ext"
    verbose_name = "Platform"

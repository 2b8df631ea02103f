from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "admin_ext.notices"
    label = "notices"
    verbose_name = "Notices"

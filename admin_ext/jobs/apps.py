from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "admin_ext.jobs"
    label = "jobs"
    verbose_name = "Jobs"

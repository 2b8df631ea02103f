from django.apps import AppConfig


class AdminExtConfig(AppConfig):
    name = "admin_ext"
    label = "admin_ext"
    verbose_name = "Platform"

    def ready(self) -> None:
        from admin_ext import lookups  # noqa: F401 (registers them)
        from admin_ext.jobs.bell import ring_for_job
        from admin_ext.jobs.running import ended_listeners

        ended_listeners.append(ring_for_job)

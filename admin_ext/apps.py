from django.apps import AppConfig


class AdminExtConfig(AppConfig):
    name = "admin_ext"
    label = "admin_ext"
    verbose_name = "Platform"

    def ready(self) -> None:
        from admin_ext import lookups  # noqa: F401 (registers them)
        from admin_ext.jobs.bell import ring_for_job
        from admin_ext.jobs.mail import mail_for_job
        from admin_ext.jobs.running import ended_listeners
        from admin_ext.jobs.schedules import pause_after

        ended_listeners.extend([ring_for_job, mail_for_job, pause_after])

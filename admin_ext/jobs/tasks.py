"""What Celery calls. A message carries a job's number and nothing else."""

from __future__ import annotations

from celery import shared_task

from admin_ext.jobs import running, schedules, services


@shared_task(name="jobs.run", acks_late=True, ignore_result=True)
def run(job_id: int, **kwargs: object) -> None:
    running.seen()
    running.run_job(job_id)


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep(**kwargs: object) -> None:
    running.seen()
    services.sweep_jobs()


@shared_task(name="jobs.dispatch_schedules", ignore_result=True)
def dispatch_schedules(**kwargs: object) -> None:
    running.seen()
    schedules.dispatch_schedules()

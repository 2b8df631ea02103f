"""What Celery calls. A message carries a job's number and nothing else."""

from __future__ import annotations

from celery import shared_task

from admin_ext.jobs import running, services


@shared_task(name="jobs.run", acks_late=True, ignore_result=True)
def run(job_id: int, **kwargs: object) -> None:
    running.seen()
    running.run_job(job_id)


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep(**kwargs: object) -> None:
    running.seen()
    services.sweep_jobs()

"""What Celery calls."""

from __future__ import annotations

from celery import shared_task

from admin_ext.transfers import outputs


@shared_task(name="transfers.remove_expired", ignore_result=True)
def remove_expired(**kwargs: object) -> None:
    outputs.remove_expired()

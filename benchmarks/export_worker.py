"""`python -m benchmarks.export_worker FORMAT`: export all orders in a process of its own, as a worker does.

Prints one line of JSON: the seconds of the job, the seconds until its page could tell of progress, the peak of its memory
in MB, the rows, and the bytes of the file.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from benchmarks.memory import peak_memory

COLUMNS = [
    "number", "customer", "warehouse", "ordered_on", "required_on", "customer_reference", "ship_to_name", "ship_to_city",
    "ship_to_country", "carrier", "freight", "currency",
]  # fmt: skip


def main() -> None:
    import django

    django.setup()
    import opsadmin.celery  # noqa: F401  what a worker has loaded

    print(json.dumps(export(sys.argv[1])))


def export(format: str) -> dict[str, float]:
    """Export all orders that the analyst may export, and check that none is missing."""
    from admin_ext.filtering.selection import Selection
    from admin_ext.jobs import services
    from admin_ext.jobs.running import run_job
    from admin_ext.transfers.exporting import submit_export
    from apps.accounts.models import User
    from apps.orders.models import Order

    actor = User.objects.get(username="analyst")
    services.wake = lambda job_id: None  # the worker is this process
    job = submit_export(actor=actor, selection=Selection(model="orders.Order"), format=format, columns=COLUMNS)
    told: list[float] = []
    began = time.perf_counter()
    looking = threading.Thread(target=_look, args=(job.pk, began, told), daemon=True)
    looking.start()
    run_job(job.pk)
    seconds = time.perf_counter() - began
    looking.join()
    job.refresh_from_db()
    made = job.files.get()
    assert made.rows == Order.objects.count(), (job.error, made.rows)
    size = made.file.size
    made.file.delete(save=False)
    return {
        "seconds": seconds,
        "progress": told[0],
        "memory": peak_memory(),
        "rows": made.rows,
        "bytes": size,
    }


def _look(job: int, began: float, told: list[float]) -> None:
    """What the page of the job asks, over and over, until it can tell how far the job is."""
    from django.db import connection

    from admin_ext.jobs.models import Job

    while not Job.objects.filter(pk=job, rows_total__isnull=False).exists():
        time.sleep(0.02)
    told.append(time.perf_counter() - began)
    connection.close()


if __name__ == "__main__":
    main()

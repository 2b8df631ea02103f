"""`python -m benchmarks.import_worker FILE COUNTS`: import a file of orders in a process of its own, as a worker does.

Prints one line of JSON: the seconds to make the plan and to apply it, and the peak of its memory in MB.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.memory import peak_memory


def main() -> None:
    import django

    django.setup()
    import opsadmin.celery  # noqa: F401  what a worker has loaded

    print(json.dumps(import_file(Path(sys.argv[1]), json.loads(sys.argv[2]))))


def import_file(path: Path, expected: dict[str, int]) -> dict[str, float]:
    """Plan and apply a file of orders; every row must come to what `expected` counts."""
    from django.core.files import File

    from admin_ext.jobs import services
    from admin_ext.jobs.running import run_job
    from admin_ext.plans.applying import apply_plan
    from admin_ext.transfers.importing import submit_import
    from apps.accounts.models import User

    actor = User.objects.get(username="analyst")
    services.wake = lambda job_id: None  # the worker is this process
    with path.open("rb") as source:
        plan = submit_import(actor=actor, source=File(source, name=path.name), name=path.name, resource="orders.Order")
    making = _timed(run_job, plan.making_id)
    plan.refresh_from_db()
    assert plan.counts == expected, plan.counts
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good")
    applying = _timed(run_job, plan.applying_id)
    plan.refresh_from_db()
    assert plan.counts == expected, (plan.counts, plan.applying.error)
    _check_history(plan, expected)
    return {
        "making": making,
        "applying": applying,
        "seconds": making + applying,
        "memory": peak_memory(),
    }


def _timed(run: Any, job: int) -> float:
    began = time.perf_counter()
    run(job)
    return time.perf_counter() - began


def _check_history(plan: Any, expected: dict[str, int]) -> None:
    from apps.orders.models import Order

    written = expected.get("create", 0) + expected.get("update", 0)
    assert Order.history.filter(change_set=plan.applying.change_set).count() == written, "history is missing"


if __name__ == "__main__":
    main()

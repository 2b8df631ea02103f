"""Several people at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections

from admin_ext.audit.context import change_set


def together(*acts: Callable[[], object]) -> list[Exception | None]:
    """Do every act in a session and a change set of its own at the same moment; what each of them raised, or None."""
    start, raised = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            start.wait(timeout=5)
            with change_set(actor=None, door="shell"):
                act()
        except Exception as error:
            raised[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return raised

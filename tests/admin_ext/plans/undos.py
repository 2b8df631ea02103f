"""Acts to be undone, and what is asked of their undoing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.plans.undoing import undo_change_set


@contextlib.contextmanager
def act(actor: Any = None, **said: Any) -> Iterator[list[ChangeSet]]:
    """One act; what is yielded is filled with its change set when it is over."""
    over: list[ChangeSet] = []
    with change_set(actor=actor, door="form", verb="tests.act", reason="Because", **said) as opened:
        yield over
    over.append(ChangeSet.objects.get(pk=opened.id))


def planned(actor: Any, undone: ChangeSet) -> Plan:
    plan = undo_change_set(actor=actor, change_set=undone, reason="It was wrong")
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.READY, plan.notes
    return plan


def applied(plan: Plan, mode: str = "keep_good") -> Plan:
    plan = apply_plan(actor=plan.created_by, plan=plan, mode=mode, reason="Because")
    run_job(plan.applying_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.APPLIED, plan.applying.error
    return plan


def undone(actor: Any, over: ChangeSet) -> Plan:
    return applied(planned(actor, over))


def said(plan: Plan) -> str:
    return " ".join(error["message"] for row in plan.rows.all() for error in row.errors or ())

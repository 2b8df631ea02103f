"""Importing a real file as a person would, through a profile, and what to hold it to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files import File

from admin_ext.audit.history import tracked_models
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.models import Profile


def imported(actor: Any, profile: str, path: Path) -> Plan:
    """Plan the file and apply its good rows."""
    found = Profile.objects.get(name=profile)
    with path.open("rb") as source:
        plan = submit_import(actor=actor, source=File(source), name=path.name, resource=found.resource, profile=found)
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.READY, plan.notes
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good")
    if plan.applying_id:
        run_job(plan.applying_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.APPLIED, plan.notes
    return plan


def reasons(plan: Plan) -> dict[str, int]:
    """What the rejected rows are told, and how many are told it; a row without a reason fails."""
    told: dict[str, int] = {}
    for row in plan.rows.filter(action__in=("invalid", "refused")):
        assert row.errors and row.line, f"row {row.number} does not say why or where"
        for error in row.errors:
            told[error["message"]] = told.get(error["message"], 0) + 1
    return told


def history() -> dict[str, int]:
    return {model._meta.label: model.history.count() for model in tracked_models()}

"""Making a plan again from what it was made of, with what its reviewer put into the cells: for plans of which a cell may
change many rows, far away from each other.

Note [Rows aside]
    The rows are written aside, under the number of their plan negated, and take the place of those under review in one
    transaction when all of them are there. Until then the plan is as it was, and so it stays where that never comes:
    nobody reviews or applies half of it. A run that begins anew begins by clearing what another one left aside.
"""

from __future__ import annotations

import copy
from typing import Any

from django.db import connection

from admin_ext.jobs.models import Job
from admin_ext.jobs.running import Run
from admin_ext.plans.making import make_ready, sources, write_drafts
from admin_ext.plans.models import Plan, PlanRow

# In the parameters of a plan: something was put in or dropped since it was made, which its rows do not tell yet.
UNCHECKED = "unchecked"


def make_again(run: Run, plan: Plan) -> None:
    """Have a plan made of what it was made of, with its corrections. See Note [Rows aside]."""
    aside = _aside(plan)
    with run.chunk(phase="reading again", total=plan.total):
        clear_aside(plan)
        Job.objects.filter(pk=run.job.pk).update(rows_done=0)
    counts = write_drafts(aside, run)
    counts = sources[plan.source].look_again(aside, run, counts)
    with run.chunk(phase="ready"):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM plans_planrow WHERE plan_id = %s", [plan.pk])
            cursor.execute("UPDATE plans_planrow SET plan_id = %s WHERE plan_id = %s", [plan.pk, aside.pk])
        plan.notes, plan.header, plan.columns = aside.notes, aside.header, aside.columns
        plan.parameters = {name: value for name, value in aside.parameters.items() if name != UNCHECKED}
        plan.parameters["revision"] = plan.revision + 1
        make_ready(plan, run, counts)


def corrected_before(plan: Plan) -> Any:
    """The rows of a plan that is made again to which its reviewer did something; none of one that is made first."""
    rows = PlanRow.objects.filter(corrections__isnull=False)
    return rows.filter(plan_id=-plan.pk) if plan.pk < 0 else rows.none()


def clear_aside(plan: Plan) -> None:
    """Nothing is left of a plan that was not made again to the end."""
    PlanRow.objects.filter(plan_id=-plan.pk).delete()


def _aside(plan: Plan) -> Plan:
    """The plan under the number that its rows have while they are aside; never saved."""
    aside = copy.copy(plan)
    aside.pk, aside.parameters = -plan.pk, dict(plan.parameters)
    return aside

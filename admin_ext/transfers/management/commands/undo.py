"""`manage.py undo`: the undo of the admin, from the shell. Same job, same rights, same record."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.models import ChangeSet
from admin_ext.jobs.models import Job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Action, Mode, Plan
from admin_ext.plans.undoing import undo_change_set
from admin_ext.services import Refused
from admin_ext.transfers.failures import failed_rows, told
from admin_ext.transfers.waiting import wait_for

DONE, ROWS_LEFT, NOTHING_DONE = 0, 1, 2


class Command(BaseCommand):
    help = (
        "Take a change set back. Exits 0 when every row was restored, 1 when rows were kept or could not be, "
        "2 when nothing could be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("change_set", type=int, help="its number")
        parser.add_argument("--user", "--actor", required=True, help="whose rights count")
        parser.add_argument("--reason", required=True, help="why, for the record")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.KEEP_GOOD)
        parser.add_argument("--plan-only", action="store_true", help="make the plan, and leave it for review")
        parser.add_argument("--json", action="store_true", help="print the receipt as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan, job = self._undo(options)
        except (_NothingDone, Refused, NotPermitted) as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error)}))
            self.stderr.write(str(error))
            sys.exit(NOTHING_DONE)
        self._print(plan, job, options)
        if job.state != Job.State.SUCCEEDED:
            sys.exit(NOTHING_DONE)
        sys.exit(ROWS_LEFT if plan.bad or plan.counts.get(Action.LEFT) else DONE)

    def _undo(self, options: dict[str, Any]) -> tuple[Plan, Job]:
        actor = get_user_model().objects.filter(username=options["user"]).first()
        if actor is None:
            raise _NothingDone(f"There is no user {options['user']}.")
        change_set = ChangeSet.objects.filter(pk=options["change_set"]).first()
        if change_set is None:
            raise _NothingDone(f"There is no change set #{options['change_set']}.")
        plan = undo_change_set(actor=actor, change_set=change_set, reason=options["reason"])
        job = wait_for(plan.making)  # type: ignore[arg-type]
        plan.refresh_from_db()
        if plan.state != Plan.State.READY or not plan.good or options["plan_only"]:
            return plan, job
        plan = apply_plan(actor=actor, plan=plan, mode=options["mode"])
        job = wait_for(plan.applying)  # type: ignore[arg-type]
        plan.refresh_from_db()
        return plan, job

    def _print(self, plan: Plan, job: Job, options: dict[str, Any]) -> None:
        if options["json"]:
            counts = {str(action): plan.counts.get(action, 0) for action in Action}
            known = {"job": job.pk, "plan": plan.pk, "change_set": job.change_set_id, "state": plan.state}
            self.stdout.write(json.dumps({**known, "rows": plan.total, **counts, "error": job.error}))
            return
        self.stdout.write(f"{plan.title}: {plan.total:,} rows")
        for action in Action:
            if number := plan.counts.get(action):
                self.stdout.write(f"  {number:>9,} {action.label.lower()}")
        for row in failed_rows(plan)[:20]:
            self.stdout.write(f"  {row.key}: {told(row, plan, plan.created_by)}")
        if job.state != Job.State.SUCCEEDED:
            self.stdout.write(f"{job.get_state_display()}: {job.error}")
        elif plan.state == Plan.State.READY:
            self.stdout.write(f"Nothing was applied. The plan is number {plan.pk}.")
        else:
            self.stdout.write(f"Undone as change set #{job.change_set_id}.")


class _NothingDone(Exception):
    """The command cannot begin."""

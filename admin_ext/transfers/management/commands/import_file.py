"""`manage.py import_file`: the import of the admin, from the shell. Same job, same rights, same record."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.files import File
from django.core.management.base import BaseCommand, CommandParser

from admin_ext.access.rights import NotPermitted
from admin_ext.jobs.models import Job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Action, Mode, Plan
from admin_ext.services import ReasonMissing
from admin_ext.transfers.failures import failed_rows, told, write_failed_rows
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.mapping import MappingNotUsable
from admin_ext.transfers.models import Profile
from admin_ext.transfers.resources import NoResource
from admin_ext.transfers.waiting import wait_for

DONE, ROWS_FAILED, NOTHING_DONE = 0, 1, 2


class Command(BaseCommand):
    help = (
        "Import a file. Exits 0 when everything was done, 1 when rows were refused or invalid, "
        "2 when nothing could be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--resource", required=True, help="what the rows are, e.g. customers.Customer")
        parser.add_argument("--user", required=True, help="whose rights count")
        mapping = parser.add_mutually_exclusive_group()
        mapping.add_argument("--profile", help="the name of a saved mapping")
        mapping.add_argument("--mapping", type=Path, help="a mapping as a JSON file")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.ALL_OR_NOTHING)
        parser.add_argument("--reason", default="", help="why, for the record; some changes ask for it")
        parser.add_argument("--plan-only", action="store_true", help="make the plan, and leave it for review")
        parser.add_argument("--errors", type=Path, help="write the rows that failed to this file")
        parser.add_argument("--json", action="store_true", help="print the receipt as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan, job = self._import(options)
        except (_NothingDone, NotPermitted, NoResource, MappingNotUsable) as error:
            self._give_up(str(error), options)
        if plan.state == Plan.State.FAILED:
            self._give_up(job.error, options, plan=plan, job=job)
        if options["errors"] and plan.bad:
            write_failed_rows(plan, options["errors"])
        self._print(plan, job, options)
        if job.state != Job.State.SUCCEEDED:
            sys.exit(ROWS_FAILED if plan.bad else NOTHING_DONE)
        sys.exit(ROWS_FAILED if plan.bad else DONE)

    def _import(self, options: dict[str, Any]) -> tuple[Plan, Job]:
        path: Path = options["file"]
        if not path.is_file():
            raise _NothingDone(f"There is no file {path}.")
        actor = get_user_model().objects.filter(username=options["user"]).first()
        if actor is None:
            raise _NothingDone(f"There is no user {options['user']}.")
        with path.open("rb") as source:
            plan = submit_import(
                actor=actor,
                source=File(source, name=path.name),
                name=path.name,
                resource=options["resource"],
                profile=self._profile(options["profile"]),
                mapping=self._mapping(options["mapping"]),
            )
        job = wait_for(plan.making)  # type: ignore[arg-type]
        plan.refresh_from_db()
        refuses = options["mode"] == Mode.ALL_OR_NOTHING and plan.bad
        if plan.state != Plan.State.READY or options["plan_only"] or refuses:
            return plan, job
        try:
            plan = apply_plan(actor=actor, plan=plan, mode=options["mode"], reason=options["reason"])
        except ReasonMissing as error:
            raise _NothingDone(f"{error} Give it with --reason. The plan is number {plan.pk}.") from error
        job = wait_for(plan.applying)  # type: ignore[arg-type]
        plan.refresh_from_db()
        return plan, job

    def _profile(self, name: str | None) -> Profile | None:
        if not name:
            return None
        profile = Profile.objects.filter(name=name).first()
        if profile is None:
            known = ", ".join(Profile.objects.values_list("name", flat=True)) or "none yet"
            raise _NothingDone(f"There is no import profile {name}. There are: {known}.")
        return profile

    def _mapping(self, path: Path | None) -> dict[str, Any] | None:
        if not path:
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _NothingDone(f"The mapping {path} cannot be read: {error}") from error

    def _print(self, plan: Plan, job: Job, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(self._receipt(plan, job)))
            return
        self.stdout.write(f"{plan.title}: {plan.total:,} rows")
        for action in Action:
            if number := plan.counts.get(action):
                self.stdout.write(f"  {number:>9,} {action.label.lower()}")
        for line in self._by_entity(plan):
            self.stdout.write(line)
        for row in failed_rows(plan)[:20]:
            self.stdout.write(f"  {row.key}: {told(row, plan, plan.created_by)}")
        if plan.state == Plan.State.READY:
            why = "as asked" if options["plan_only"] else "because all or nothing was asked for"
            self.stdout.write(f"Nothing was applied, {why}. The plan is number {plan.pk}.")
        elif job.state != Job.State.SUCCEEDED:
            self.stdout.write(f"{job.get_state_display()}: {job.error}")
        else:
            self.stdout.write(f"Applied as change set #{job.change_set_id}.")

    def _by_entity(self, plan: Plan) -> Iterator[str]:
        """What became of the lines of a file of several entities, and of the rows of each."""
        if lines := plan.parameters.get("lines"):
            yield (
                f"{lines['read']:,} lines of the file: {lines['accepted']:,} accepted, {lines['rejected']:,} rejected"
            )
        for entity in plan.parameters.get("entities", ()):
            counts = ", ".join(f"{number:,} {Action(name).label.lower()}" for name, number in entity["counts"].items())
            yield f"  {apps.get_model(entity['model'])._meta.verbose_name_plural}: {counts}"

    def _receipt(self, plan: Plan, job: Job) -> dict[str, Any]:
        return {
            "job": job.pk,
            "plan": plan.pk,
            "change_set": job.change_set_id,
            "state": plan.state,
            "rows": plan.total,
            **{str(action): plan.counts.get(action, 0) for action in Action},
            "file": plan.parameters.get("file_name", ""),
            "sha256": plan.file.sha256 if plan.file else "",
            "error": job.error,
            **{name: plan.parameters[name] for name in ("lines", "entities") if name in plan.parameters},
        }

    def _give_up(self, message: str, options: dict[str, Any], plan: Plan | None = None, job: Job | None = None) -> None:
        if options["json"]:
            receipt = self._receipt(plan, job) if plan and job else {"error": message}
            self.stdout.write(json.dumps(receipt))
        self.stderr.write(message)
        sys.exit(NOTHING_DONE)


class _NothingDone(Exception):
    """The command cannot begin."""

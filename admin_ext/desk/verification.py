"""Verifying the record from the desk: the same check as `manage.py verify_audit`, as a job whose report stays readable."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import psycopg
from django.db import transaction
from django.urls import reverse

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.models import Door
from admin_ext.audit.seals.checkpoints import BadSignature, NotACheckpoint
from admin_ext.audit.seals.findings import Tampering
from admin_ext.audit.seals.keys import NoKey
from admin_ext.audit.seals.standing import verify_record
from admin_ext.jobs.models import Job
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.notices.models import Notice, notify
from admin_ext.services import Refused

KIND = "desk.verify"
CANNOT = (NoKey, NotACheckpoint, BadSignature, OSError, psycopg.Error, UnicodeDecodeError)
# What each kind of finding asks for, in the words of docs/auditors.md.
TO_DO = {
    Tampering.ALTERED: "Compare the row with a backup from before the block was sealed.",
    Tampering.DELETED: "Restore a backup elsewhere and read the row there.",
    Tampering.INSERTED: "Find who wrote it: the row names a database login.",
    Tampering.REORDERED: "Compare the seals with the published copy.",
    Tampering.TAIL_CUT: "Was a backup restored? Then begin a new epoch with the reason. If not, treat it as an attack.",
    Tampering.REWRITTEN_BLOCK: "Compare the block with the published copy and the checkpoints that people keep.",
    Tampering.BAD_SIGNATURE: "Check that the public key is the sealer's. If it is, the block was forged.",
    Tampering.ERASED: "Nothing says why it was erased: ask who administers the database.",
    Tampering.LIVE_DIFFERS: "The record was changed past the triggers: its last history row is what was known.",
    Tampering.NO_CHANGE_SET: "Restore a backup elsewhere and look for the change set there.",
    Tampering.TRIGGER_OFF: "Run migrate, which installs it again; then find out who removed it.",
}


class VerificationRuns(Refused):
    """One verification at a time is enough."""


@dataclasses.dataclass
class Verification:
    """A run, and what it found; `report` is `findings.Report.as_dict()`, empty until it has ended well."""

    job: Job
    report: dict[str, Any]

    @property
    def sealed_at(self) -> datetime | None:
        return datetime.fromisoformat(self.report["sealed_at"]) if self.report.get("sealed_at") else None

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Each with what it is called and what to do."""
        return [
            {**each, "label": Tampering(each["kind"]).label, "to_do": TO_DO[Tampering(each["kind"])]}
            for each in self.report.get("findings", ())
        ]

    @property
    def more(self) -> int:
        """Findings that were counted and not listed."""
        return sum(self.report.get("counts", {}).values()) - len(self.report.get("findings", ()))


def check_may_verify(actor: Any) -> None:
    """Raises NotPermitted."""
    if not actor.is_active or not actor.has_perm("desk.verify_record"):
        raise NotPermitted("You have no right to have the record verified.")


def submit_verification(*, actor: Any) -> Job:
    """Have the whole record verified. Raises NotPermitted, VerificationRuns."""
    check_may_verify(actor)
    with transaction.atomic():
        running = Job.objects.filter(kind=KIND, state__in=[Job.State.QUEUED, Job.State.RUNNING]).first()
        if running is not None:
            raise VerificationRuns("The record is being verified already: see the first of the runs below.")
        return submit_job(actor=actor, kind=KIND, title="Verify the record", door=Door.TASK)


def last_verifications(count: int = 10) -> list[Verification]:
    """The last runs, newest first, whoever asked for them."""
    jobs = Job.objects.filter(kind=KIND).select_related("requested_by").order_by("-id")[:count]
    return [Verification(job, job.cursor.get("report", {})) for job in jobs]


def last_verdict() -> Verification | None:
    """The newest run that came to a verdict."""
    ended = Job.objects.filter(kind=KIND, state=Job.State.SUCCEEDED).order_by("-id").first()
    return Verification(ended, ended.cursor.get("report", {})) if ended else None


@job_kind(KIND)
def run_verification(run: Run) -> None:
    check_may_verify(run.actor)
    try:
        with Pulse(run, phase="verifying") as pulse:
            report = verify_record(tick=pulse.check)
    except CANNOT as reason:
        raise JobFailed(f"The record could not be verified: {reason}") from reason
    with run.chunk(phase=report.verdict()[:100], rows=report.leaves, total=report.leaves):
        run.save_cursor(report=report.as_dict())
        run.add_counts({Tampering(kind).label: count for kind, count in report.counts.items()})
        if not report.intact:
            url = reverse("admin:desk_review_verify")
            notify(run.job.requested_by, report.verdict(), level=Notice.Level.DANGER, url=url)

"""Evidence packs: what was asked of the record, as a ZIP that proves itself without the product.

    summary.html          what a person reads: what was asked, the acts with their rows, what was left out, how to verify
    request.json          the same question as data, with who asked, when and why
    change_sets.csv       the acts; `change_sets.ndjson` has every column
    rows/MODEL.csv        the rows of each kind of record as they were left
    rows.ndjson           all rows, each as it was before and after
    events.ndjson, …      the proofs (`audit.seals.evidence`)
    manifest.json         every file with its SHA-256

Rights are the owner's when the job runs, and asked again at every download: rows of records that the owner may see now,
with the columns that they may see. What is left out is counted.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from django.db import models
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Access, ChangeSet, Door
from admin_ext.audit.seals.evidence import NothingSealed, write_evidence, write_manifest
from admin_ext.audit.seals.keys import NoKey
from admin_ext.desk.asking import Asked, check_may_ask
from admin_ext.desk.collecting import Collected, TooMuch, collect
from admin_ext.desk.lives import who_did
from admin_ext.desk.records import Branch, Recorded, history_table, read
from admin_ext.desk.sheets import RowSheets, visible_columns
from admin_ext.desk.summaries import write_summary
from admin_ext.desk.visibility import visible
from admin_ext.jobs.models import Job
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.jobs.zones import zone_of
from admin_ext.transfers.outputs import download_rights, keep_output
from admin_ext.transfers.snapshots import check_still_read, snapshot
from admin_ext.transfers.writing import CsvWriter

KIND = "desk.evidence"
BATCH = 500
CHANGE_SETS = "audit_changeset"
COLUMNS = [
    "id", "who", "acting_as", "door", "verb", "reason", "ticket", "started_at", "finished_at", "rows", "asks_reason",
    "parent", "request_id", "address", "db_user", "file_sha256",
]  # fmt: skip


def submit_evidence(*, actor: Any, asked: Asked, reason: str = "") -> Job:
    """Have evidence written to a pack. Raises NotPermitted."""
    check_may_ask(actor, asked)
    return submit_job(
        actor=actor,
        kind=KIND,
        title=f"Evidence: {asked.describe()}",
        arguments={"asked": asked.to_json(), "reason": reason},
        door=Door.TASK,
    )


@job_kind(KIND)
def run_evidence(run: Run) -> None:
    actor, asked = run.actor, Asked.from_json(run.job.arguments["asked"])
    check_may_ask(actor, asked)
    with tempfile.TemporaryDirectory(prefix="opsadmin-evidence-") as folder, timezone.override(zone_of(actor)):
        path = Path(folder) / "evidence.zip"
        try:
            # One snapshot for counting and reading; the pulse tells of progress from outside of it.
            with Pulse(run, phase="collecting") as pulse, snapshot():
                pack = _Pack(Path(folder), run, actor, asked, pulse)
                pack.write(path)
        except (TooMuch, NothingSealed, NoKey) as reason:
            raise JobFailed(str(reason)) from reason
        with run.chunk(phase="written", total=pulse.total):
            Job.objects.filter(pk=run.job.pk).update(rows_done=pulse.total)
            run.add_counts(pack.told())
            # Asked again when the file is fetched.
            run.save_cursor(models=sorted(pack.counts), columns=pack.columns)
        keep_output(
            run,
            path,
            name=f"evidence-{asked.of}-{timezone.localtime():%Y-%m-%dT%H%M}.zip",
            told={"asked": run.job.arguments["asked"], "rows_written": pack.counts.total(), **pack.told()},
            noted=Access.EVIDENCE,
            reason=run.job.arguments["reason"],
        )


def _check_download(actor: Any, job: Job) -> None:
    """Raises NotPermitted where a right was lost since the pack was made."""
    from django.apps import apps

    check_may_ask(actor, Asked.from_json(job.arguments["asked"]))
    for label in job.cursor.get("models", ()):
        model = apps.get_model(label)
        if not hasattr(model, "about") and not can(actor, "view", model):
            raise NotPermitted(f"You have no right to see {model._meta.verbose_name_plural} any more.")
        check_still_read(actor, model, job.cursor.get("columns", {}).get(label, ()))


download_rights[KIND] = _check_download


class _Pack:
    """A pack while it is being written."""

    def __init__(self, folder: Path, run: Run, actor: Any, asked: Asked, pulse: Pulse) -> None:
        self.folder, self.run, self.actor, self.asked, self.pulse = folder, run, actor, asked, pulse
        self.made_at = timezone.now()
        self.counts: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.columns: dict[str, list[str]] = {}
        self.acts: list[int] = []
        self.kept: list[tuple[int, type[models.Model], int]] = []
        """Act, model and history id of every row in the pack."""
        self.withheld: dict[str, str] = {}
        """Tables of which only hashes are in the pack, with the names that people call their rows by."""
        self.proofs: dict[str, int] = {}
        self.drawn_from: int | None = None

    def write(self, path: Path) -> None:
        """Raises TooMuch, NothingSealed, NoKey, and what the pulse has seen."""
        collected = collect(self.asked, user=self.actor)
        self.acts, self.drawn_from = collected.acts, collected.drawn_from
        self.pulse.total, self.pulse.phase = collected.total, "writing rows"
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            self._write_rows(archive, collected)
            # Counted apart: a pack that lost a row on the way must not come out.
            if self.counts.total() + self.left_out.total() != collected.expected:
                told = f"{self.counts.total():,} written and {self.left_out.total():,} left out"
                raise JobFailed(f"{collected.expected:,} rows were expected, {told}. The pack was thrown away.")
            self._write_change_sets(archive)
            summary = self.folder / "summary.html"
            self.pulse.phase = "writing proofs"
            self.proofs = write_evidence(archive, self._proven(), withhold=self.withheld.keys(), tick=self.pulse.check)
            write_summary(summary, self)
            archive.write(summary, "summary.html")
            archive.writestr("request.json", json.dumps(self.request(), indent=1, ensure_ascii=False))
            write_manifest(archive)

    def told(self) -> dict[str, int]:
        """The counts of the job."""
        said = {"acts": len(self.acts), "rows": self.counts.total(), **self.proofs}
        return said | ({"left out": self.left_out.total()} if self.left_out else {})

    def request(self) -> dict[str, Any]:
        """What was asked, by whom, when and why."""
        drawn = {} if self.drawn_from is None else {"drawn_from": self.drawn_from}
        return {
            "asked": self.asked.to_json(),
            "in_words": self.asked.describe(),
            **drawn,
            "by": {"id": self.actor.pk, "username": self.actor.get_username(), "name": str(self.actor)},
            "job": self.run.job.pk,
            "reason": self.run.job.arguments["reason"],
            "made_at": self.made_at.isoformat(),
            "acts": len(self.acts),
            "rows": dict(self.counts),
            "rows_left_out": dict(self.left_out),
            "tables_withheld": sorted(self.withheld),
            "proofs": self.proofs,
        }

    def _write_rows(self, archive: ZipFile, collected: Collected) -> None:
        with (self.folder / "rows.ndjson").open("w", encoding="utf-8") as lines:
            for model, ids in collected.rows.items():
                columns = visible_columns(model, self.actor)
                if not columns.complete:
                    self.withheld[model.history.model._meta.db_table] = str(model._meta.verbose_name_plural)
                file = self.folder / f"{model._meta.label}.csv"
                with RowSheets(file, lines, model, columns) as sheets:
                    for rows in self._visible_rows(model, list(ids)):
                        for row in rows:
                            sheets.write(row)
                            self.kept.append((row.change_set_id or 0, model, row.history_id))
                if sheets.rows:
                    self.counts[model._meta.label] = sheets.rows
                    self.columns[model._meta.label] = columns.names
                    archive.write(file, f"rows/{file.name}")
        archive.write(self.folder / "rows.ndjson", "rows.ndjson")

    def _visible_rows(self, model: type[models.Model], ids: list[int]) -> Iterator[list[Recorded]]:
        for start in range(0, len(ids), BATCH):
            self.pulse.check()
            some = ids[start : start + BATCH]
            source = f"FROM {history_table(model)} h WHERE h.history_id = ANY(%s) ORDER BY h.history_id"
            found = read([Branch(model, source, [some])])
            seen = visible(found, self.actor)
            if hidden := len(found) - len(seen):
                self.left_out[model._meta.label] += hidden
            self.pulse.done += len(some)
            yield seen

    def _write_change_sets(self, archive: ZipFile) -> None:
        lines, sheet = self.folder / "change_sets.ndjson", self.folder / "change_sets.csv"
        with lines.open("w", encoding="utf-8") as file, CsvWriter(sheet, COLUMNS) as writer:
            for act in acts_in_order(self.acts):
                self.pulse.check()
                said = _told(act)
                writer.write([said[name] for name in COLUMNS])
                more = {"selection": act.selection, "counts": act.counts, "actor_id": act.actor_id}
                file.write(json.dumps({**said, **more}, ensure_ascii=False, default=str) + "\n")
        archive.write(lines, lines.name)
        archive.write(sheet, sheet.name)

    def _proven(self) -> Iterator[tuple[str, int]]:
        for _, model, history_id in self.kept:
            yield model.history.model._meta.db_table, history_id
        for act in self.acts:
            yield CHANGE_SETS, act


def acts_in_order(keys: list[int]) -> Iterator[ChangeSet]:
    """The acts of these ids, in their order, a batch at a time."""
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        acts = ChangeSet.objects.select_related("actor", "acting_as").in_bulk(some)
        yield from (acts[key] for key in some)


def _told(act: ChangeSet) -> dict[str, Any]:
    return {
        "id": act.pk,
        "who": who_did(act, act.db_user),
        "acting_as": str(act.acting_as) if act.acting_as else "",
        "door": act.door,
        "verb": act.verb,
        "reason": act.reason,
        "ticket": act.ticket,
        "started_at": act.started_at,
        "finished_at": act.finished_at,
        "rows": act.rows,
        "asks_reason": act.asks_reason,
        "parent": act.parent_id,
        "request_id": act.request_id,
        "address": act.address,
        "db_user": act.db_user,
        "file_sha256": act.file_sha256,
    }

"""The same import twice: once left in peace, once under fire."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import connection

from admin_ext.jobs.models import Job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.importing import submit_import
from tests import databases
from tests.kill import doomed, world
from tests.kill.sentences import APPLYING, MAKING, Court
from tests.kill.server import Server
from tests.kill.telling import tell


@dataclass(kw_only=True)
class Battle:
    rows: int
    share: int
    stops: int
    lease: float
    chance: random.Random
    server: Server
    home: Path
    kills: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    pace: dict[str, float] = field(default_factory=lambda: {"making": 0.0, "applying": 0.0})
    faults: list[str] = field(default_factory=list)

    def fight(self) -> int:
        template = databases.make_template()
        databases.clone(template, "arranged")
        world.arrange(self.rows)
        print("arranged", flush=True)
        databases.clone("arranged", "in_peace")
        plan = self._import(under_fire=False)
        expected = world.expected_counts(self.rows)
        assert plan.counts == expected, f"in peace: {plan.counts}, not {expected}"
        in_peace = tell()
        databases.clone("arranged", "under_fire")
        plan = self._import(under_fire=True)
        return self._judge(plan, in_peace, tell())

    def _import(self, *, under_fire: bool) -> Plan:
        began = time.monotonic()
        actor = world.analyst()
        plan = submit_import(
            actor=actor,
            source=ContentFile(world.text(self.rows).encode()),
            name="fire.csv",
            resource="customers.Customer",
        )
        self._run(plan.making_id, MAKING, "making", self.stops // 2, under_fire)
        print(f"made in {time.monotonic() - began:.1f} s", flush=True)
        plan = apply_plan(actor=actor, plan=plan, mode="keep_good", reason="credit limits of the new year")
        self._run(plan.applying_id, APPLYING, "applying", self.stops - self.stops // 2, under_fire)
        print(f"applied {time.monotonic() - began:.1f} s after the beginning", flush=True)
        plan.refresh_from_db()
        return plan

    def _run(
        self, job_id: int | None, groups: tuple[tuple[str, ...], ...], name: str, stops: int, under_fire: bool
    ) -> None:
        """Two racing workers until the job has ended, each one that dies followed by another."""
        assert job_id is not None
        began = time.monotonic()
        court = Court(groups, self.share if under_fire else 0, self.pace[name], self.chance)
        stops_at = [court.total * (n + self.chance.random()) / stops for n in range(stops)] if under_fire else []
        words = [self.home / f"word-{n}" for n in range(2)]
        workers = {self._start(job_id, court, word): word for word in words}
        while workers:
            if stops_at and court.deaths.total() >= stops_at[0] and self._stop_server(name, words):
                stops_at.pop(0)
            for pid, word in list(workers.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if not ended:
                    continue
                del workers[pid]
                stage = word.read_text().strip()
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                    court.deaths[stage] += 1
                    self.kills[f"{name}: {stage}"] += 1
                    if self.kills.total() % 25 == 0:
                        print(f"{self.kills.total()} kills", flush=True)
                elif os.WEXITSTATUS(status) == doomed.JOB_ENDED:
                    continue
                elif os.WEXITSTATUS(status) != doomed.SERVER_GONE:
                    self.faults.append(f"a worker ended with {status} in {name}: {stage}")
                workers[self._start(job_id, court, word)] = word
            time.sleep(0.01)
        if not under_fire:
            self.pace[name] = (time.monotonic() - began) / doomed.CHUNKS_AT_LEAST
        job = Job.objects.get(pk=job_id)
        assert job.state == Job.State.SUCCEEDED, f"{name}: {job.state} {job.error}\n{self._log()}"

    def _start(self, job_id: int, court: Court, word: Path) -> int:
        connection.close()  # a connection is not shared with a child
        sentence = court.deal()
        pid = os.fork()
        if pid == 0:
            doom = doomed.Doom(word, sentence, self.rows)
            doomed.serve(job_id, doom, lease=self.lease, log=self.home / "worker.log")
        return pid

    def _stop_server(self, name: str, words: list[Path]) -> bool:
        """Stop and start it while somebody is at work; False when nobody is."""
        time.sleep(self.chance.uniform(0.0, 0.05))
        at_work = [stage for word in words if (stage := word.read_text().strip()) not in ("", "waiting", "claiming")]
        if not at_work:
            return False
        self.server.stop_at_once()
        self.stopped[f"{name}: {at_work[0]}"] += 1
        time.sleep(self.chance.choice([0.0, 0.5]))
        self.server.start()
        return True

    def _judge(self, plan: Plan, in_peace: dict[str, str], under_fire: dict[str, str]) -> int:
        faults = list(self.faults)
        if plan.state != Plan.State.APPLIED or plan.counts != world.expected_counts(self.rows):
            faults.append(f"the plan is {plan.state} and says {plan.counts}")
        faults += world.wrongs(plan, self.rows)
        faults += [
            f"{table}: {in_peace.get(table)} in peace, {under_fire.get(table)} under fire"
            for table in sorted(in_peace.keys() | under_fire.keys())
            if in_peace.get(table) != under_fire.get(table)
        ]
        wanted = [("making", stage) for group in MAKING for stage in group]
        wanted += [("applying", stage) for group in APPLYING for stage in group]
        for name, stage in wanted:
            number = self.kills[f"{name}: {stage}"]
            print(f"{number:5} kills in {name}: {stage}")
            if number < self.share:
                faults.append(f"only {number} kills in {name}: {stage}, not {self.share}")
        print(f"{self.kills.total():5} kills in all", self._others(wanted))
        print(f"{self.stopped.total():5} stops of PostgreSQL: {dict(self.stopped)}")
        print(f"receipt {plan.counts}")
        if self.stopped.total() < self.stops:
            faults.append(f"only {self.stopped.total()} stops")
        for fault in faults:
            print(f"WRONG {fault}")
        if faults:
            print(self._log())
        print("identical" if not faults else f"{len(faults)} faults", flush=True)
        return 1 if faults else 0

    def _others(self, wanted: list[tuple[str, str]]) -> str:
        names = {f"{name}: {stage}" for name, stage in wanted}
        others = {name: number for name, number in self.kills.items() if name not in names}
        return f"(elsewhere: {others})" if others else ""

    def _log(self) -> str:
        log = self.home / "worker.log"
        return log.read_text(errors="replace")[-2500:] if log.exists() else ""

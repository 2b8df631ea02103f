"""When a worker is to die: a stage of the job, how far the import is by then, a statement there and a moment after it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

MAKING = (("claiming", "reading", "comparing", "ready"), ("ending",))
APPLYING = (("claiming", "opening", "applying"), ("done",), ("ending",))
"""The stages of a job, in groups: who passed a group's last commit never comes back to its stages."""

BEFORE, AFTER, LATER, SEAM = "before", "after", "later", "seam"
LONG = ("comparing", "applying")
# How many statements every pass through a stage has at least; later ones would be behind its commit.
STATEMENTS = {
    "claiming": 3,
    "reading": 5,
    "comparing": 3,
    "opening": 3,
    "applying": 6,
    "ready": 3,
    "done": 3,
    "ending": 2,
}


@dataclass(frozen=True)
class Sentence:
    """Die by SIGKILL in `stage` when `at` of all rows are through, at a `moment`.

    BEFORE its statement `statement` is sent, AFTER that one returned, LATER by `delay` seconds than that one was sent, or
    at the SEAM behind the next commit. Who would outlive the sentence dies at the door of the stages `too_late`.
    """

    stage: str
    at: float
    moment: str
    statement: int
    delay: float
    too_late: frozenset[str]


class Court:
    """Deals sentences for one job until every stage has had its share of deaths."""

    def __init__(self, groups: tuple[tuple[str, ...], ...], share: int, pace: float, chance: random.Random) -> None:
        """`share` deaths for each stage, twice as many for the long ones; a chunk takes `pace` seconds."""
        self.groups, self.pace = groups, pace
        self.wanted = {stage: share * (2 if stage in LONG else 1) for group in groups for stage in group}
        self.deaths: Counter[str] = Counter()
        self._chance = chance

    @property
    def total(self) -> int:
        return sum(self.wanted.values())

    def deal(self) -> Sentence | None:
        """The next sentence, of the first group that has not had its share; None when all had theirs."""
        for group in self.groups:
            open_stages = [stage for stage in group if self.deaths[stage] < self.wanted[stage]]
            if open_stages:
                return self._sentence(self._chance.choice(open_stages))
        return None

    def _sentence(self, stage: str) -> Sentence:
        # Applying goes on where the last one died: its deaths are spread from the first row to the last.
        step = self.deaths[stage] if stage == "applying" else self._chance.randrange(self.wanted[stage])
        at = 0.9 * (step + self._chance.random()) / self.wanted[stage] if stage in LONG else 0.0
        moments = [BEFORE, AFTER]
        if stage in (*LONG, "reading"):
            moments += [LATER, LATER]
        if stage in LONG:
            moments.insert(0, SEAM)
        # In turn, so that few deaths have the seam among them as well.
        moment, statement = moments[self.deaths[stage] % len(moments)], self._chance.randint(1, STATEMENTS[stage])
        delay = self._chance.uniform(0.0, 1.5 * self.pace)
        later = {each for group in self.groups[self._group_of(stage) + 1 :] for each in group}
        return Sentence(stage, at, moment, statement, delay, frozenset(later))

    def _group_of(self, stage: str) -> int:
        return next(n for n, group in enumerate(self.groups) if stage in group)

"""Random samples that anybody can draw again.

The lot of an act is the SHA-256 of the seed and its id; the lowest lots are the sample. Drawn from the acts that were
finished at a given instant, it gives the same acts to whoever may see the same acts, whatever was done since.
"""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL

from admin_ext.audit.models import ChangeSet
from admin_ext.desk.timeline import Question, acts_answering

MOST = 1_000
LOT = "sha256(convert_to(%s || ':' || audit_changeset.id::text, 'UTF8'))"


@dataclasses.dataclass
class Sample:
    """The acts that were drawn, in the order of their lots, and how many they were drawn from."""

    acts: list[ChangeSet]
    drawn_from: int


def new_seed() -> str:
    return secrets.token_hex(8)


def draw_sample(question: Question, *, size: int, seed: str, drawn_at: datetime, user: Any) -> Sample:
    """`size` acts that answer the question and had ended at `drawn_at`, by lot."""
    acts: models.QuerySet[ChangeSet] = acts_answering(question, user=user).filter(finished_at__lte=drawn_at)
    drawn = acts.select_related("actor", "acting_as").order_by(RawSQL(LOT, [seed]))  # noqa: S611 (a constant)
    return Sample(list(drawn[: min(size, MOST)]), acts.count())

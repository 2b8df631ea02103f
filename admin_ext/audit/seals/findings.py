"""What a verification says: intact up to where, or what was done to the record, row by row."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime
from typing import Any

from django.db.models import TextChoices

# So many are listed; all are counted.
LISTED = 1_000


class Tampering(TextChoices):
    """Kinds of findings."""

    ALTERED = "altered", "altered"
    DELETED = "deleted", "deleted"
    INSERTED = "inserted", "inserted"
    REORDERED = "reordered", "reordered"
    TAIL_CUT = "tail_cut", "tail cut"
    REWRITTEN_BLOCK = "rewritten_block", "rewritten block"
    BAD_SIGNATURE = "bad_signature", "bad signature"
    ERASED = "erased_without_tombstone", "erased without tombstone"
    LIVE_DIFFERS = "live_row_differs", "live row differs"
    NO_CHANGE_SET = "no_change_set", "change set missing"
    TRIGGER_OFF = "trigger_off", "trigger missing or off"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is not as it was sealed."""

    kind: Tampering
    table: str
    row: int | None = None
    block: int | None = None
    seq: int | None = None
    """The place of the leaf among all leaves, where it is known."""
    detail: str = ""

    def __str__(self) -> str:
        row = "" if self.row is None else f" row {self.row}"
        places = {"block": self.block, "leaf": self.seq}
        place = ", ".join(f"{name} {number}" for name, number in places.items() if number is not None)
        return f"{self.kind.label}: {self.table}{row}{f' ({place})' if place else ''}{f': {self.detail}' if self.detail else ''}"


@dataclasses.dataclass
class Report:
    """What was verified, and what was found."""

    blocks: int = 0
    leaves: int = 0
    unsealed: int = 0
    """Rows that are too new to be sealed."""
    last_block: int | None = None
    sealed_at: datetime | None = None
    published_block: int | None = None
    """The newest checkpoint outside the database; None where there is none."""
    findings: list[Finding] = dataclasses.field(default_factory=list)
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    notes: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    _seen: set[tuple[str, int]] = dataclasses.field(default_factory=set, repr=False)

    @property
    def intact(self) -> bool:
        return not self.counts

    def add(self, kind: Tampering, table: str, row: int | None = None, **place: Any) -> None:
        """Note a finding; the first about a row is the one that is kept."""
        if row is not None:
            if (table, row) in self._seen:
                return
            if len(self._seen) < 10 * LISTED:
                self._seen.add((table, row))
        self.counts[kind] += 1
        if len(self.findings) < LISTED:
            self.findings.append(Finding(kind, table, row, **place))

    def verdict(self) -> str:
        """One sentence."""
        if self.last_block is None:
            return "Nothing is sealed yet." if self.intact else "Nothing is sealed, and something is wrong."
        if self.intact:
            return f"Intact up to block {self.last_block}, sealed {self.sealed_at:%Y-%m-%d %H:%M:%S} UTC."
        found = ", ".join(f"{count:,} × {Tampering(kind).label}" for kind, count in self.counts.items())
        return f"Not intact: {found}."

    def as_dict(self) -> dict[str, Any]:
        return {
            "intact": self.intact,
            "verdict": self.verdict(),
            "last_block": self.last_block,
            "sealed_at": self.sealed_at.isoformat() if self.sealed_at else None,
            "published_block": self.published_block,
            "blocks": self.blocks,
            "leaves": self.leaves,
            "unsealed": self.unsealed,
            "counts": dict(self.counts),
            "findings": [{**dataclasses.asdict(each), "kind": each.kind.value} for each in self.findings],
            "notes": self.notes,
            "seconds": round(self.seconds, 2),
        }

"""The summary of a pack: one page of HTML that is readable on its own, wherever it is opened."""

from __future__ import annotations

import dataclasses
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.template.loader import render_to_string

from admin_ext.audit.models import Block, ChangeSet
from admin_ext.desk.lives import who_did
from admin_ext.desk.records import Branch, history_table, read
from admin_ext.desk.telling import RowChange, Teller

if TYPE_CHECKING:
    from admin_ext.desk.packs import _Pack

# So many are told in words; all are in the other files.
ACTS, ROWS = 500, 1_000


@dataclasses.dataclass
class ToldAct:
    """An act on the page. `more` counts its rows that are in the pack and not told here."""

    change_set: ChangeSet | None
    id: int
    who: str
    rows: list[RowChange]
    more: int


def write_summary(path: Path, pack: _Pack) -> None:
    """Write the page."""
    acts = _told_acts(pack)
    context = {
        "pack": pack,
        "asked": pack.asked,
        "in_words": pack.asked.describe(),
        "reason": pack.run.job.arguments["reason"],
        "counts": [(_name(label), number) for label, number in pack.counts.items()],
        "left_out": [(_name(label), number) for label, number in pack.left_out.items()],
        "acts": acts,
        "acts_cut": len(pack.acts) > len(acts),
        "rows_cut": any(act.more for act in acts),
        "block": Block.objects.first(),
    }
    path.write_text(render_to_string("admin_ext/evidence_summary.html", context), encoding="utf-8")


def _told_acts(pack: _Pack) -> list[ToldAct]:
    """The newest acts with their rows in words, as many as a page holds."""
    by_act = {
        act: list(rows) for act, rows in groupby(sorted(pack.kept, key=_newest_act_first), key=lambda row: row[0])
    }
    # Of a record's life the reader may know rows whose acts they may not open.
    acts = sorted({*pack.acts, *by_act}, reverse=True)[:ACTS]
    shown: dict[int, int] = {}
    wanted: dict[Any, list[int]] = {}
    left = ROWS
    for act in acts:
        rows = by_act.get(act, [])[:left]
        left -= len(rows)
        shown[act] = len(rows)
        for _, model, history_id in rows:
            wanted.setdefault(model, []).append(history_id)
    found = read(
        [
            Branch(model, f"FROM {history_table(model)} h WHERE h.history_id = ANY(%s)", [ids])
            for model, ids in wanted.items()
        ]
    )
    found.sort(key=lambda row: (row.at, row.history_id))
    told: dict[int, list[RowChange]] = {}
    for change in Teller(pack.actor).tell(found):
        told.setdefault(change.recorded.change_set_id or 0, []).append(change)
    known = ChangeSet.objects.select_related("actor", "acting_as").in_bulk([act for act in acts if act in {*pack.acts}])
    return [
        ToldAct(
            known.get(act),
            act,
            _who(known.get(act), told.get(act, [])),
            told.get(act, []),
            len(by_act.get(act, ())) - shown[act],
        )
        for act in acts
    ]


def _newest_act_first(row: tuple[int, Any, int]) -> tuple[int, str, int]:
    return (-row[0], row[1]._meta.label, row[2])


def _who(act: ChangeSet | None, rows: list[RowChange]) -> str:
    if act is not None:
        return who_did(act, act.db_user)
    return f"database login {rows[0].recorded.db_user}" if rows else ""


def _name(label: str) -> str:
    return str(apps.get_model(label)._meta.verbose_name_plural)

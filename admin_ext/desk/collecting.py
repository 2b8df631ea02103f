"""Which acts and which rows of the record a pack is made of, before anybody's rights on single rows are asked."""

from __future__ import annotations

import dataclasses
from array import array
from typing import Any

from django.db import connection, models

from admin_ext.access.rights import restrict
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.asking import Asked, Of
from admin_ext.desk.lives import Source, sources_of
from admin_ext.desk.records import history_table
from admin_ext.desk.sampling import draw_sample
from admin_ext.desk.timeline import about_rows, acts_answering

MOST = 50_000


class TooMuch(Exception):
    """More rows or acts than one pack holds; the message says how many, and what to do."""


@dataclasses.dataclass
class Collected:
    """Acts by id, newest first, and rows of history by model. `drawn_from` is how many a sample was drawn from."""

    acts: list[int]
    rows: dict[type[models.Model], array[int]]
    expected: int
    """The rows as they were counted."""
    drawn_from: int | None = None

    @property
    def total(self) -> int:
        return sum(len(ids) for ids in self.rows.values())


def collect(asked: Asked, *, user: Any) -> Collected:
    """What is asked for, as far as `user` may see the acts. Raises TooMuch."""
    if asked.of == Of.LIFE:
        assert asked.model is not None
        assert asked.key is not None
        rows, expected = _rows(sources_of(asked.model, asked.key))
        return Collected(_acts_of(rows, user), rows, expected)
    drawn_from = None
    if asked.of == Of.SAMPLE:
        assert asked.drawn_at is not None
        sample = draw_sample(asked.question, size=asked.size, seed=asked.seed, drawn_at=asked.drawn_at, user=user)
        acts, drawn_from = sorted((act.pk for act in sample.acts), reverse=True), sample.drawn_from
    elif asked.of == Of.ACT:
        acts = list(restrict(ChangeSet.objects.filter(pk=asked.act), user, "view").values_list("pk", flat=True))
    else:
        answering = acts_answering(asked.question, user=user)
        if (count := answering.count()) > MOST:
            raise TooMuch(_refusal(count, "acts"))
        acts = list(answering.order_by("-pk").values_list("pk", flat=True))
    condition, params = about_rows(asked.question)
    wanted = [asked.question.model] if asked.question.model else tracked_models()
    written = f"h.change_set_id = ANY(%s){f' AND {condition}' if condition else ''}"
    rows, expected = _rows([Source(model, written, [acts, *params]) for model in wanted])
    return Collected(acts, rows, expected, drawn_from)


def _rows(sources: list[Source]) -> tuple[dict[type[models.Model], array[int]], int]:
    """The rows of history that the sources name, and how many. Counted first: nothing is read that is refused then."""
    tables = [f"FROM {history_table(source.model)} h WHERE {source.condition}" for source in sources]
    with connection.cursor() as cursor:
        cursor.execute(
            # Numbered: a union that is worked on in parallel comes in any order.
            " UNION ALL ".join(f"(SELECT {number}, count(*) {table})" for number, table in enumerate(tables)),
            [param for source in sources for param in source.params],
        )
        counts = dict(cursor.fetchall())
        if (total := sum(counts.values())) > MOST:
            raise TooMuch(_refusal(total, "rows"))
        found: dict[type[models.Model], array[int]] = {}
        for number, (source, table) in enumerate(zip(sources, tables, strict=True)):
            if counts[number]:
                cursor.execute(f"SELECT h.history_id {table} ORDER BY h.history_id", source.params)
                found[source.model] = array("q", (row[0] for row in cursor.fetchall()))
    return found, total


def _acts_of(rows: dict[type[models.Model], array[int]], user: Any) -> list[int]:
    wrote: set[int] = set()
    with connection.cursor() as cursor:
        for model, ids in rows.items():
            sql = f"SELECT DISTINCT change_set_id FROM {history_table(model)} WHERE history_id = ANY(%s)"
            cursor.execute(sql, [list(ids)])
            wrote |= {row[0] for row in cursor.fetchall()}
    acts = restrict(ChangeSet.objects.filter(pk__in=wrote - {None}), user, "view")
    return list(acts.order_by("-pk").values_list("pk", flat=True))


def _refusal(count: int, what: str) -> str:
    return (
        f"This asks for {count:,} {what}; a pack holds {MOST:,} at most. Narrow the question down, by time or by kind "
        "of record, and take several packs, or draw a sample."
    )

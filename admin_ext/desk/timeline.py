"""One timeline over all models: acts, newest first, each with the first rows that it wrote.

The page is made in two steps that cost the same on a thousand rows and on ten million: which acts (by keyset, from the
index that fits the question), then the first rows of each of them from every history table, in one query. A question
about rows (which model, field, value) is asked of that model's history, newest first, a stretch at a time: the page
says how far it looked, and goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from django.apps import apps
from django.db import connection, models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from admin_ext.access.fields import fields
from admin_ext.access.rights import restrict
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.lives import who_did
from admin_ext.desk.records import Branch, history_table, read
from admin_ext.desk.telling import RowChange, Teller
from admin_ext.desk.visibility import visible

ACTS = 25
ROWS = 5
STRETCH = 5000
STRETCHES = 40
# Ids are given when acts begin; two that begin at once may read the clock the other way round.
SLACK = 1000


@dataclasses.dataclass(frozen=True)
class Question:
    """What the reader wants to see; everything that is empty does not matter."""

    who: int | None = None
    door: str = ""
    verb: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    model: type[models.Model] | None = None
    field: str = ""
    value: str = ""
    key: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As data, without what does not matter."""
        said = {name: value for name, value in vars(self).items() if value not in (None, "")}
        for name in ("since", "until"):
            if name in said:
                said[name] = said[name].isoformat()
        return said | ({"model": self.model._meta.label} if self.model else {})

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        instants = {name: datetime.fromisoformat(said[name]) for name in ("since", "until") if name in said}
        return cls(**{**said, **instants, "model": apps.get_model(said["model"]) if "model" in said else None})


@dataclasses.dataclass
class Act:
    """One act on the timeline. `more` counts its rows that are not shown here, visible or not."""

    change_set: ChangeSet
    who: str
    rows: list[RowChange]
    more: int


@dataclasses.dataclass
class Page:
    """`more` is the mark to go on from, '' at the end; `looked_back_to` is set where a search stopped before it."""

    acts: list[Act]
    more: str
    looked_back_to: datetime | None = None


def timeline(question: Question, *, user: Any, before: str = "") -> Page:
    """A page of the timeline as `user` may see it, going on from the mark `before` of the page before it."""
    acts = restrict(ChangeSet.objects.select_related("actor", "acting_as"), user, "view")
    acts = acts.filter(_about_acts(question)).order_by("-id")
    mark = _mark(before)
    if question.model is None:
        found = list(acts.filter(id__lt=mark[0])[: ACTS + 1])
        more, stopped = _next(found), None
    elif question.field and question.field not in fields(user, "view", question.model).readable:
        return Page([], "")
    else:
        found, more, stopped = _by_rows(acts, question, mark)
    return Page(with_rows(found[:ACTS], question, user), more, stopped)


def acts_answering(question: Question, *, user: Any) -> models.QuerySet[ChangeSet]:
    """Every act that answers the question and that `user` may see, for work that need not be quick."""
    acts = restrict(ChangeSet.objects.all(), user, "view").filter(_about_acts(question))
    if question.model is None:
        return acts
    if question.field and question.field not in fields(user, "view", question.model).readable:
        return acts.none()
    condition, params = about_rows(question)
    writing = f"SELECT h.change_set_id FROM {history_table(question.model)} h WHERE {condition or 'true'}"
    # Table and columns are our own models'; what a person typed travels as parameters.
    return acts.filter(pk__in=RawSQL(writing, params))  # noqa: S611


def _mark(before: str) -> tuple[int, int]:
    """An act, and within it a row of the model asked about, both exclusive."""
    act, _, row = before.partition(".")
    return (int(act) if act.isdigit() else 2**62, int(row) if row.isdigit() else 0)


def _next(found: list[ChangeSet]) -> str:
    return str(found[ACTS - 1].pk) if len(found) > ACTS else ""


def _about_acts(question: Question) -> Q:
    condition = Q()
    if question.who is not None:
        condition &= Q(actor=question.who)
    if question.door:
        condition &= Q(door=question.door)
    if question.verb:
        condition &= Q(verb__startswith=question.verb)
    if question.reason:
        condition &= Q(reason__icontains=question.reason)
    if question.since:
        condition &= Q(id__gte=_first_since(question.since)) & (
            Q(finished_at=None) | Q(finished_at__gte=question.since)
        )
    if question.until:
        last = ChangeSet.objects.filter(started_at__lte=question.until).order_by("-started_at").first()
        condition &= Q(started_at__lte=question.until, id__lte=last.pk + SLACK if last else 0)
    return condition


def _first_since(since: datetime) -> int:
    """The smallest id that an act with rows since then can have: a job may have begun long before."""
    begun = ChangeSet.objects.filter(started_at__gte=since).order_by("started_at").first()
    lasting = ChangeSet.objects.filter(lasting=True).filter(Q(finished_at=None) | Q(finished_at__gte=since))
    earliest = lasting.aggregate(first=models.Min("id"))["first"]
    candidates = [each for each in (begun.pk - SLACK if begun else None, earliest) if each is not None]
    return min(candidates, default=2**62)


def _by_rows(
    acts: models.QuerySet[ChangeSet], question: Question, mark: tuple[int, int]
) -> tuple[list[ChangeSet], str, datetime | None]:
    """Acts that wrote a row which the question is about."""
    found: list[ChangeSet] = []
    for number, (matching, reached) in enumerate(_stretches(question, mark), start=1):
        known = {act.pk for act in found}
        found += acts.filter(pk__in=set(matching) - known)[: ACTS + 1 - len(found)]
        if len(found) > ACTS:
            return found, _next(found), None
        if number == STRETCHES:
            act = ChangeSet.objects.filter(pk=reached[0]).first()
            return found, f"{reached[0]}.{reached[1]}", act.started_at if act else None
    return found, "", None


def _stretches(question: Question, mark: tuple[int, int]) -> Iterator[tuple[list[int], tuple[int, int]]]:
    """The acts that wrote matching rows, newest first, a stretch of history at a time, and how far it reached."""
    assert question.model is not None
    look = _look_at_rows if question.field or question.key is not None else _look_at_acts
    while True:
        matching, reached = look(question, mark)
        if reached is None:
            return
        yield matching, reached
        mark = reached


def _look_at_acts(question: Question, mark: tuple[int, int]) -> tuple[list[int], tuple[int, int] | None]:
    """The next acts that wrote any row of the model: one look into the index for each, however much each wrote."""
    assert question.model is not None
    table = history_table(question.model)
    sql = f"""
        WITH RECURSIVE acts AS (
            (SELECT max(change_set_id) AS id, 1 AS n FROM {table} WHERE change_set_id < %s)
            UNION ALL
            SELECT (SELECT max(change_set_id) FROM {table} WHERE change_set_id < acts.id), n + 1
            FROM acts WHERE id IS NOT NULL AND n < {STRETCH // 10}
        ) SELECT id FROM acts WHERE id IS NOT NULL
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [mark[0]])
        found = [row[0] for row in cursor.fetchall()]
    return found, ((found[-1], 0) if found else None)


def _look_at_rows(question: Question, mark: tuple[int, int]) -> tuple[list[int], tuple[int, int] | None]:
    """The next rows of the model's history. It ends after so many looked at, not after so many that matched."""
    assert question.model is not None
    condition, params = about_rows(question)
    # One record's rows are few and have an index of their own.
    of_one = " AND id = %s" if question.key is not None else ""
    sql = f"""
        WITH stretch AS MATERIALIZED (
            SELECT * FROM {history_table(question.model)} WHERE (change_set_id, history_id) < (%s, %s){of_one}
            ORDER BY change_set_id DESC, history_id DESC LIMIT {STRETCH}
        ), last AS (
            SELECT change_set_id, history_id FROM stretch ORDER BY change_set_id, history_id LIMIT 1
        )
        SELECT array(SELECT DISTINCT change_set_id FROM stretch h WHERE {condition} ORDER BY 1 DESC),
            (SELECT change_set_id FROM last), (SELECT history_id FROM last)
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [*mark, *([question.key] if of_one else []), *params])
        matching, act, row = cursor.fetchone()
    return matching, None if act is None else (act, row)


def about_rows(question: Question) -> tuple[str, list[Any]]:
    """The condition on a history row `h`; '' for every row of the model."""
    conditions: list[str] = []
    params: list[Any] = []
    if question.key is not None:
        conditions.append("h.id = %s")
        params.append(question.key)
    if question.field:
        assert question.model is not None
        column = question.model._meta.get_field(question.field).column
        conditions.append("(h.changed @> ARRAY[%s] OR h.history_type <> '~')" if question.value else
                          "h.changed @> ARRAY[%s]")  # fmt: skip
        params.append(column)
        if question.value:
            conditions.append(f'lower(h."{column}"::text) = lower(%s)')
            params.append(question.value)
    return " AND ".join(conditions), params


def with_rows(acts: list[ChangeSet], question: Question, user: Any) -> list[Act]:
    """The acts with their first rows that the question is about and `user` may see, in one query over all histories."""
    condition, params = about_rows(question)
    wanted = [question.model] if question.model else tracked_models()
    keys = [act.pk for act in acts]
    branches = [
        Branch(
            model,
            f"FROM unnest(%s::bigint[]) a(id) CROSS JOIN LATERAL (SELECT * FROM {history_table(model)} h "
            f"WHERE h.change_set_id = a.id{f' AND {condition}' if condition else ''} "
            f"ORDER BY h.change_set_id, h.history_id LIMIT {ROWS}) h",
            [keys, *params],
        )
        for model in wanted
    ]
    rows = read(branches) if acts else []
    rows.sort(key=lambda row: (row.at, row.history_id))
    shown = visible(rows, user)
    told: dict[int, list[RowChange]] = {}
    for change in Teller(user).tell(shown):
        told.setdefault(change.recorded.change_set_id or 0, []).append(change)
    return [
        Act(act, who_did(act, act.db_user), first := told.get(act.pk, [])[:ROWS], max(act.rows - len(first), 0))
        for act in acts
    ]

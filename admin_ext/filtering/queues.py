"""A saved view as a queue of work: the next row is one person's alone, for a while.

Whoever takes a row leases it. A lease ends when it is given back, when its row is saved and the next one taken, or by
itself: nothing that a browser forgets to say blocks a row for long.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from admin_ext.access.rights import restrict
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.filtering.models import QueueLease, QueueSkip, SavedView
from admin_ext.filtering.patience import capped_count
from admin_ext.filtering.selection import Selection
from admin_ext.services import Refused

LEASED_FOR = timedelta(minutes=15)
PASSED_OVER_FOR = timedelta(days=1)
MOST_COUNTED = 1_000
_LOOKED_AT = 50


class NotTaken(Refused):
    """The row is not, or not any more, leased to the person."""


class ReasonNeeded(Refused):
    """A row is passed over for a reason."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a person stands in a queue: the row they have, until when, how many wait (`MOST_COUNTED` + 1: more), and why
    others passed over the row."""

    view: SavedView
    row: int
    until: datetime
    waiting: int
    passed_over: list[str]


def waiting(*, actor: Any, view: SavedView) -> models.QuerySet:
    """The rows of a view that the actor could take now, in its order: those that nobody has, and that the actor did not
    pass over since yesterday. Raises UnknownFilter, ViewVeiled."""
    now = timezone.now()
    taken = QueueLease.objects.filter(view=view, until__gt=now).exclude(person=actor)
    passed = QueueSkip.objects.filter(view=view, person=actor, skipped_at__gt=now - PASSED_OVER_FOR)
    rows = Selection.of_view(view, actor).resolve(actor=actor, action="view")
    # Few at a time: as lists the planner sees that nearly every row passes.
    return rows.exclude(pk__in=list(taken.values_list("row", flat=True))).exclude(
        pk__in=list(passed.values_list("row", flat=True))
    )


def take_next(*, actor: Any, view: SavedView, after: int | None = None) -> int | None:
    """Lease the first row that waits, and give back what the actor had of this queue; None when nothing waits.

    `after` is a row that the actor is done with: it is not offered again now. Raises UnknownFilter, ViewVeiled.
    """
    passed: set[int] = {after} if after else set()
    with transaction.atomic():
        _one_at_a_time(actor, view)
        give_back(actor=actor, view=view)
        while True:
            rows = waiting(actor=actor, view=view)
            keys = list(rows.exclude(pk__in=passed).values_list("pk", flat=True)[:_LOOKED_AT])
            for key in keys:
                if _is_free(rows.model, key) and _lease(actor, view, rows, key):
                    return key
            if not keys:
                return None
            passed.update(keys)


def give_back(*, actor: Any, view: SavedView) -> None:
    """Let others have the row that the actor took from this queue, if there is one."""
    QueueLease.objects.filter(view=view, person=actor).delete()


def keep_longer(*, actor: Any, view: SavedView, row: int) -> datetime:
    """Lease the row anew from now on; returns until when. Raises NotTaken."""
    until = timezone.now() + LEASED_FOR
    mine = QueueLease.objects.filter(view=view, person=actor, row=row, until__gt=timezone.now())
    if not mine.update(until=until):
        raise NotTaken("The row is not yours any more: your time for it ran out. Take the next one.")
    return until


def pass_over(*, actor: Any, view: SavedView, row: int, reason: str) -> None:
    """Give back the row that the actor took, and do not offer it to them again today. Raises NotTaken, ReasonNeeded."""
    reason = " ".join(reason.replace("\0", "").split())[:500]
    if not reason:
        raise ReasonNeeded("Say why you pass over the row; whoever takes it next reads it.")
    with change_set(actor=actor, door=Door.FORM, verb="filtering.pass_over", reason=reason):
        if not QueueLease.objects.filter(view=view, person=actor, row=row).delete()[0]:
            raise NotTaken("The row is not yours, so there is nothing to pass over.")
        QueueSkip.objects.update_or_create(
            view=view, person=actor, row=row, defaults={"reason": reason, "skipped_at": timezone.now()}
        )


def place_of(*, actor: Any, model: type[models.Model], row: int) -> Place | None:
    """The queue in which the actor has this row just now; None where in none."""
    mine = QueueLease.objects.filter(person=actor, row=row, view__model=model._meta.label, until__gt=timezone.now())
    lease = mine.select_related("view").order_by("-until").first()
    if lease is None or not restrict(SavedView.objects.filter(pk=lease.view_id), actor, "view").exists():
        return None
    count = capped_count(waiting(actor=actor, view=lease.view).exclude(pk=row), MOST_COUNTED)
    skips = QueueSkip.objects.filter(view=lease.view, row=row).order_by("-skipped_at").values_list("reason", flat=True)
    return Place(view=lease.view, row=row, until=lease.until, waiting=count, passed_over=list(skips[:3]))


def _one_at_a_time(actor: Any, view: SavedView) -> None:
    """Two clicks of one person are two takes, one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"queue {view.pk} {actor.pk}"])


def _is_free(model: type[models.Model], key: int) -> bool:
    """Whether nobody is writing or taking the row at this moment; from here on it is locked until the take is over."""
    row = model._base_manager.filter(pk=key).select_for_update(skip_locked=True, no_key=True)
    return bool(row.values_list("pk", flat=True).first())


def _lease(actor: Any, view: SavedView, rows: models.QuerySet, key: int) -> bool:
    """Take a row, unless somebody took it since it was found, or it left the view. The table decides, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {QueueLease._meta.db_table} AS lease (view_id, row, person_id, until) "
            "VALUES (%s, %s, %s, %s) ON CONFLICT (view_id, row) DO UPDATE "
            "SET person_id = excluded.person_id, until = excluded.until WHERE lease.until <= clock_timestamp() "
            "RETURNING row",
            [view.pk, key, actor.pk, timezone.now() + LEASED_FOR],
        )
        if cursor.fetchone() is None:
            return False
    if rows.filter(pk=key).exists():
        return True
    give_back(actor=actor, view=view)
    return False

"""Watching a saved view: its watcher hears when rows come into it, when there are too many, or when some lie too long.

A watch is a schedule: it looks at its times, each of them once, with the watcher's rights of that time, and says nothing
when there is nothing to say. Between two looks nothing is missed: what is compared is the record at both instants.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, time, timedelta
from typing import Any

from django.db import models
from django.urls import reverse

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.audit.past import as_of
from admin_ext.filtering.changes import changes_between
from admin_ext.filtering.list_state import VIEW, ViewVeiled
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.patience import capped_count
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.filtering.views import model_of
from admin_ext.jobs import schedules
from admin_ext.jobs.models import Job, Schedule
from admin_ext.jobs.pulse import Pulse
from admin_ext.jobs.running import JobFailed, Run, job_kind
from admin_ext.jobs.services import submit_job
from admin_ext.services import Refused, service

WATCH = "filtering.watch"
MOST = 100_000
NAMED = 3
"""How many of the rows are named."""
CHANGED_LAST = "updated_at"


class Condition(models.TextChoices):
    """What a watcher wants to hear of."""

    ENTERS = "enters", "Rows come into the view"
    EXCEEDS = "exceeds", "There are more rows than the number below"
    LIES = "lies", "A row was not changed for as many days as the number below"


class WatchNotUsable(Refused):
    """A watch has no number, or asks for what the record of these rows cannot tell."""


@service("filtering.watch_view", right="view")
def watch_view(
    *,
    actor: Any,
    view: SavedView,
    condition: str,
    number: int | None = None,
    every: str,
    at: time,
    on_day: int | None = None,
    mail: bool = True,
) -> SavedView:
    """Have the actor told of a view again and again. Raises WatchNotUsable, NotPermitted, ScheduleNotUsable."""
    model = model_of(view)
    if model is None or not can(actor, "view", model):
        raise NotPermitted("You have no right to see the list of this view.")
    if condition != Condition.ENTERS and not 0 < (number or 0) <= MOST:
        raise WatchNotUsable(f"Say the number: from 1 to {MOST:,}.")
    if condition == Condition.ENTERS and not getattr(model, "has_past", False):
        raise WatchNotUsable(
            f"What came in is not on record for {model._meta.verbose_name_plural}. Watch their number."
        )
    if condition == Condition.LIES and not hasattr(model, CHANGED_LAST):
        raise WatchNotUsable(f"When {model._meta.verbose_name_plural} were changed is not on record.")
    schedules.make_schedule(
        actor=actor,
        name=f"Watch: {view.name}"[:100],
        kind=WATCH,
        arguments={"view": view.pk, "condition": condition, "number": number},
        every=every,
        at=at,
        on_day=on_day,
        mail=mail,
    )
    return view


def hand_in(schedule: Schedule, due_at: datetime, last: datetime | None) -> Job:
    """The look of one due time. Raises NotPermitted."""
    view = _view(schedule.arguments["view"], schedule.owner)
    since = last or schedule.created_at
    said = {"since": since.isoformat(), "until": due_at.isoformat(), "is_first": last is None}
    return submit_job(
        actor=schedule.owner, kind=WATCH, title=f"Watch of “{view}”", arguments={**schedule.arguments, **said}
    )


schedules.kinds[WATCH] = hand_in


@job_kind(WATCH)
def run_watch(run: Run) -> None:
    """Look at the view once, and tell its watcher what there is to tell."""
    said, actor = run.job.arguments, run.actor
    view = _view(said["view"], actor)
    look = _Look.of(view, actor, said)
    with Pulse(run, phase="looking") as pulse:
        told = _TOLD[Condition(said["condition"])](look, said["number"])
        pulse.check()
    with run.chunk(phase="told" if told else "nothing to tell"):
        run.save_cursor(told=told, address=_address(view))


@dataclasses.dataclass(frozen=True)
class _Look:
    """A view, who watches it, the two instants that are compared, and whether nobody has looked before."""

    view: SavedView
    actor: Any
    selection: Selection
    since: datetime
    until: datetime
    is_first: bool

    @classmethod
    def of(cls, view: SavedView, actor: Any, said: dict[str, Any]) -> _Look:
        try:
            selection = Selection.of_view(view, actor)
        except ViewVeiled as veiled:
            raise JobFailed(str(veiled)) from veiled
        since, until = (datetime.fromisoformat(said[name]) for name in ("since", "until"))
        return cls(view, actor, selection, since, until, said["is_first"])

    @property
    def model(self) -> Any:
        return self.selection.get_model()

    def rows(self, at: datetime | None = None) -> models.QuerySet:
        """The rows of the view that the watcher sees, of now or of an instant (inside of it). Raises JobFailed."""
        selection = dataclasses.replace(self.selection, as_of=at.isoformat()) if at else self.selection
        try:
            return selection.resolve(actor=self.actor, action="view")
        except UnknownFilter as error:
            raise JobFailed(str(error)) from error

    def many(self, count: int) -> str:
        options = self.model._meta
        return f"{count:,} {options.verbose_name if count == 1 else options.verbose_name_plural}"

    def named(self, rows: models.QuerySet, count: int) -> str:
        names = ", ".join(map(str, rows.order_by("pk")[:NAMED]))
        return f"{names} and {count - NAMED:,} more" if count > NAMED else names


def _entered(look: _Look, number: int | None) -> str:
    try:
        changes = changes_between(look.selection, actor=look.actor, since=look.since, until=look.until)
    except UnknownFilter as error:
        raise JobFailed(str(error)) from error
    count = len(changes.added)
    if not count:
        return ""
    named = look.named(look.model._default_manager.filter(pk__in=changes.added[:NAMED].tolist()), count)
    return f"{look.many(count)} came into “{look.view}”: {named}"


def _exceeded(look: _Look, number: int | None) -> str:
    """Told when it happens: not again while there stay too many, as far as the record can tell."""
    most = number or 0
    if capped_count(look.rows(), most) <= most:
        return ""
    if getattr(look.model, "has_past", False):
        with as_of(look.since):
            if capped_count(look.rows(look.since), most) > most:
                return ""
    return f"“{look.view}” has more than {look.many(most)}."


def _lay_too_long(look: _Look, number: int | None) -> str:
    """Each row once: when its time was over since the look before. The first look tells of all."""
    days = timedelta(days=number or 0)
    over = {f"{CHANGED_LAST}__lte": look.until - days}
    if not look.is_first:
        over[f"{CHANGED_LAST}__gt"] = look.since - days
    rows = look.rows().filter(**over)
    count = rows.count()
    if not count:
        return ""
    lain = "was" if count == 1 else "were"
    return f"{look.many(count)} of “{look.view}” {lain} not changed for {number} days: {look.named(rows, count)}"


_TOLD = {Condition.ENTERS: _entered, Condition.EXCEEDS: _exceeded, Condition.LIES: _lay_too_long}


def _view(key: int, reader: Any) -> SavedView:
    view = restrict(SavedView.objects.filter(pk=key), reader, "view").first()
    model = model_of(view) if view else None
    if view is None or model is None or not can(reader, "view", model):
        raise NotPermitted("The view is gone, is not shared with you any more, or you have no right to see its list.")
    return view


def _address(view: SavedView) -> str:
    app, _, model = view.model.lower().partition(".")
    return f"{reverse(f'admin:{app}_{model}_changelist')}?{VIEW}={view.pk}"

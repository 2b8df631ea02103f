"""A saved view written to a file again and again: its rows, columns and order as they are at each time."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.filtering.list_state import ListState, ViewVeiled
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.filtering.views import model_of
from admin_ext.jobs import schedules
from admin_ext.jobs.models import Job, Schedule
from admin_ext.services import service
from admin_ext.transfers.definitions import DefinitionNotUsable, submit_changes_since
from admin_ext.transfers.export_columns import UnknownColumn, offered_columns
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.formats import FormatNotKnown, check_format
from admin_ext.transfers.resources import NoResource, has_resource, resource_for

SCHEDULED = "transfers.export_view"


def columns_of(view: SavedView, reader: Any) -> list[str] | None:
    """The columns of a view that a file can have, as far as the reader may; None for those of every export. Raises
    ViewVeiled, NoResource."""
    known = offered_columns(resource_for(view.model), reader)
    return [name for name, _ in ListState.of_view(view, reader).columns if name in known] or None


@service("transfers.schedule_view", right="view")
def schedule_view(
    *,
    actor: Any,
    view: SavedView,
    every: str,
    at: time,
    on_day: int | None = None,
    format: str = "csv",
    only_changes: bool = False,
    mail: bool = True,
) -> SavedView:
    """Have a view written again and again for the actor; with `only_changes`, what changed in it since the time before.

    Raises NotPermitted, DefinitionNotUsable, ScheduleNotUsable.
    """
    model = model_of(view)
    if model is None or not can(actor, "export", model) or not has_resource(model):
        raise NotPermitted(f"You have no right to export the list of the view “{view}”.")
    if only_changes and not getattr(model, "has_past", False):
        raise DefinitionNotUsable(f"What changed in {model._meta.verbose_name_plural} is not on record.")
    try:
        check_format(format, "")
    except FormatNotKnown as error:
        raise DefinitionNotUsable(str(error)) from error
    schedules.make_schedule(
        actor=actor,
        name=f"{view.name}, changes"[:100] if only_changes else view.name,
        kind=SCHEDULED,
        arguments={"view": view.pk, "format": format, "only_changes": only_changes},
        every=every,
        at=at,
        on_day=on_day,
        mail=mail,
    )
    return view


def hand_in(schedule: Schedule, due_at: datetime, last: datetime | None) -> Job:
    """The job of one due time. Raises NotPermitted, DefinitionNotUsable."""
    owner, said = schedule.owner, schedule.arguments
    view = restrict(SavedView.objects.filter(pk=said["view"]), owner, "view").first()
    if view is None:
        raise NotPermitted("Its view is gone, or is not shared with you any more.")
    try:
        selection = Selection.of_view(view, owner)
        if said["only_changes"]:
            return submit_changes_since(schedule, selection, due_at, last, format=said["format"])
        return submit_export(actor=owner, selection=selection, format=said["format"], columns=columns_of(view, owner))
    except (ViewVeiled, UnknownColumn, UnknownFilter, NoResource, FormatNotKnown) as error:
        raise DefinitionNotUsable(f"{view}: {error}") from error


schedules.kinds[SCHEDULED] = hand_in

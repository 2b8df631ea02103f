"""Export definitions: kept, found within rights, shared, written to files at once or on a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.filtering.selection import Selection, UnknownFilter
from admin_ext.jobs import schedules
from admin_ext.jobs.models import Job, Schedule
from admin_ext.services import Refused, service
from admin_ext.transfers.changes import submit_changes
from admin_ext.transfers.export_columns import UnknownColumn, check_columns
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.formats import FORMATS, FormatNotKnown, check_format
from admin_ext.transfers.models import ExportDefinition
from admin_ext.transfers.resources import NoResource, resource_for

SCHEDULED = "transfers.export"
LONGEST_HEADER = 200


class DefinitionNotThere(LookupError):
    """There is no definition of this name, or none that the person may see."""


class DefinitionNotUsable(Refused):
    """A definition has no name, one that is taken, or asks for what there is not."""


def save_definition(
    *,
    actor: Any,
    name: str,
    selection: Selection,
    columns: Iterable[str],
    headers: Mapping[str, str] | None = None,
    format: str = "csv",
    packing: str = "",
) -> ExportDefinition:
    """Keep an export under a name, or in the place of the actor's own of that name. Picked rows and instants of the past
    are not kept: the next file is of that day's rows.

    Raises DefinitionNotUsable, NotPermitted.
    """
    model = selection.get_model()
    if not can(actor, "export", model):
        raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural}.")
    if selection.keys is not None or selection.as_of:
        raise DefinitionNotUsable("A definition asks for rows anew each time: it holds neither picked rows nor a past.")
    headers = _tidied(headers or {})
    try:
        check_format(format, packing)
        chosen = check_columns(resource_for(selection.model), actor, list(columns))
    except (FormatNotKnown, UnknownColumn, NoResource) as error:
        raise DefinitionNotUsable(str(error)) from error
    with change_set(actor=actor, door=Door.FORM, verb="transfers.save_definition"):
        kept = ExportDefinition.objects.select_for_update(of=("self",)).filter(name=name).first()
        if kept is not None and not can(actor, "change", kept):
            raise DefinitionNotUsable(f"There is an export definition “{name}” already. Choose another name.")
        if kept is not None and kept.resource != selection.model:
            raise DefinitionNotUsable(f"The definition “{name}” is for other records. Choose another name.")
        kept = kept or ExportDefinition(owner=actor, resource=selection.model)
        kept.name, kept.format, kept.packing = name, format, packing
        kept.filters, kept.search, kept.ordering = selection.filters, selection.search, selection.ordering
        kept.columns = [{"name": each, "header": headers.get(each, "")} for each in chosen]
        try:
            kept.full_clean()
        except ValidationError as error:
            raise DefinitionNotUsable(" ".join(error.messages)) from error
        kept.save()
    return kept


def find_definition(name: str, *, user: Any) -> ExportDefinition:
    """The definition of this name, if the person may see it. Raises DefinitionNotThere."""
    found = restrict(ExportDefinition.objects.filter(name=name.replace("\0", "")), user, "view").first()
    if found is None:
        raise DefinitionNotThere(f"There is no export definition “{name}” that you may see.")
    return found


def selection_of(definition: ExportDefinition) -> Selection:
    """The rows that it asks for."""
    return Selection(
        model=definition.resource,
        filters=dict(definition.filters),
        search=definition.search,
        ordering=list(definition.ordering),
    )


def submit_definition(*, actor: Any, definition: ExportDefinition) -> Job:
    """Have its file written, as far as the actor may have it. Raises NotPermitted, DefinitionNotUsable."""
    try:
        return submit_export(
            actor=actor,
            selection=selection_of(definition),
            format=definition.format,
            packing=definition.packing,
            columns=[each["name"] for each in definition.columns],
            headers={each["name"]: each["header"] for each in definition.columns if each["header"]},
        )
    except (UnknownColumn, FormatNotKnown, NoResource, UnknownFilter) as error:
        raise DefinitionNotUsable(f"{definition}: {error}") from error


@service("transfers.write_export", right="view")
def write_definition(*, actor: Any, definition: ExportDefinition) -> ExportDefinition:
    """Have its file written now; the bell rings when it is there. Raises NotPermitted, DefinitionNotUsable."""
    submit_definition(actor=actor, definition=definition)
    return definition


@service("transfers.share_definition", right="grant")
def share_definition(
    *, actor: Any, definition: ExportDefinition, people: Iterable[Any] = (), roles: Iterable[Any] = ()
) -> ExportDefinition:
    """Let exactly these people and the holders of these roles see and use a definition, beside its owner.

    It hands on no row and no column: whoever has it written gets what they may have.
    """
    right = Permission.objects.get(content_type__app_label="transfers", codename="view_exportdefinition")
    wanted = {
        (ExportDefinition.user_grants_model, "user_id"): {person.pk for person in people} - {definition.owner_id},
        (ExportDefinition.group_grants_model, "group_id"): {role.pk for role in roles},
    }
    for (table, holder), keys in wanted.items():
        given = table.objects.filter(content_object=definition, permission=right)
        held = set(given.values_list(holder, flat=True))
        given.filter(**{f"{holder}__in": held - keys}).delete()
        for key in sorted(keys - held):
            table.objects.create(content_object=definition, permission=right, **{holder: key})
    return definition


def shared_with(definition: ExportDefinition) -> tuple[list[Any], list[Group]]:
    """The people and the roles that a definition is shared with, by name."""
    right = {"content_object": definition, "permission__codename": "view_exportdefinition"}
    people = ExportDefinition.user_grants_model.objects.filter(**right)
    roles = ExportDefinition.group_grants_model.objects.filter(**right)
    users: Any = ExportDefinition._meta.get_field("owner").related_model
    return (
        list(users.objects.filter(pk__in=people.values("user")).order_by("username")),
        list(Group.objects.filter(pk__in=roles.values("group")).order_by("name")),
    )


@service("transfers.schedule_export", right="view")
def schedule_export(
    *,
    actor: Any,
    definition: ExportDefinition,
    every: str,
    at: time,
    on_day: int | None = None,
    only_changes: bool = False,
    mail: bool = True,
) -> ExportDefinition:
    """Have a definition written again and again for the actor, who may see it; with `only_changes`, what changed in its
    rows since the time before. Raises NotPermitted, ScheduleNotUsable."""
    model = selection_of(definition).get_model()
    if not can(actor, "export", model):
        raise NotPermitted(f"You have no right to export {model._meta.verbose_name_plural}.")
    if only_changes and not getattr(model, "has_past", False):
        raise DefinitionNotUsable(f"What changed in {model._meta.verbose_name_plural} is not on record.")
    schedules.make_schedule(
        actor=actor,
        name=f"{definition.name}, changes" if only_changes else definition.name,
        kind=SCHEDULED,
        arguments={"definition": definition.pk, "only_changes": only_changes},
        every=every,
        at=at,
        on_day=on_day,
        mail=mail,
    )
    return definition


def hand_in(schedule: Schedule, due_at: datetime, last: datetime | None) -> Job:
    """The job of one due time. Raises NotPermitted, DefinitionNotUsable."""
    owner = schedule.owner
    definitions = ExportDefinition.objects.filter(pk=schedule.arguments["definition"])
    definition = restrict(definitions, owner, "view").first()
    if definition is None:
        raise NotPermitted("Its export definition is gone, or is not shared with you any more.")
    if not schedule.arguments.get("only_changes"):
        return submit_definition(actor=owner, definition=definition)
    return submit_changes_since(schedule, selection_of(definition), due_at, last, format=definition.format)


def submit_changes_since(
    schedule: Schedule, selection: Selection, due_at: datetime, last: datetime | None, *, format: str
) -> Job:
    """What changed in a schedule's rows since the time before: a workbook where its files are some. Raises NotPermitted."""
    return submit_changes(
        actor=schedule.owner,
        selection=selection,
        since=last or max(schedule.created_at, due_at.replace(year=due_at.year - 1)),
        until=due_at,
        format="xlsx" if FORMATS[format].is_workbook else "csv",
    )


schedules.kinds[SCHEDULED] = hand_in


def _tidied(headers: Mapping[str, str]) -> dict[str, str]:
    """Names of columns without what no header may have. Raises DefinitionNotUsable."""
    tidy = {name: " ".join(header.replace("\0", "").split()) for name, header in headers.items()}
    tidy = {name: header for name, header in tidy.items() if header}
    if any(len(header) > LONGEST_HEADER for header in tidy.values()):
        raise DefinitionNotUsable(f"The name of a column has at most {LONGEST_HEADER} characters.")
    if len(set(tidy.values())) < len(tidy):
        raise DefinitionNotUsable("Two columns would have the same name in the file.")
    return tidy

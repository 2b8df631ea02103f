"""Breaking the glass: an elevated session holds one more role for a while, and leaves a trail of every request.

What a session carries is the number of an `Elevation`; whether that still holds is asked of the database at every request.
Nothing of it reaches other sessions of the person, or jobs: those run with what the person holds themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.facts import Facts
from admin_ext.access.rights import NotPermitted, permission
from admin_ext.access.roles import elevate
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, Door
from admin_ext.granting.holding import check_role
from admin_ext.granting.models import Elevation, EmergencyRole
from admin_ext.notices.models import Notice, notify
from admin_ext.services import ReasonMissing, Refused, service

KEY = "opsadmin_elevation"
LONGEST = 60


class NotForEmergencies(Refused):
    """The role that was chosen is not one of those that are there for emergencies."""


class ElevatedAlready(Refused):
    """A session is elevated once at a time."""


def may_break_glass(user: Any) -> bool:
    return user.is_active and user.has_perm("granting.break_glass")


@service("granting.set_emergency_roles", right="grant", model="granting.EmergencyRole", reason_required=True)
def set_emergency_roles(*, actor: Any, roles: Iterable[Group], reason: str) -> None:
    """Say which roles elevated sessions may take on; who has another one loses it at their next request.

    Raises RightNotHeld: nobody puts up a role that gives more than they may hand on.
    """
    wanted = {role.pk: role for role in roles}
    known = set(EmergencyRole.objects.values_list("role_id", flat=True))
    for key in wanted.keys() - known:
        check_role(actor, wanted[key])
        EmergencyRole.objects.create(role_id=key)
    EmergencyRole.objects.filter(role_id__in=known - wanted.keys()).delete()


def break_glass(*, actor: Any, role: Group, reason: str, session: Any, minutes: int | None = None) -> Elevation:
    """Hold one more role in this session, for `minutes` (at most an hour). The caller has asked for the password.

    Raises NotPermitted, NotForEmergencies, ElevatedAlready, ReasonMissing, NotNoted.
    """
    if not may_break_glass(actor):
        raise NotPermitted("You have no right to break the glass.")
    if KEY in session:
        raise ElevatedAlready("This session is elevated already.")
    if not reason.strip():
        raise ReasonMissing("Say what the emergency is.")
    if not EmergencyRole.objects.filter(role=role).exists():
        raise NotForEmergencies(f"{role} is not a role for emergencies.")
    lasts = timedelta(minutes=max(1, min(minutes or settings.ELEVATION_MINUTES, settings.ELEVATION_MINUTES, LONGEST)))
    with change_set(actor=actor, door=Door.FORM, verb="granting.break_glass", reason=reason):
        now = timezone.now()
        made = Elevation.objects.create(
            person=actor, role=role, reason=reason.strip(), started_at=now, ends_at=now + lasts
        )
        _note(actor, made, "Broke the glass", reason=reason.strip(), until=made.ends_at)
        _ring(actor, made)
    session[KEY] = made.pk
    return made


def end_elevation(*, actor: Any, session: Any) -> None:
    """Give the role back. Does nothing where the session is not elevated."""
    key = session.pop(KEY, None)
    made = Elevation.objects.filter(pk=key, person=actor.pk).first() if key else None
    if made is None or not made.is_live:
        return
    with change_set(actor=actor, door=Door.FORM, verb="granting.end_elevation", reason="Ended by the person"):
        Elevation.objects.filter(pk=made.pk).update(ended_at=timezone.now())
        _note(actor, made, "Ended the elevated session")


def resume_elevation(*, actor: Any, session: Any, method: str, path: str) -> Elevation | None:
    """Give the role to this user object for one request, and note the request first; None when it is over.

    Over it is when its time is, when it was ended, or when the person may not break the glass any more or the role is
    no longer for emergencies. Raises NotNoted: nothing is done with it unnoted.
    """
    made = Elevation.objects.select_related("role").filter(pk=session.get(KEY), person=actor.pk).first()
    emergency = made is not None and EmergencyRole.objects.filter(role=made.role_id).exists()
    if made is None or not made.is_live or not emergency or not may_break_glass(actor):
        session.pop(KEY, None)
        if made is not None:
            _note(actor, made, "The elevated session was over")
        return None
    _note(actor, made, path, method=method)
    elevate(actor, made.role_id)
    return made


def _note(actor: Any, made: Elevation, subject: str, *, reason: str = "", **detail: Any) -> None:
    told = {"elevation": made.pk, "role": made.role.name, **detail}
    note_access(Access.ELEVATION, actor=actor, subject=subject, reason=reason, detail=told)


def _ring(actor: Any, made: Elevation) -> None:
    """Tell everybody else who gives people their rights."""
    facts = Facts()
    roles = facts.roles_giving(permission(get_user_model(), "grant"))
    people = facts.active(set().union(*facts.holders(roles).values())) - {actor.pk}
    text = f"{actor} broke the glass: {made.role} until {made.ends_at:%H:%M} UTC. {made.reason}"
    for each in get_user_model()._default_manager.filter(pk__in=people):
        notify(each, text, level=Notice.Level.DANGER, url=reverse("admin:granting_elevation_change", args=[made.pk]))

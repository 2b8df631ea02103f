"""Looking at the product as somebody else: to look only, with a reason, for a while, recorded as both people.

What holds it is the session. Each request asks anew whether it may go on. That nothing is changed or taken out is held
by the audit room (`refuse_looking_only`), where every write and every file passes; the middleware refuses before.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.access.roles import elevated_role
from admin_ext.audit.access_log import note_access, note_quietly
from admin_ext.audit.context import origin, refuse_looking_only
from admin_ext.audit.models import Access
from admin_ext.granting.holding import PersonIsYourself, check_below
from admin_ext.services import ReasonMissing, Refused

KEY = "opsadmin_impersonation"


class NotJustNow(Refused):
    """Nobody looks as somebody else from an elevated session, or as somebody whose account is closed."""


@dataclasses.dataclass(frozen=True)
class Impersonation:
    """As whom somebody looks at the product, and until when."""

    person: Any
    until: datetime
    reason: str


def start_impersonation(*, actor: Any, person: Any, session: Any, reason: str) -> Impersonation:
    """Look at the product as `person` from the next request on.

    Raises NotPermitted, PersonIsYourself, PersonAboveYou, NotJustNow, ReasonMissing, LookingOnly, NotNoted.
    """
    refuse_looking_only()
    if not reason.strip():
        raise ReasonMissing("Say why you look at the product as somebody else.")
    _check(actor, person)
    until = timezone.now() + timedelta(minutes=settings.IMPERSONATION_MINUTES)
    session[KEY] = {"person": person.pk, "until": until.isoformat(), "reason": reason.strip()}
    _note(actor, person, "Began to look as somebody else", reason=reason.strip(), until=until)
    return Impersonation(person, until, reason.strip())


def end_impersonation(*, actor: Any, session: Any, why: str = "ended by the person") -> None:
    """Be oneself again. Does nothing where nobody is looked as."""
    kept = session.pop(KEY, None)
    if kept is not None:
        person = get_user_model()._default_manager.filter(pk=kept["person"]).first()
        _note(actor, person, "Stopped looking as somebody else", quietly=True, why=why)


def current_impersonation(*, actor: Any, session: Any) -> Impersonation | None:
    """As whom `actor` looks just now; None when nobody, or no longer: its time is over or a right is gone."""
    kept = session.get(KEY)
    if kept is None:
        return None
    person = get_user_model()._default_manager.filter(pk=kept["person"]).first()
    until = datetime.fromisoformat(kept["until"])
    if person is None or until <= timezone.now():
        end_impersonation(actor=actor, session=session, why="its time was over")
        return None
    try:
        _check(actor, person)
    except (NotPermitted, Refused) as error:
        end_impersonation(actor=actor, session=session, why=str(error))
        return None
    return Impersonation(person, until, kept["reason"])


def look_as(actor: Any, person: Any) -> None:
    """Tell the record, for the rest of the request, who looks as whom."""
    here = origin.get()
    assert here is not None, "ActMiddleware comes first"
    here.impersonator, here.impersonated = actor, person


def _check(actor: Any, person: Any) -> None:
    if actor.pk == person.pk:
        raise PersonIsYourself("You look at the product as yourself already.")
    if not can(actor, "impersonate", person):
        raise NotPermitted("You have no right to look at the product as somebody else.")
    if person.is_superuser:
        raise NotPermitted("Nobody looks at the product as a superuser.")
    if not (person.is_active and person.is_staff):
        raise NotJustNow(f"{person} cannot log in, so there is nothing to look at.")
    if elevated_role(actor) is not None:
        raise NotJustNow("End your elevated session first.")
    check_below(actor, person)


def _note(actor: Any, person: Any, subject: str, *, quietly: bool = False, reason: str = "", **detail: Any) -> None:
    said = {"model": get_user_model()._meta.label, "object_id": getattr(person, "pk", None), "detail": detail}
    note = note_quietly if quietly else note_access
    note(Access.IMPERSONATE, actor=actor, acting_as=person, subject=subject, reason=reason, **said)

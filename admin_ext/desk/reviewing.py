"""Signing reviews. What is refused here is refused by the database as well (`sql/review_is_signed.sql`)."""

from __future__ import annotations

from typing import Any

from django.db import models

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.models import Review
from admin_ext.services import Refused, service


class ActNotThere(Refused):
    """A review is of acts that are on the record, that its reviewer may see, and that have ended."""


class ActOfOneself(Refused):
    """Nobody reviews what they did themselves."""


class RangeBackwards(Refused):
    """A range ends before it begins."""


class NoteMissing(Refused):
    """A question or an objection says what it is."""


@service("desk.sign_review", right="add", model="desk.Review")
def sign_review(*, actor: Any, first_act: int, last_act: int, verdict: str, note: str = "") -> Review:
    """Sign what one thinks of an act, or of every act of others in a range.

    Raises ActNotThere, ActOfOneself, RangeBackwards, NoteMissing.
    """
    if last_act < first_act:
        raise RangeBackwards("The last change set of a range comes after the first.")
    if verdict != Review.Verdict.IN_ORDER and not note.strip():
        raise NoteMissing("Say in the note what the question or the objection is.")
    ends = {first_act, last_act}
    acts = restrict(ChangeSet.objects.filter(pk__in=ends, finished_at__isnull=False), actor, "view").in_bulk()
    if missing := sorted(ends - acts.keys()):
        raise ActNotThere(f"Change set #{missing[0]} is not on the record, or has not ended yet.")
    if first_act == last_act and actor.pk in (acts[first_act].actor_id, acts[first_act].acting_as_id):
        raise ActOfOneself("You did this yourself; somebody else has to review it.")
    if first_act != last_act and not actor.has_perm("audit.view_changeset"):
        raise NotPermitted("Only who may see every change set signs for a range of them.")
    review = Review.objects.create(
        reviewer=actor, first_act=first_act, last_act=last_act, verdict=verdict, note=note.strip()
    )
    # What the database filled in.
    review.refresh_from_db()
    return review


def reviews_of(act: ChangeSet) -> models.QuerySet[Review]:
    """The reviews that cover an act, newest first."""
    covering = Review.objects.filter(first_act__lte=act.pk, last_act__gte=act.pk, signed_at__gte=act.finished_at)
    return covering.exclude(reviewer__in=[each for each in (act.actor_id, act.acting_as_id) if each])

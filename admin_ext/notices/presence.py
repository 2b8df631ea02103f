"""Who has the form of a record open just now: told to the others who have it open too, kept for a minute.

It is a courtesy, no lock: what keeps edits from being lost is the version of the row.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone

from admin_ext.access.rights import restrict
from admin_ext.notices.models import OpenForm

# A form that is open says so every 20 seconds; whoever was silent for longer than two such turns has left.
SECONDS = 20
GONE_AFTER = timedelta(seconds=45)


def note_open(*, user: Any, record: models.Model) -> list[Any]:
    """Note that `user` has the form of `record` open; returns who else has, latest first."""
    instant = timezone.now()
    OpenForm.objects.filter(seen_at__lt=instant - GONE_AFTER).delete()
    OpenForm.objects.bulk_create(
        [OpenForm(model=record._meta.label, object_id=record.pk, user=user, seen_at=instant)],
        update_conflicts=True,
        update_fields=["seen_at"],
        unique_fields=["model", "object_id", "user"],
    )
    others = OpenForm.objects.filter(model=record._meta.label, object_id=record.pk).exclude(user=user)
    return [each.user for each in others.select_related("user").order_by("-seen_at")]


def told_names(people: list[Any], *, reader: Any) -> list[str]:
    """Their names, of those whose account the reader may see; the others are colleagues."""
    keys = {each.pk for each in people}
    seen = set(
        restrict(get_user_model()._default_manager.filter(pk__in=keys), reader, "view").values_list("pk", flat=True)
    )
    known = [str(each) for each in people if each.pk in seen]
    rest = len(people) - len(known)
    return [*known, *(["a colleague"] if rest == 1 else [f"{rest} colleagues"] if rest else [])]

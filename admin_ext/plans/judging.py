"""Which of its buckets a row of an undone act belongs in: what is said of it before anybody's values are looked at."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from admin_ext.plans.models import Action
from admin_ext.plans.rows import problem
from admin_ext.plans.touched import Touched

HIDDEN = "You may not see this row. It stays as it is."
NO_BEFORE = "The record does not say what it was before."
Verdict = tuple[str, list[dict[str, str]] | None]


def judge(row: Touched, who: dict[int, str]) -> Verdict | None:
    """The action of a row that is not taken back, and why; None when nothing so far is against it."""
    judged = {Action.DELETE: _made, Action.CREATE: _deleted, Action.UPDATE: _changed}[Action(row.way_back)]
    return judged(row, who)


def _made(row: Touched, who: dict[int, str]) -> Verdict | None:
    if not row.is_there:
        return Action.UNCHANGED, None
    if row.was_deleted:
        return Action.DRIFTED, _kept(row, who, "made it again")
    return None if _is_as_left(row) else (Action.DRIFTED, _kept(row, who, "changed it"))


def _deleted(row: Touched, who: dict[int, str]) -> Verdict | None:
    if row.is_as_before:
        return Action.UNCHANGED, None
    return (Action.DRIFTED, _kept(row, who, "made it again")) if row.is_there else None


def _changed(row: Touched, who: dict[int, str]) -> Verdict | None:
    if not row.is_there:
        return Action.REFUSED, [
            problem(f"The row is gone: {_told(row, who, 'deleted it')}.", advice="Restore it first.")
        ]
    if row.is_as_before:
        return Action.UNCHANGED, None
    if row.before is None:
        return Action.REFUSED, [problem(NO_BEFORE, advice="Change it by hand.")]
    return None if _is_as_left(row) else (Action.DRIFTED, _kept(row, who, "changed it"))


def _is_as_left(row: Touched) -> bool:
    return row.is_as_left and not row.between


def _kept(row: Touched, who: dict[int, str], did: str) -> list[dict[str, str]]:
    return [problem(f"Kept: {_told(row, who, did)}.")]


def _told(row: Touched, who: dict[int, str], did: str) -> str:
    """By whom, when, under which change set: what is told of every change."""
    if row.other_at is None:
        return "it is not as the record has it"
    person = who.get(row.other_person or 0) or f"the database login {row.other_login}"
    act = f" (change set #{row.other_act})" if row.other_act else ""
    when = timezone.localtime(row.other_at).strftime("%Y-%m-%d %H:%M")
    return f"{person} {did} on {when}{act}"


def people(rows: list[Touched]) -> dict[int, str]:
    """Who changed them since; a person's name is told with every change that they made."""
    keys: Any = {row.other_person for row in rows} - {None}
    return {user.pk: str(user) for user in get_user_model()._default_manager.filter(pk__in=keys)} if keys else {}

"""Setting and lifting field policies. Nobody loosens a policy that holds for themselves."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models

from admin_ext.access.fields import STRICTNESS, treatments
from admin_ext.access.models import FieldPolicy
from admin_ext.access.rights import access_of
from admin_ext.audit.access_log import note_access
from admin_ext.audit.models import Access
from admin_ext.services import Refused, service

MODEL = "access.FieldPolicy"
ASKED = ("view", "add", "change", "import", "export")


class PolicyNotPossible(Refused):
    """There is no such field, or it is one by which people name a row."""


class PolicyHoldsForYourself(Refused):
    """Nobody gets to see or write more by their own hand."""


@service("access.set_policy", right="grant", model=MODEL, reason_required=True)
def set_policy(*, actor: Any, role: Group, model: str, field: str, kind: str, reason: str) -> FieldPolicy:
    """Say how the holders of a role meet a field of a model ("app.Model"): the role's one policy for it.

    Raises PolicyNotPossible, PolicyHoldsForYourself.
    """
    found = FieldPolicy.objects.select_for_update().filter(role_id=role.pk, model=model, field=field).first()
    policy = found or FieldPolicy(role_id=role.pk, model=model, field=field)
    old, policy.kind = policy.kind, kind
    try:
        policy.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise PolicyNotPossible(" ".join(error.messages)) from error
    if old == kind:
        return policy
    before = _met(actor, policy)
    policy.save()
    _refuse_own_gain(actor, policy, old, kind, before)
    _note(actor, policy, f"Field policy: {policy.get_kind_display().lower()}", reason, old)
    return policy


@service("access.lift_policy", right="grant", model=MODEL, reason_required=True)
def lift_policy(*, actor: Any, policy: FieldPolicy, reason: str) -> None:
    """Let the holders of a role meet a field as everybody does. Raises PolicyHoldsForYourself."""
    found = FieldPolicy.objects.select_for_update().filter(pk=policy.pk).first()
    if found is None:
        return
    before = _met(actor, found)
    found.delete()
    _refuse_own_gain(actor, found, found.kind, "", before)
    _note(actor, policy, "Field policy: lifted", reason, found.kind)


def _met(actor: Any, policy: FieldPolicy) -> list[int]:
    """How strictly the actor is treated for the field now, action by action, where they reach any row at all. Asked
    anew, not of what was read before.
    """
    model: Any = _model(policy)
    asking = get_user_model()._default_manager.get(pk=actor.pk)
    reached = [action for action in ASKED if access_of(asking).holds_any(model, action)]
    return [STRICTNESS[treatments(asking, action, model).get(policy.field, "")] for action in reached]


def _refuse_own_gain(actor: Any, policy: FieldPolicy, old: str, new: str, before: list[int]) -> None:
    """Called after the write, whose transaction an exception rolls back."""
    if actor.is_superuser:
        return
    loosened = STRICTNESS[new] < STRICTNESS[old]
    holds = actor.groups.filter(pk=policy.role_id).exists()
    gains = any(now < then for now, then in zip(_met(actor, policy), before, strict=True))
    if gains or (loosened and holds):
        raise PolicyHoldsForYourself(
            f"Nothing was saved: the policy for {policy} holds for yourself, and nobody loosens a policy for themselves. "
            "Ask another administrator."
        )


def _note(actor: Any, policy: FieldPolicy, said: str, reason: str, old: str) -> None:
    """In the ledger of reads too: who reads it asks who could see what, and since when."""
    detail = {"role": policy.role_id, "model": policy.model, "field": policy.field, "before": old}
    note_access(Access.RIGHTS, actor=actor, model=MODEL, subject=said, reason=reason, detail=detail)


def _model(policy: FieldPolicy) -> type[models.Model]:
    from django.apps import apps

    return apps.get_model(policy.model)

"""Where a page asks why: what asks for a reason is said beside the field, and silence is refused beside it too."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.http import HttpRequest

from admin_ext.audit.context import lacks_reason
from admin_ext.audit.reasons import asks_reason, told_rule
from admin_ext.services import ReasonMissing

FIELD = "_reason"


def posted_reason(request: HttpRequest) -> str:
    """What was typed; without the one character that the database keeps in no text."""
    return request.POST.get(FIELD, "").replace("\x00", "").strip()


def reason_context(
    request: HttpRequest, *models_shown: type[models.Model], making: bool = False, error: str = ""
) -> dict[str, Any]:
    """For the page of a row and its parts: what asks for a reason, what was typed, and what is wrong with it."""
    told = [told_rule(model) for model in models_shown if asks_reason(model) or not making]
    return {
        "reason_asked": ", and by ".join(rule for rule in told if rule),
        "reason_always": bool(models_shown) and asks_reason(models_shown[0]),
        "reason_typed": posted_reason(request),
        "reason_errors": [error] if error else [],
    }


def refuse_silence() -> None:
    """After a write, in its act: raise ReasonMissing where it changed what asks for a reason and nobody said why."""
    if lacks_reason():
        raise ReasonMissing(
            "Nothing was saved: this change asks for a reason. Write it under “Reason for the change” and save again."
        )

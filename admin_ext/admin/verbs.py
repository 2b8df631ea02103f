"""Verbs: services that a person can call from a record's page, and on a selection in a list.

A ModelAdmin lists its verbs; each becomes a button that asks for what the service needs and calls it, and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django import forms
from django.db import models

from admin_ext.access.rights import can
from admin_ext.services import call_service


class ReasonForm(forms.Form):
    """Asks why."""

    reason = forms.CharField(
        widget=forms.Textarea, help_text="Kept on the record, for whoever asks later.", label="Reason", strip=True
    )


class OptionalReasonForm(forms.Form):
    """Asks why, and takes silence for an answer."""

    reason = forms.CharField(
        widget=forms.Textarea, required=False, help_text="Kept on the record, for whoever asks later.", label="Reason"
    )


@dataclasses.dataclass(frozen=True)
class Verb:
    """A service as a button.

    `service` is a function made with `@service`; its second parameter takes the row, the rest come from `form`.
    """

    service: Callable[..., Any]
    label: str
    icon: str = "bolt"
    form: type[forms.Form] = OptionalReasonForm
    bulk: bool = True
    danger: bool = False

    @property
    def name(self) -> str:
        return self.service.service_name.partition(".")[2]  # type: ignore[attr-defined]

    @property
    def right(self) -> str:
        return self.service.right  # type: ignore[attr-defined]

    def is_offered(self, user: Any, row: models.Model) -> bool:
        possible = self.service.possible  # type: ignore[attr-defined]
        return (possible is None or possible(row)) and can(user, self.right, row)

    def call(self, *, actor: Any, row: models.Model, **arguments: Any) -> Any:
        return call_service(self.service, actor=actor, row=row, **arguments)

"""The form of a bulk edit: what is to become of each of several columns."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.db import models

from admin_ext.audit.reasons import asks_reason
from admin_ext.plans.editing import OPERATIONS, operations_for

FARTHEST_DAYS = 36_525


class EditForm(forms.Form):
    """For each column what is done to it, left alone unless said. `changes` are those of a plan, once it is valid."""

    def __init__(self, model: type[models.Model], names: list[str], *args: Any) -> None:
        super().__init__(*args)
        self.model, self.names = model, names
        self.changes: dict[str, dict[str, Any]] = {}
        for name in names:
            field: Any = model._meta.get_field(name)
            label = str(field.verbose_name).capitalize()
            operations = [("", "Leave as it is"), *((each, OPERATIONS[each]) for each in operations_for(field))]
            self.fields[f"do-{name}"] = forms.ChoiceField(label=label, choices=operations, required=False)
            self.fields[f"value-{name}"] = forms.CharField(label=f"{label}: value", required=False, strip=False)
            if isinstance(field, models.CharField | models.TextField) and not field.choices:
                self.fields[f"find-{name}"] = forms.CharField(
                    label=f"{label}: text to replace", required=False, strip=False
                )
        self.fields["reason"] = forms.CharField(widget=forms.Textarea, required=False, label="Reason")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The columns with their inputs, for the page."""
        return [
            {
                "label": self.fields[f"do-{name}"].label,
                "do": self[f"do-{name}"],
                "value": self[f"value-{name}"],
                "find": self[f"find-{name}"] if f"find-{name}" in self.fields else None,
                "choices": [str(label) for _, label in getattr(self.model._meta.get_field(name), "flatchoices", ())],
            }
            for name in self.names
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self.names:
            operation = cleaned.get(f"do-{name}")
            if operation:
                self._take(name, operation, cleaned)
            elif cleaned.get(f"value-{name}"):
                self.add_error(f"do-{name}", "Say what to do with the value.")
        if not self.changes and not self.errors:
            raise forms.ValidationError("Nothing is to be changed yet: choose what to do with a column.")
        if self.changes and asks_reason(self.model, set(self.changes)) and not cleaned.get("reason"):
            asking = [name for name in self.changes if asks_reason(self.model, {name})]
            labels = " and ".join(str(self.model._meta.get_field(name).verbose_name) for name in asking)
            self.add_error("reason", f"A change of {labels or 'these'} asks for a reason. Say why.")
        return cleaned

    def _take(self, name: str, operation: str, cleaned: dict[str, Any]) -> None:
        value, find = cleaned.get(f"value-{name}", ""), cleaned.get(f"find-{name}", "")
        problem = ""
        if operation in ("percent", "amount"):
            problem = "" if _is_number(value) else "Write a number, e.g. 4 or -2.5."
        elif operation == "days":
            problem = "" if _is_days(value) else "Write a number of days, e.g. 14 or -7."
        elif operation == "set" and not value.strip():
            problem = "Write a value, or choose Clear."
        elif operation == "replace" and not find:
            self.add_error(f"find-{name}", "Write the text that is to be replaced.")
        if problem:
            self.add_error(f"value-{name}", problem)
            return
        change = {"operation": operation, "value": value if operation == "replace" else value.strip()}
        self.changes[name] = change | ({"find": find} if operation == "replace" else {})


def _is_number(text: str) -> bool:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return False
    return number.is_finite() and abs(number) < Decimal(10) ** 15


def _is_days(text: str) -> bool:
    text = text.strip()
    return text.removeprefix("-").isdecimal() and len(text) < 8 and abs(int(text)) <= FARTHEST_DAYS

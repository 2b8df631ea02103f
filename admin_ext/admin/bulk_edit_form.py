"""The form of a bulk edit: what is to become of each of several columns, and of relations to many rows."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.db import models

from admin_ext.admin.related_rows import RelatedRowsField
from admin_ext.audit.reasons import asks_reason
from admin_ext.plans.editing import OPERATIONS, operations_for
from admin_ext.plans.relations import OPERATIONS as OPERATIONS_ON_ROWS
from admin_ext.plans.relations import Relation, offered_relations

FARTHEST_DAYS = 36_525


class EditForm(forms.Form):
    """For each column, and each relation of which `user` may write something, what is done to it, left alone unless said.
    `changes` and `joined` are those of a plan, once it is valid."""

    def __init__(self, model: type[models.Model], names: list[str], *args: Any, user: Any = None) -> None:
        super().__init__(*args)
        self.model, self.names = model, names
        self.changes: dict[str, dict[str, Any]] = {}
        self.joined: dict[str, dict[str, Any]] = {}
        self.relations = offered_relations(user, model) if user else {}
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
        for relation, allowed in self.relations.items():
            label = relation.label.capitalize()
            operations = [("", "Leave as they are"), *((each, OPERATIONS_ON_ROWS[each]) for each in allowed)]
            self.fields[f"do-{relation.name}"] = forms.ChoiceField(label=label, choices=operations, required=False)
            self.fields[f"rows-{relation.name}"] = RelatedRowsField(relation, user)
        self.fields["reason"] = forms.CharField(widget=forms.Textarea, required=False, label="Reason")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The columns and relations with their inputs, for the page."""
        columns: list[dict[str, Any]] = [
            {
                "label": self.fields[f"do-{name}"].label,
                "do": self[f"do-{name}"],
                "value": self[f"value-{name}"],
                "find": self[f"find-{name}"] if f"find-{name}" in self.fields else None,
                "choices": [str(label) for _, label in getattr(self.model._meta.get_field(name), "flatchoices", ())],
            }
            for name in self.names
        ]
        return columns + [
            {
                "label": self.fields[f"do-{each.name}"].label,
                "do": self[f"do-{each.name}"],
                "value": self[f"rows-{each.name}"],
            }
            for each in self.relations
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self.names:
            operation = cleaned.get(f"do-{name}")
            if operation:
                self._take(name, operation, cleaned)
            elif cleaned.get(f"value-{name}"):
                self.add_error(f"do-{name}", "Say what to do with the value.")
        for relation in self.relations:
            self._join(relation, cleaned)
        if not self.changes and not self.joined and not self.errors:
            raise forms.ValidationError("Nothing is to be changed yet: choose what to do with a column.")
        if self.changes and asks_reason(self.model, set(self.changes)) and not cleaned.get("reason"):
            asking = [name for name in self.changes if asks_reason(self.model, {name})]
            labels = " and ".join(str(self.model._meta.get_field(name).verbose_name) for name in asking)
            self.add_error("reason", f"A change of {labels or 'these'} asks for a reason. Say why.")
        if not cleaned.get("reason"):
            for kind in {each.pairs for each in self.relations if each.name in self.joined}:
                if asks_reason(kind):
                    self.add_error(
                        "reason", f"A change of {kind._meta.verbose_name_plural} asks for a reason. Say why."
                    )
        return cleaned

    def _join(self, relation: Relation, cleaned: dict[str, Any]) -> None:
        operation, rows = cleaned.get(f"do-{relation.name}"), cleaned.get(f"rows-{relation.name}")
        if operation and rows:
            self.joined[relation.name] = {"operation": operation, "keys": [row.pk for row in rows]}
        elif operation and f"rows-{relation.name}" not in self.errors:
            self.add_error(f"rows-{relation.name}", f"Choose what to {operation}.")
        elif rows and f"do-{relation.name}" not in self.errors:
            self.add_error(f"do-{relation.name}", "Say what to do with what you chose.")

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

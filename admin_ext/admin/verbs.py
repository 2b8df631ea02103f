"""Verbs: services that a person can call from a record's page, and on a selection in a list.

A ModelAdmin lists its verbs; each becomes a button that asks for what the service needs and calls it, and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import models

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.rights import can, restrict
from admin_ext.admin.choices import shown_again
from admin_ext.admin.looks import styled
from admin_ext.admin.related import has_rights
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


class RowForm(forms.Form):
    """A form that knows the row on whose page it is, and who asks."""

    def __init__(self, *args: Any, row: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row, self.user = row, user


class DayField(forms.DateField):
    """A day, picked in the browser's own calendar."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class RecordField(forms.ModelChoiceField):
    """Chooses a row as the foreign key `name` of `model` ("app.Model") does: offered as the person types."""

    def __init__(self, model: str, name: str, **kwargs: Any) -> None:
        self.model, self.name = model, name
        # Which rows there are is asked when a form is made: no model is loaded yet when forms are declared.
        super().__init__(queryset=None, **kwargs)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return shown_again(data, initial)

    def offer(self, user: Any) -> None:
        """Offer the rows that `user` may see."""
        column = apps.get_model(self.model)._meta.get_field(self.name)
        self.widget = AutocompleteSelect(column, admin.site, attrs={"data-theme": "admin-autocomplete"})
        self.widget.is_required = self.required
        self.queryset = restrict(column.related_model._default_manager.all(), user, "view")


@dataclasses.dataclass(frozen=True)
class Verb:
    """A service as a button.

    `service` is a function made with `@service`; its second parameter takes the row, the rest come from `form`, in a
    list from `bulk_form` if that asks for less. A service that makes rows is offered on the page of a row from which
    `given` takes some of its arguments.
    """

    service: Callable[..., Any]
    label: str
    icon: str = "bolt"
    form: type[forms.Form] = OptionalReasonForm
    bulk: bool = True
    danger: bool = False
    bulk_form: type[forms.Form] | None = None
    given: Callable[[Any], dict[str, Any]] | None = None

    @property
    def name(self) -> str:
        return self.service.service_name.partition(".")[2]

    @property
    def right(self) -> str:
        return self.service.right

    def is_offered(self, user: Any, row: models.Model) -> bool:
        possible = self.service.possible
        asked_on = apps.get_model(self.service.model) if self.given else row
        return (possible is None or possible(row)) and can(user, self.right, asked_on)

    def make_form(self, data: Any, *, user: Any, row: models.Model | None = None) -> forms.Form:
        """The form to ask with, for a row or for a selection; it offers only rows that `user` may see."""
        form_class = self.form if row is not None else self.bulk_form or self.form
        form = form_class(data, row=row, user=user) if issubclass(form_class, RowForm) else form_class(data)
        if self.service.reason_required:
            form.fields.setdefault("reason", ReasonForm.base_fields["reason"])
            form.fields["reason"].required = form.fields["reason"].widget.is_required = True
        # A form may begin with what the row has; not with what the person may not read of it.
        unread = field_rights(user, "view", type(row)).unread if row is not None else ()
        for name, field in form.fields.items():
            if name in unread:
                form.initial.pop(name, None)
                field.initial = None
            if isinstance(field, RecordField):
                field.offer(user)
            elif isinstance(field, forms.ModelChoiceField) and has_rights(field.queryset.model):
                assert field.queryset is not None
                field.queryset = restrict(field.queryset, user, "view")
        return styled(form)

    def call(self, *, actor: Any, row: models.Model, **arguments: Any) -> Any:
        if self.given:
            taken = {name: value for name, value in arguments.items() if name in self.service.takes}
            return self.service(actor=actor, **self.given(row), **taken)
        return call_service(self.service, actor=actor, row=row, **arguments)

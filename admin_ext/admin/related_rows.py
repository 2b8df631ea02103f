"""Choosing rows of a relation, offered as the person types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple

from admin_ext.access.rights import restrict
from admin_ext.admin.choices import shown_again
from admin_ext.plans.relations import Relation

MOST = 100


class RelatedRowsField(forms.ModelMultipleChoiceField):
    """Chooses some of the rows that `user` may see, as a form of one pair would offer them."""

    def __init__(self, relation: Relation, user: Any) -> None:
        column = relation.column(relation.there)
        rows = restrict(relation.related._default_manager.all(), user, "view")
        label = f"{relation.label.capitalize()}: which"
        super().__init__(rows.complex_filter(column.get_limit_choices_to()), required=False, label=label)
        if relation.related in admin.site._registry:
            self.widget = AutocompleteSelectMultiple(column, admin.site, attrs={"data-theme": "admin-autocomplete"})
            self.widget.choices = self.choices

    def bound_data(self, data: Any, initial: Any) -> Any:
        return shown_again(data, initial)

    def clean(self, value: Any) -> Any:
        if len(value or ()) > MOST:
            raise forms.ValidationError(f"Choose {MOST} at most; more are another change.")
        return super().clean(value)

"""The form by which a person says who else sees something of theirs: people by name, and roles."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from admin_ext.access.rights import restrict
from admin_ext.access.roles import roles_held
from admin_ext.admin.verbs import RowForm
from admin_ext.granting.people import role_model

MOST_PEOPLE = 200


class SharingForm(RowForm):
    """Who sees a row beside its owner. Subclasses say with whom it is shared already."""

    people = forms.CharField(
        widget=forms.Textarea, required=False, help_text="Their user names, one on each line or with commas between."
    )
    roles = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    told_of_roles = "Whoever uses it gets the rows and columns that are theirs to have, and no more."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people, roles = self.shared_with()
        seen = restrict(role_model()._default_manager.all(), self.user, "view")
        held = Group.objects.filter(pk__in=roles_held(self.user))
        keys = {key for rows in (seen, held) for key in rows.values_list("pk", flat=True)}
        keys |= {role.pk for role in roles}
        fields: dict[str, Any] = self.fields
        fields["roles"].help_text = self.told_of_roles
        fields["roles"].choices = [
            (str(role.pk), role.name) for role in Group.objects.filter(pk__in=keys).order_by("name")
        ]
        self.initial = {
            "people": "\n".join(person.get_username() for person in people),
            "roles": [str(role.pk) for role in roles],
        }

    def shared_with(self) -> tuple[list[Any], list[Group]]:
        raise NotImplementedError

    def clean_people(self) -> list[Any]:
        said = self.cleaned_data["people"].replace(",", "\n").replace(";", "\n").splitlines()
        names = list(dict.fromkeys(name.strip() for name in said if name.strip()))
        if len(names) > MOST_PEOPLE:
            raise forms.ValidationError(f"At most {MOST_PEOPLE} people. Share it with a role instead.")
        users: Any = get_user_model()
        known = users.objects.filter(**{f"{users.USERNAME_FIELD}__in": names}, is_active=True)
        found = {each.get_username(): each for each in known}
        if unknown := [name for name in names if name not in found]:
            raise forms.ValidationError(f"There is nobody here called {', '.join(unknown)}.")
        return list(found.values())

    def clean_roles(self) -> list[Group]:
        return list(Group.objects.filter(pk__in=self.cleaned_data["roles"]))

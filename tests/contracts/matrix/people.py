"""Who looks: people from a stranger to a superuser, each with what was written down for them and nothing worked out."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import models

from admin_ext.access.models import FieldPolicy
from admin_ext.access.naming import policed_fields, policed_models
from admin_ext.access.scopes import scope_models
from admin_ext.audit.context import change_set
from apps.accounts.models import Membership, Role, RolePermission
from opsadmin.demo.roles import ROLES, load_roles
from tests.contracts.world import registered
from tests.factories import UserFactory

EVERYWHERE = None


@dataclasses.dataclass
class Person:
    """Somebody, and the facts from which each answer follows. `places` by dimension; EVERYWHERE for all."""

    name: str
    user: Any = None
    rights: frozenset[str] = frozenset()
    places: dict[str, set[int] | None] = dataclasses.field(default_factory=dict)
    grants: set[tuple[type[models.Model], str, int]] = dataclasses.field(default_factory=set)
    enters: bool = True
    masked: set[tuple[type[models.Model], str]] = dataclasses.field(default_factory=set)
    """The fields, by model and name, that they meet as dots."""
    hidden: set[tuple[type[models.Model], str]] = dataclasses.field(default_factory=set)
    """The fields that are not there for them."""
    role: int | None = None

    @property
    def pk(self) -> int | None:
        return self.user.pk if self.user else None

    @property
    def is_superuser(self) -> bool:
        return bool(self.user and self.user.is_superuser)

    @property
    def unread(self) -> set[tuple[type[models.Model], str]]:
        """The fields whose values they are not told."""
        return self.masked | self.hidden

    def __str__(self) -> str:
        return self.name


# Each line: who it is, and which rights on every registered model they hold; None: as the line says below.
OF_ONE_KIND = {
    "viewer": ("view",),
    "changer": ("change",),
    "exporter": ("export",),
    "adder": ("add",),
    "granter": ("view", "grant"),
}
OF_THE_HOUSE = {"operator": "Operator", "analyst": "Analyst", "auditor": "Auditor", "administrator": "Administrator"}
NAMES = (
    "anonymous",
    "inactive",
    "no staff",
    "no rights",
    *OF_ONE_KIND,
    "manager",
    "masked",
    "guest",
    *OF_THE_HOUSE,
    "superuser",
)


def make_people() -> dict[str, Person]:
    """Everybody of NAMES. Call inside a change set."""
    load_roles()
    all_rights = frozenset(right for right in _codenames() if ".access_" not in right)
    people = {"anonymous": Person("anonymous", enters=False)}
    people["inactive"] = _person("inactive", all_rights, user=_user("inactive", is_active=False), enters=False)
    people["no staff"] = _person("no staff", all_rights, user=_user("no-staff", is_staff=False), enters=False)
    people["no rights"] = _person("no rights", frozenset())
    for name, actions in OF_ONE_KIND.items():
        people[name] = _person(name, frozenset(right for right in all_rights if _is_one_of(right, actions)))
    people["manager"] = _person("manager", all_rights)
    people["masked"] = _person("masked", all_rights)
    people["guest"] = _person("guest", frozenset())
    for name, role in OF_THE_HOUSE.items():
        people[name] = _of_the_house(name, role)
    people["superuser"] = Person("superuser", _user("superuser", is_superuser=True))
    assert tuple(people) == NAMES
    return people


def _user(name: str, **flags: Any) -> Any:
    return UserFactory(username=f"matrix-{name}", **flags)


def _person(name: str, rights: frozenset[str], *, user: Any = None, enters: bool = True) -> Person:
    user = user or _user(name.replace(" ", "-"))
    role = Role.objects.create(name=f"matrix {name}")
    known = _codenames()
    RolePermission.objects.bulk_create(
        RolePermission(group_id=role.pk, permission_id=known[right]) for right in sorted(rights)
    )
    Membership.objects.create(user=user, group_id=role.pk)
    places: dict[str, set[int] | None] = {model.dimension: set() for model in scope_models()}
    return Person(name, user, rights, places, enters=enters, role=role.pk)


def _of_the_house(name: str, role: str) -> Person:
    """Somebody in a role of `fixtures/roles.json`: the rights of the matrix are those that people really get."""
    assert ROLES.exists()
    user, group = _user(name), Role.objects.get(name=role)
    Membership.objects.create(user=user, group_id=group.pk)
    keys = set(RolePermission.objects.filter(group_id=group.pk).values_list("permission_id", flat=True))
    rights = frozenset(right for right, key in _codenames().items() if key in keys)
    places: dict[str, set[int] | None] = {}
    for model in scope_models():
        everywhere = f"{model._meta.app_label}.access_all_{model.dimension}" in rights
        places[model.dimension] = EVERYWHERE if everywhere else set()
    return Person(name, user, rights, places, role=group.pk)


def _is_one_of(right: str, actions: tuple[str, ...]) -> bool:
    app, _, codename = right.partition(".")
    named = {(each.opts.app_label, each.opts.model_name) for each in registered()}
    return any(codename == f"{action}_{name}" for action in actions for label, name in named if label == app)


_known: dict[str, int] = {}


def _codenames() -> dict[str, int]:
    if not _known:
        found = Permission.objects.values_list("content_type__app_label", "codename", "pk")
        _known.update({f"{app}.{codename}": key for app, codename, key in found})
    return _known


def let_into(person: Person, place: Any) -> None:
    """Grant a place of a scope, unless the person works everywhere anyway."""
    if person.user is None or person.is_superuser or person.places.get(place.dimension) is EVERYWHERE:
        return
    codename = f"access_{place.dimension}"
    permission = Permission.objects.get(content_type__app_label=place._meta.app_label, codename=codename)
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        place.user_grants_model.objects.get_or_create(user=person.user, permission=permission, content_object=place)
    person.places[place.dimension].add(place.pk)  # type: ignore[union-attr]


def set_policies(people: dict[str, Person]) -> None:
    """Have the role of “masked” meet the first column of words of each kind of record as dots, and the second not at all.

    Which columns there can be policies for is asked of the product; what then follows for whom is not.
    """
    role = people["masked"].role
    with change_set(actor=None, door="shell", verb="tests.arrange", reason="Policies"):
        for model in policed_models():
            words = [each.name for each in policed_fields(model) if _is_words(each)]
            for name, kind in zip(words, ("masked", "hidden"), strict=False):
                FieldPolicy.objects.create(role_id=role, model=model._meta.label, field=name, kind=kind)


def note_policies(people: dict[str, Person]) -> None:
    """Write down for everybody what the policies there are hide from them.

    Whose role lets them see the records meets them as that role does; whoever reaches a row without such a role meets
    it as the strictest of all roles would.
    """
    for policy in FieldPolicy.objects.all():
        model = apps.get_model(policy.model)
        whole: Any = model
        while part_of := getattr(whole, "part_of", ""):
            whole = whole._meta.get_field(part_of).related_model
        right = f"{whole._meta.app_label}.view_{whole._meta.model_name}"
        for person in people.values():
            if (
                person.user
                and not person.is_superuser
                and (policy.role_id == person.role or right not in person.rights)
            ):
                {"masked": person.masked, "hidden": person.hidden}[policy.kind].add((model, policy.field))
    for person in people.values():
        person.masked -= person.hidden


def _is_words(field: models.Field) -> bool:
    return isinstance(field, models.CharField | models.TextField) and not field.choices and field.editable


def grant_row(person: Person, action: str, row: Any) -> None:
    """Grant one verb on one row."""
    codename = f"{action}_{row._meta.model_name}"
    permission = Permission.objects.get(content_type__app_label=row._meta.app_label, codename=codename)
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        row.user_grants_model.objects.create(user=person.user, permission=permission, content_object=row)
    person.grants.add((type(row), action, row.pk))

"""The four people of the demo, and the colleagues whose names stand in the history."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Permission

from apps.accounts.models import Membership, Role, User

# Printed at start; the demo is no secret.
PASSWORD = "opsadmin-demo"  # noqa: S105


@dataclass(frozen=True)
class Person:
    username: str
    first_name: str
    last_name: str
    role: str
    time_zone: str
    work: str


PEOPLE = [
    Person("operator", "Olga", "Lindqvist", "Operator", "Europe/Stockholm", "works in the Nordic region"),
    Person("analyst", "Anton", "Becker", "Analyst", "Europe/Berlin", "imports and exports, in every region"),
    Person("auditor", "Aya", "Tanaka", "Auditor", "Asia/Tokyo", "reads every history, changes nothing"),
    Person("administrator", "Adam", "Okafor", "Administrator", "Europe/London", "roles, scopes, jobs"),
]
COLLEAGUES = [
    Person("maria.silva", "Maria", "Silva", "Operator", "Europe/Lisbon", ""),
    Person("jan.devries", "Jan", "de Vries", "Operator", "Europe/Amsterdam", ""),
    Person("lucy.chen", "Lucy", "Chen", "Operator", "America/New_York", ""),
]


def make_people(roles: dict[str, Role]) -> dict[str, User]:
    """Make the demo's people, each in their role; call inside a change set."""
    people = {}
    for person in [*PEOPLE, *COLLEAGUES]:
        user, made = User.objects.get_or_create(
            username=person.username,
            defaults={
                "first_name": person.first_name,
                "last_name": person.last_name,
                "email": f"{person.username}@example.com",
                "time_zone": person.time_zone,
                "is_staff": True,
            },
        )
        if made:
            user.set_password(PASSWORD)
            user.save()
        Membership.objects.get_or_create(user=user, group_id=roles[person.role].pk)
        people[person.username] = user
    return people


def grant_place(user: User, place: object) -> None:
    """Let somebody work in a place of a scope; call inside a change set."""
    dimension = place.dimension
    permission = Permission.objects.get(
        content_type__app_label=place._meta.app_label,
        codename=f"access_{dimension}",
    )
    place.user_grants_model.objects.get_or_create(user=user, permission=permission, content_object=place)

"""What a file of roles would change, and doing it: one act, through the services that forms call, as the person who asks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.access.scopes import scope_models
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.granting.files import Contents, FileNotUnderstood, Problem, Wanted
from admin_ext.granting.giving import give_place, give_role, make_role, set_role_rights, take_place, take_role
from admin_ext.granting.people import entry_to_any, memberships, named, role_model
from admin_ext.granting.telling import told_right
from admin_ext.services import ReasonMissing, Refused


class FileRefused(Refused):
    """The actor may not do what a file says; nothing of it was done."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that a file would change; `sign` is + for given, - for taken."""

    line: int
    sign: str
    holder: str
    what: str

    def __str__(self) -> str:
        return f"{self.sign} {self.holder}: {self.what}"


@dataclasses.dataclass
class _Target:
    """A role or person that a file names, and what is to become of them."""

    line: int
    name: str
    holder: Any
    """None for a role that is yet to be made."""
    give: list[Any] = dataclasses.field(default_factory=list)
    take: list[Any] = dataclasses.field(default_factory=list)
    enter: list[Any] = dataclasses.field(default_factory=list)
    leave: list[Any] = dataclasses.field(default_factory=list)

    def steps(self) -> list[Step]:
        found = [] if self.holder is not None else [Step(self.line, "+", self.name, "a new role")]
        for sign, things in (("+", self.give), ("-", self.take), ("+", self.enter), ("-", self.leave)):
            found += [Step(self.line, sign, self.name, _called(thing)) for thing in things]
        return found


class Comparison:
    """A file beside what is there, as far as the actor may see it.

    Making it raises FileNotUnderstood for names that do not exist; `steps` is what would change.
    """

    def __init__(self, contents: Contents, *, actor: Any) -> None:
        self.actor = actor
        self._problems: list[Problem] = []
        self._rights = {named(right): right for right in Permission.objects.select_related("content_type")}
        self._places = {
            model.dimension: {str(row.natural_key()[0]): row for row in restrict(model._default_manager.all(), actor)}  # type: ignore[attr-defined]
            for model in scope_models()
        }
        roles = role_model()
        self._roles = {role.name: role for role in restrict(roles._default_manager.all(), actor)}
        self._new = contents.roles.keys() - self._roles.keys()
        for name in sorted(self._new):
            if roles._default_manager.filter(name=name).exists():
                self._wrong(
                    contents.roles[name].line, f"There is no role {name} that you may see, and the name is taken."
                )
        self._targets = [self._role(name, wanted) for name, wanted in contents.roles.items()]
        self._people = [found for name, wanted in contents.people.items() if (found := self._person(name, wanted))]
        if self._problems:
            raise FileNotUnderstood(sorted(self._problems, key=lambda each: each.line))

    @property
    def steps(self) -> list[Step]:
        return [step for target in [*self._targets, *self._people] for step in target.steps()]

    def apply(self, *, reason: str) -> list[Step]:
        """Do all of it, or nothing. Raises ReasonMissing, and what the services raise, with the line in front."""
        if not reason.strip():
            raise ReasonMissing("Nothing was done: giving rights asks for a reason. Say why.")
        steps = self.steps
        with change_set(actor=self.actor, door=Door.COMMAND, verb="granting.import_roles", reason=reason):
            for target in self._targets:
                with _told_with(target):
                    self._apply_role(target, reason)
            for target in self._people:
                with _told_with(target):
                    self._apply_person(target, reason)
        return steps

    def _apply_role(self, target: _Target, reason: str) -> None:
        role = target.holder
        if role is None:
            role = self._roles[target.name] = make_role(actor=self.actor, name=target.name, reason=reason)
        if target.give or target.take:
            held = {right.pk: right for right in Permission.objects.filter(group=role.pk)}
            for right in target.take:
                held.pop(right.pk, None)
            wanted = [*held.values(), *target.give]
            set_role_rights(actor=self.actor, role=role, rights=wanted, reason=reason)
        self._apply_places(target, role, reason)

    def _apply_person(self, target: _Target, reason: str) -> None:
        for name in target.give:
            give_role(actor=self.actor, user=target.holder, role=self._roles[name], reason=reason)
        for name in target.take:
            take_role(actor=self.actor, user=target.holder, role=self._roles[name], reason=reason)
        self._apply_places(target, target.holder, reason)

    def _apply_places(self, target: _Target, holder: Any, reason: str) -> None:
        for place in target.enter:
            give_place(actor=self.actor, holder=holder, place=place, reason=reason)
        for place in target.leave:
            take_place(actor=self.actor, holder=holder, place=place, reason=reason)

    # -- looking up --------------------------------------------------------------------------------

    def _role(self, name: str, wanted: Wanted) -> _Target:
        target = _Target(wanted.line, name, self._roles.get(name))
        asked = {}
        for right, line in wanted.names:
            if right in self._rights:
                asked[right] = self._rights[right]
            else:
                self._wrong(line, f"There is no right {right}.")
        held = {}
        if target.holder is not None:
            held = {
                named(r): r for r in Permission.objects.filter(group=target.holder.pk).select_related("content_type")
            }
        target.give, target.take = _moved(asked, held)
        self._compare_places(target, wanted)
        return target

    def _person(self, name: str, wanted: Wanted) -> _Target | None:
        people = get_user_model()
        user = people._base_manager.filter(**{people.USERNAME_FIELD: name}).first()
        if user is not None and user.is_superuser:
            self._wrong(wanted.line, f"{name} is a superuser, and no file touches one.")
            return None
        if user is None or not can(self.actor, "view", user):
            self._wrong(wanted.line, f"There is no person {name} that you may see.")
            return None
        target = _Target(wanted.line, name, user)
        asked = {}
        for role, line in wanted.names:
            if role in self._roles or role in self._new:
                asked[role] = role
            else:
                self._wrong(line, f"There is no role {role} that you may see.")
        held_keys = set(memberships().filter(user_id=user.pk).values_list("group_id", flat=True))
        held = {role.name: role.name for role in self._roles.values() if role.pk in held_keys}
        target.give, target.take = _moved(asked, held)
        self._compare_places(target, wanted)
        return target

    def _compare_places(self, target: _Target, wanted: Wanted) -> None:
        asked: dict[Any, Any] = {}
        for dimension, code, line in wanted.places:
            if dimension not in self._places:
                self._wrong(line, f"There is no kind of place {dimension}.")
            elif code not in self._places[dimension]:
                self._wrong(line, f"There is no {dimension} {code} that you may see.")
            else:
                asked[dimension, code] = self._places[dimension][code]
        held: dict[Any, Any] = {}
        if target.holder is not None:
            for model in scope_models():
                keys = set(entry_to_any(model, target.holder).values_list("content_object_id", flat=True))
                dimension = model.dimension  # type: ignore[attr-defined]
                held |= {(dimension, c): row for c, row in self._places[dimension].items() if row.pk in keys}
        target.enter, target.leave = _moved(asked, held)

    def _wrong(self, line: int, message: str) -> None:
        self._problems.append(Problem(line, message))


def _moved(asked: dict[Any, Any], held: dict[Any, Any]) -> tuple[list[Any], list[Any]]:
    """What is to be given and what to be taken, in the order of their names."""
    give = [asked[key] for key in sorted(asked.keys() - held.keys())]
    return give, [held[key] for key in sorted(held.keys() - asked.keys())]


def _called(thing: Any) -> str:
    if isinstance(thing, Permission):
        return f"may {told_right(thing)} ({named(thing)})"
    if isinstance(thing, str):
        return f"role {thing}"
    return f"{thing._meta.verbose_name} {thing}"


@contextlib.contextmanager
def _told_with(target: _Target) -> Iterator[None]:
    """A refusal says whose line it was."""
    try:
        with transaction.atomic():
            yield
    except (Refused, NotPermitted) as error:
        raise FileRefused(f"line {target.line}, {target.name}: {error}") from error


def in_lines(steps: Iterable[Step]) -> str:
    """The steps as a comparison of texts, sorted by the file's lines."""
    return "\n".join(str(step) for step in steps) or "Nothing would change."

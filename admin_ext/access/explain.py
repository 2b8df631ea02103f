"""Why somebody may do something, or may not: the decision of `rights`, told from the facts.

It reads roles, grants, places and the row itself (`facts`) and never asks `can`; a test holds the two to the same answer
for thousands of cases. Because facts can be read as of an instant, so can the explanation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from admin_ext.access.facts import Facts, Given
from admin_ext.access.fields import treatments
from admin_ext.access.names import Names, listed
from admin_ext.access.rights import on_whole, owner_field, permission
from admin_ext.access.roles import elevated_role
from admin_ext.access.scopes import scope_model

_KINDS = {"hidden": "hidden", "masked": "shown as dots", "read_only": "read only"}


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that was looked at: what was found, in a sentence; whether it lets the person on; what would."""

    said: str
    holds: bool
    todo: str = ""
    steps: tuple[Step, ...] = ()

    def missing(self) -> Iterator[Step]:
        """The steps at the ends that do not hold, of those that nothing else makes good."""
        if self.holds:
            return
        if not self.steps:
            yield self
        for step in self.steps:
            yield from step.missing()


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Whether a person may do `action` to a row (or, without `key`, to any row of `model`), and why."""

    allowed: bool
    person: Any
    action: str
    model: type[models.Model]
    key: int | None
    instant: datetime | None
    permission: str
    account: tuple[Step, ...]
    """What must hold whatever the way: the account is open, the row is there."""
    ways: tuple[Step, ...]
    """The ways in: one that holds is enough."""
    notes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """What field policies make of the fields, in sentences; they are those of now."""

    @property
    def missing(self) -> list[Step]:
        """What would have to be otherwise, each with what to do; empty when it is allowed."""
        account = [step for each in self.account for step in each.missing()]
        return [*account, *(step for way in self.alternatives for step in way)]

    @property
    def alternatives(self) -> list[list[Step]]:
        """What is missing on each way in, where none lets the person in: one of them has to be made good."""
        if any(way.holds for way in self.ways):
            return []
        return [list(way.missing()) for way in self.ways]

    @property
    def holding(self) -> list[Step]:
        """The ways that let the person in."""
        return [way for way in self.ways if way.holds] if self.allowed else []


def explain(
    person: Any,
    action: str,
    target: models.Model | type[models.Model],
    *,
    instant: datetime | None = None,
    told_to: Any = None,
) -> Explanation:
    """Why `person` may or may not do `action` to a row, or to any row of a model; now, or as it was at `instant`.

    Places and rows are named as far as `told_to` may see them; to nobody in particular, all are. Raises PastNotKept.
    """
    return _Explainer(person, Facts(instant), Names(told_to, instant)).explain(action, target)


def all_of(said: str, steps: Iterable[Step]) -> Step:
    """A step that holds when all of its steps do."""
    steps = tuple(steps)
    return Step(said, all(step.holds for step in steps), steps=steps)


class _Explainer:
    """Puts the facts together for one person."""

    def __init__(self, person: Any, facts: Facts, names: Names) -> None:
        self.person, self.facts, self.names = person, facts, names
        self.roles = facts.roles_of(person.pk)
        self.notes: list[str] = []
        elevated = elevated_role(person) if facts.instant is None else None
        if elevated is not None:
            self.roles.add(elevated)
            self.notes.append(f"{person} has an elevated session with the role {self._roles([elevated])}.")

    def explain(self, action: str, target: models.Model | type[models.Model]) -> Explanation:
        model: type[models.Model] = target if isinstance(target, type) else type(target)
        key = None if isinstance(target, type) else target.pk
        account = [self._account()]
        if key is not None:
            account.append(self._presence(model, key))
        ways = [self._superuser(), *self._ways(model, key, action, any_row=key is None)]
        allowed = all(step.holds for step in account) and any(way.holds for way in ways)
        return Explanation(
            allowed=allowed,
            person=self.person,
            action=action,
            model=model,
            key=key,
            instant=self.facts.instant,
            permission=permission(model, action),
            account=tuple(account),
            ways=tuple(way for way in ways if way.holds or way.said),
            notes=tuple(self.notes),
            fields=tuple(self._fields(model, action)) if allowed and self.facts.instant is None else (),
        )

    # -- whatever the way ----------------------------------------------------------------------------

    def _account(self) -> Step:
        marks = self.facts.person(self.person.pk)
        if marks is None:
            return Step(f"{self.person} had no account.", False, "Ask about a later day.")
        if not marks["is_staff"]:
            self.notes.append(f"{self.person} is not marked as staff, and is let into no page at all.")
        if not marks["is_active"]:
            return Step(f"{self.person}'s account is closed.", False, "Reactivate the account.")
        return Step(f"{self.person}'s account is open.", True)

    def _presence(self, model: type[models.Model], key: int) -> Step:
        kind = str(model._meta.verbose_name)
        if self.facts.is_there(model, key):
            return Step(f"The {kind} is there.", True)
        return Step(f"There is no {kind} with the number {key}.", False, "Look for it under Deleted rows.")

    def _superuser(self) -> Step:
        marks = self.facts.person(self.person.pk) or {}
        if marks.get("is_superuser"):
            return Step(f"{self.person} is a superuser, who may do everything.", True)
        return Step("", False)

    # -- the ways in ---------------------------------------------------------------------------------

    def _ways(self, model: type[models.Model], key: int | None, action: str, *, any_row: bool) -> list[Step]:
        if part_of := getattr(model, "part_of", ""):
            whole: Any = model._meta.get_field(part_of).related_model
            self.notes.append(
                f"A {model._meta.verbose_name} follows the {whole._meta.verbose_name} it is part of: "
                f"to {_told(action)} it, one must be able to {_told(on_whole(action))} that."
            )
            return self._ways(whole, self.facts.follow(model, key, part_of), on_whole(action), any_row=any_row)
        ways = [self._by_role(model, key, action, any_row=any_row)]
        if owner := owner_field(model):
            ways.append(self._by_owning(model, key, action, owner, any_row=any_row))
        if hasattr(model, "user_grants_model"):
            ways.append(self._by_grant(model, key, action, any_row=any_row))
        return ways

    def _by_role(self, model: type[models.Model], key: int | None, action: str, *, any_row: bool) -> Step:
        steps = [self._role_for(model, action)]
        if not any_row:
            steps += [
                self._place_in(model, key, dimension, path) for dimension, path in getattr(model, "scopes", {}).items()
            ]
        return all_of("By role" if len(steps) == 1 else "By role and place", steps)

    def _role_for(self, model: type[models.Model], action: str) -> Step:
        kind, giving = model._meta.verbose_name_plural, self.facts.roles_giving(permission(model, action))
        if mine := giving & self.roles:
            return Step(f"{self._roles(mine)} {_verb(mine, 'gives', 'give')} “{_told(action)}” on {kind}.", True)
        if giving:
            would = self._roles(giving)
            said = f"No role of {self.person}'s gives “{_told(action)}” on {kind}: {would} would."
            return Step(said, False, f"Give {self.person} one of these roles, if it is their work: {would}.")
        said = f"No role of {self.person}'s gives “{_told(action)}” on {kind}, nor does anybody's."
        return Step(said, False, f"Add the right “{_told(action)}” on {kind} to a role.")

    def _place_in(self, model: type[models.Model], key: int | None, dimension: str, path: str) -> Step:
        places: Any = scope_model(dimension)
        kind, row = places._meta.verbose_name, model._meta.verbose_name
        everywhere = f"{places._meta.app_label}.access_all_{dimension}"
        if mine := self.facts.roles_giving(everywhere) & self.roles:
            return Step(f"{self._roles(mine)} {_verb(mine, 'opens', 'open')} every {kind}.", True)
        place = self.facts.follow(model, key, path)
        if place is None:
            said = f"The {row} hangs from no {kind}; only a role that opens every {kind} reaches it."
            return Step(said, False, f"Give the {row} a {kind}, or give a role that opens every {kind}.")
        chain = self.facts.above(dimension, place)
        here = self.names.row(places, place)
        hangs = f"This is {here}" if path == "pk" else f"The {row} hangs from {here}"
        found = [given for given in self.facts.entries(dimension, chain) if self._is_mine(given)]
        if found:
            nearest = min(found, key=lambda given: chain.index(given.row))
            where = hangs if nearest.row == place else f"{hangs}, which lies in {self.names.row(places, nearest.row)}"
            return Step(f"{where}; {self._to_whom(nearest)} was let in there.", True)
        works = {given.row for given in self.facts.entries(dimension) if self._is_mine(given)}
        told = f"works in {self._places(places, works)}" if works else f"was let into no {kind}"
        above = f" or a place above it ({self._places(places, chain[1:])})" if chain[1:] else ""
        return Step(f"{hangs}; {self.person} {told}.", False, f"Let {self.person} into {here}{above}.")

    def _by_owning(self, model: type[models.Model], key: int | None, action: str, owner: str, *, any_row: bool) -> Step:
        kind = model._meta.verbose_name
        if any_row:
            return Step(f"Everybody may {_told(action)} their own.", action in ("view", "change"))
        if key is not None and self.facts.column(model, key, f"{owner}_id") == self.person.pk:
            return Step(f"The {kind} is {self.person}'s own.", True)
        return Step(f"The {kind} is not {self.person}'s own.", False)

    def _by_grant(self, model: type[models.Model], key: int | None, action: str, *, any_row: bool) -> Step:
        kind = model._meta.verbose_name
        if not any_row and key is None:
            return Step(f"There is no {kind} to grant.", False)
        found = [given for given in self.facts.grants(model, action, key) if self._is_mine(given)]
        rows = f"a {kind}" if any_row else f"this {kind}"
        if found:
            return Step(f"{self._to_whom(found[0])} was granted “{_told(action)}” on {rows}.", True)
        todo = f"Grant {self.person} “{_told(action)}” on {rows} alone, as the exception."
        return Step(f"{self.person} was not granted “{_told(action)}” on {rows}.", False, todo)

    def _fields(self, model: type[models.Model], action: str) -> Iterator[str]:
        """Policies of all roles on fields of the model, and how the person meets each because of the roles they hold."""
        policies: dict[str, dict[int, str]] = {}
        for role, name, kind in (
            self.facts.rows(apps.get_model("access", "FieldPolicy"))
            .filter(model=model._meta.label)
            .values_list("role_id", "field", "kind")
        ):
            policies.setdefault(name, {})[role] = kind
        giving = {each: self.facts.roles_giving(permission(model, each)) & self.roles for each in ("view", action)}
        for name, by_role in sorted(policies.items()):
            label = str(model._meta.get_field(name).verbose_name).capitalize()
            because = f"a policy of {self._roles(by_role)}"
            seen = treatments(self.person, "view", model).get(name) or treatments(self.person, action, model).get(name)
            if seen:
                yield f"{label}: {_KINDS[seen]}, by {because}."
            elif generous := (giving["view"] | giving[action]) - by_role.keys():
                yield f"{label}: as it is. There is {because}, but {self._roles(generous)} has none."

    # -- in words ------------------------------------------------------------------------------------

    def _is_mine(self, given: Given) -> bool:
        return given.person == self.person.pk or given.role in self.roles

    def _to_whom(self, given: Given) -> str:
        return str(self.person) if given.role is None else f"everybody with the role {self._roles([given.role])}"

    def _roles(self, roles: Iterable[int]) -> str:
        return listed(self.facts.role_names(roles))

    def _places(self, model: type[models.Model], places: Iterable[int]) -> str:
        return listed(self.names.rows(model, places))


def explained_people(keys: Iterable[int]) -> list[Any]:
    """Those people, by name."""
    people = get_user_model()._default_manager.filter(pk__in=list(keys))
    return sorted(people, key=lambda person: str(person).casefold())


def _told(action: str) -> str:
    return action.replace("_", " ")


def _verb(many: Iterable[Any], one: str, several: str) -> str:
    return one if len(list(many)) == 1 else several

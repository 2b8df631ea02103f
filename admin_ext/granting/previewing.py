"""What a change of rights would do, found by doing it and taking it back.

For each person whom it touches: per kind of record, how many rows they would come to see, or to use a verb on, and how
many no longer. Asked of `restrict` with a new user object before and after, and rolled back, so it cannot disagree with
the decision. Samples are only of rows that the actor may see; what each is called to them, who shows it has to ask.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, models, transaction
from django.db.models import Count, F, Func, IntegerField, Sum

from admin_ext.access.rights import restrict
from admin_ext.granting.giving import NOT_ON_ROWS
from admin_ext.granting.holding import Estate
from admin_ext.granting.people import action_of
from admin_ext.granting.telling import told_action
from admin_ext.models import Record

PEOPLE = 20
SAMPLES = 5
# Up to here the rows of one kind are compared one by one; beyond, only their numbers.
COMPARED = 200_000
MILLISECONDS = 3_000
SECONDS = 20.0

Asked = tuple[type[models.Model], str]


@dataclasses.dataclass(frozen=True)
class Difference:
    """What one person gains and loses of one action on one kind of record; None where it was not counted."""

    model: type[models.Model]
    action: str
    gained: int | None
    lost: int | None
    gained_samples: list[models.Model] = dataclasses.field(default_factory=list)
    lost_samples: list[models.Model] = dataclasses.field(default_factory=list)
    is_net: bool = False
    """Too many rows to compare one by one: how many there are more or fewer."""

    told: str = ""
    """What the person could do with the rows, in words: "ship orders"."""


@dataclasses.dataclass(frozen=True)
class PersonPreview:
    """What changes for one person."""

    person: Any
    differences: list[Difference]
    unfinished: bool = False
    """The time that a page may take ran out: kinds are missing."""


@dataclasses.dataclass(frozen=True)
class Preview:
    """What would change, for the people who were looked at, of the `touched` that there are."""

    people: list[PersonPreview]
    touched: int

    @property
    def looked_at(self) -> int:
        return len(self.people)

    @property
    def changes_nothing(self) -> bool:
        return not any(each.differences or each.unfinished for each in self.people)


@dataclasses.dataclass(frozen=True)
class _Mark:
    """Tells a set of rows from another without carrying it: how many, and the sum of their hashes. None: not counted."""

    count: int | None
    hashes: int | None


class _TakenBack(Exception):
    """Ends a rehearsal: everything is rolled back."""


def preview(*, actor: Any, act: Callable[[], Any], people: Iterable[int]) -> Preview:
    """Do `act` and take it back, for each of `people` (keys), at most twenty; tell what it would change for them.

    Raises what `act` raises.
    """
    touched = sorted(set(people))
    until = time.monotonic() + SECONDS
    told = [_preview_for(actor, act, key, until) for key in touched[:PEOPLE] if time.monotonic() < until]
    if not told:
        # Nobody to tell of, but what is refused is refused.
        with _rehearsal():
            act()
    return Preview(told, len(touched))


def _preview_for(actor: Any, act: Callable[[], Any], key: int, until: float) -> PersonPreview:
    user, rights, grants = _as_of_now(key)
    before = {asked: _mark(user, asked, until) for asked in _every_view()}
    after: dict[Asked, _Mark] = {}
    keys_after: dict[Asked, list[int]] = {}
    with _rehearsal():
        act()
        then, rights_then, grants_then = _as_of_now(key)
        moved = _moved(rights ^ rights_then, grants ^ grants_then)
        for asked in [*before, *(each for each in moved if each not in before)]:
            after[asked] = _mark(then, asked, until)
            if before.get(asked) != after[asked] and (after[asked].count or 0) <= COMPARED:
                keys_after[asked] = list(_rows(then, asked).values_list("pk", flat=True))
    differences = []
    for asked in sorted(after, key=lambda each: (each[0]._meta.label, each[1] != "view", each[1])):
        was = before[asked] if asked in before else _mark(user, asked, until)
        if was != after[asked] or was.count is None:
            differences.append(_difference(actor, user, asked, was, after[asked], keys_after.get(asked)))
    return PersonPreview(
        user, [each for each in differences if each.gained != 0 or each.lost != 0], time.monotonic() > until
    )


def _difference(
    actor: Any, user: Any, asked: Asked, was: _Mark, becomes: _Mark, keys_after: list[int] | None
) -> Difference:
    model, action = asked
    said = told_action(model, action)
    if was.count is None or becomes.count is None:
        return Difference(model, action, None, None, told=said)
    if keys_after is None or was.count > COMPARED:
        more = becomes.count - was.count
        return Difference(model, action, max(more, 0), max(-more, 0), is_net=True, told=said)
    then, now = set(keys_after), set(_rows(user, asked).values_list("pk", flat=True))
    gained, lost = sorted(then - now), sorted(now - then)
    return Difference(
        model, action, len(gained), len(lost), _samples(actor, model, gained), _samples(actor, model, lost), told=said
    )


def _as_of_now(key: int) -> tuple[Any, set[str], set[Asked]]:
    """A person with nothing remembered, their rights by role, and the kinds and actions of their grants, row by row."""
    user = get_user_model()._base_manager.get(pk=key)
    grants = {(model, action, row) for model, action, rows in Estate.of_person(user).grants() for row in rows}
    return user, set(user.get_all_permissions()), grants  # type: ignore[return-value]


def _moved(rights: set[str], grants: set[Any]) -> list[Asked]:
    """The actions on kinds of records that rights or grants which come or go are about."""
    found: set[Asked] = {(model, action) for model, action, _ in grants if not action.startswith("access_")}
    for model in _kinds():
        prefix, suffix = f"{model._meta.app_label}.", f"_{model._meta.model_name}"
        for right in rights:
            if right.startswith(prefix) and right.endswith(suffix) and not right.startswith(f"{prefix}access_"):
                found.add((model, action_of(right.removeprefix(prefix), model)))
    return sorted(
        (each for each in found if each[1] not in NOT_ON_ROWS), key=lambda each: (each[0]._meta.label, each[1])
    )


def _every_view() -> list[Asked]:
    return [(model, "view") for model in _kinds()]


def _kinds() -> list[type[models.Model]]:
    """Every kind of whole record."""
    return [model for model in apps.get_models() if issubclass(model, Record) and not model.part_of]


def _rows(user: Any, asked: Asked) -> models.QuerySet:
    model, action = asked
    return restrict(model._default_manager.all(), user, action).order_by()


def _mark(user: Any, asked: Asked, until: float) -> _Mark:
    if time.monotonic() > until:
        return _Mark(None, None)
    hashed = Sum(Func(F("pk"), function="hashint8", output_field=IntegerField()))
    try:
        with _within(MILLISECONDS):
            found = _rows(user, asked).aggregate(count=Count("pk"), hashes=hashed)
    except OperationalError:  # it took too long
        return _Mark(None, None)
    return _Mark(found["count"], found["hashes"])


@contextlib.contextmanager
def _within(milliseconds: int) -> Iterator[None]:
    """No statement in the block takes longer; it fails alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {milliseconds:d}")
        yield
        cursor.execute("SET LOCAL statement_timeout TO DEFAULT")


@contextlib.contextmanager
def _rehearsal() -> Iterator[None]:
    """What is done in the block is taken back."""
    try:
        with transaction.atomic():
            yield
            raise _TakenBack
    except _TakenBack:
        pass


def _samples(actor: Any, model: Any, keys: list[int]) -> list[models.Model]:
    """The first few of the rows that the actor may see."""
    return list(restrict(model._default_manager.filter(pk__any_of=keys), actor, "view").order_by("pk")[:SAMPLES])

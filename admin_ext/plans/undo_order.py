"""In which order the rows of an act are taken back: what is named must be there, and what was in the way is gone.

A step is a way back and a model. A row is made before those that name it, and deleted after them. Within a model, new
rows go first, so that the old ones find their numbers and their days free again, where no foreign key is against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from django.db import models

from admin_ext.plans.models import Action

Step = tuple[str, Any]


def in_order(steps: Iterable[Step]) -> list[Step]:
    """The steps, each after those that it needs; as they came where that leaves a choice."""
    steps = list(steps)
    needs: dict[Step, set[Step]] = {step: set() for step in steps}
    pairs = [(first, then) for first, then in product(steps, steps) if first != then]
    for wanted in (_must_precede, _may_precede):
        for first, then in pairs:
            if wanted(first, then) and not _leads(needs, first, then):
                needs[then].add(first)
    ordered: list[Step] = []
    while len(ordered) < len(steps):
        ordered.append(next(step for step in steps if step not in ordered and needs[step] <= set(ordered)))
    return ordered


def _must_precede(first: Step, then: Step) -> bool:
    """Foreign keys: made before it is named, no longer named before it is deleted."""
    (way, model), (next_way, next_model) = first, then
    if way == Action.CREATE and next_way in (Action.CREATE, Action.UPDATE):
        return _names(next_model, model)
    if way in (Action.UPDATE, Action.DELETE) and next_way == Action.DELETE:
        return _names(model, next_model)
    return False


def _may_precede(first: Step, then: Step) -> bool:
    """Numbers and days that only one row may have."""
    (way, model), (next_way, next_model) = first, then
    order = (Action.DELETE, Action.UPDATE, Action.CREATE)
    return model is next_model and order.index(Action(way)) < order.index(Action(next_way))


def _names(model: Any, other: Any) -> bool:
    return any(isinstance(field, models.ForeignKey) and field.related_model is other for field in model._meta.fields)


def _leads(needs: dict[Step, set[Step]], here: Step, there: Step) -> bool:
    """Does `here` need `there`, at whatever remove? Then `there` cannot need `here`."""
    return there in needs[here] or any(_leads(needs, each, there) for each in needs[here])

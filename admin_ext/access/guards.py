"""What must hold after a write beside the scope, for rows that rights themselves are read from.

A room above says it with `guard(model, check)`; `check_inside` asks it, and that stands at the end of every way in
which a row can be written: forms, services, imports, bulk edits, reverts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

# actor, model, keys of the rows that were written, the action that they were written by. Raises what refuses it.
Guard = Callable[[Any, type[models.Model], set[int], str], None]

_guards: list[tuple[type[models.Model], Guard]] = []


def guard(model: type[models.Model], check: Guard) -> None:
    """Have `check` asked after every write of rows of `model` and of models derived from it."""
    _guards.append((model, check))


def ask_guards(actor: Any, model: type[models.Model], keys: Iterable[int], action: str) -> None:
    """After a write, in its transaction. Raises what the guards raise."""
    keys = set(keys)
    for guarded, check in _guards:
        if keys and issubclass(model, guarded):
            check(actor, model, keys, action)

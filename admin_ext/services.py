"""`@service`: one business verb is one transaction, one right, one change set."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from django.core.files import File
from django.db import DataError, IntegrityError, models

from admin_ext.access.rights import NotPermitted, check_inside, permission, restrict
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.audit.reasons import is_missing_reason

P = ParamSpec("P")
R = TypeVar("R")

# SQLSTATE: string data right truncation, numeric value out of range, datetime field overflow.
TOO_LARGE = ("22001", "22003", "22008")
registry: dict[str, Callable[..., Any]] = {}


class Refused(Exception):
    """A rule of the business says no. The message tells a person which, and what to do; subclasses are the facts."""


class DoesNotFit(Refused):
    """A value is longer or larger than what is kept of it."""


class ReasonMissing(Refused):
    """A verb, or a column that was changed, asks for a reason and nobody gave one."""


@contextlib.contextmanager
def told_why() -> Iterator[None]:
    """Put around a change set: where the database finds that a reason is missing, raise ReasonMissing."""
    try:
        yield
    except IntegrityError as error:
        if not is_missing_reason(error):
            raise
        raise ReasonMissing("Nothing was saved: this change asks for a reason. Say why.") from error


@contextlib.contextmanager
def told_what_fits() -> Iterator[None]:
    """Where the database finds that a value is too long or too large, raise DoesNotFit."""
    try:
        yield
    except DataError as error:
        said = getattr(error.__cause__, "diag", None)
        if getattr(said, "sqlstate", "") not in TOO_LARGE:
            raise
        why = (said.message_primary or "").replace("character varying", "text")
        raise DoesNotFit(f"Nothing was done: a value is too long or too large ({why}). Shorten it.") from error


def service(
    name: str,
    *,
    right: str,
    model: str = "",
    possible: Callable[[Any], bool] | None = None,
    reason_required: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function the verb `name` (stored by that name, chosen by hand: `orders.ship`).

    The function takes keywords only, `actor` first. Its second parameter is the row the verb acts on: it is locked and
    read again under the actor's `right` before the function sees it, and checked to be still in scope afterwards.
    For a verb that makes rows, `model` ("app.Model") names what the right is asked on instead. `possible` tells for
    which rows a button for it makes sense. With `reason_required`, nobody calls it without saying why: it raises
    ReasonMissing.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = list(inspect.signature(function).parameters.values())
        if parameters[0].name != "actor" or any(p.kind is not p.KEYWORD_ONLY for p in parameters):
            raise TypeError(f"{name}: a service takes keywords only, actor first.")
        if reason_required and "reason" not in (p.name for p in parameters):
            raise TypeError(f"{name}: a service that requires a reason takes one.")
        subject = "" if model else parameters[1].name

        @functools.wraps(function)
        def call(*, actor: Any, **arguments: Any) -> Any:
            said = arguments.get("reason") or ""
            with told_what_fits(), told_why(), change_set(actor=actor, door=Door.SHELL, verb=name, reason=said) as act:
                if reason_required and not act.reason:
                    raise ReasonMissing(f"Nothing was done: {name} asks for a reason. Say why.")
                if reason_required:
                    arguments["reason"] = said or act.reason
                if subject:
                    row = arguments[subject] = lock(actor=actor, right=right, row=arguments[subject])
                else:
                    _check_role(actor, right, model)
                result = function(actor=actor, **arguments)  # type: ignore[call-arg]
                if subject:
                    check_inside(actor, type(row), [row.pk], right)
                return result

        call.service_name, call.right, call.subject = name, right, subject
        call.possible, call.model, call.reason_required = possible, model, reason_required
        call.takes = frozenset(p.name for p in parameters)
        registry[name] = call
        return call  # type: ignore[return-value]

    return decorate


def call_service(service: Any, *, actor: Any, row: models.Model, **arguments: Any) -> Any:
    """Call a verb on a row with what a form or a plan knows; a reason that the verb does not take stays with the act."""
    taken = {name: value for name, value in arguments.items() if name in service.takes}
    return service(actor=actor, **{service.subject: row}, **taken)


def lock(*, actor: Any, right: str, row: models.Model) -> Any:
    """The row as it is now, locked until the transaction ends. Raises NotPermitted."""
    model = type(row)
    locked = restrict(model._default_manager.filter(pk=row.pk), actor, right)
    # The restriction may join other tables; only the row itself is locked.
    found = model._default_manager.select_for_update(of=("self",)).filter(pk__in=locked.values("pk")).first()
    if found is None:
        raise NotPermitted(f"You have no right to {right} {model._meta.verbose_name} {row}.")
    return found


def _check_role(actor: Any, right: str, label: str) -> None:
    from django.apps import apps

    model = apps.get_model(label)
    if not actor.is_active or not actor.has_perm(permission(model, right)):
        raise NotPermitted(f"You have no right to {right} {model._meta.verbose_name_plural}.")


def add_note(*, actor: Any, record: Any, text: str) -> Any:
    """Write something down on a record that the actor may change. Raises NotPermitted."""
    from admin_ext.models import Note

    with change_set(actor=actor, door=Door.FORM, verb=f"{record._meta.app_label}.note_{record._meta.model_name}"):
        return Note.objects.create(record=lock(actor=actor, right="change", row=record), author=actor, text=text)


def attach_file(*, actor: Any, record: Any, file: File, name: str) -> Any:
    """Keep a file with a record that the actor may change. Raises NotPermitted."""
    from admin_ext.models import Attachment

    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    file.seek(0)
    with change_set(actor=actor, door=Door.FORM, verb=f"{record._meta.app_label}.attach_{record._meta.model_name}"):
        row = lock(actor=actor, right="change", row=record)
        attachment = Attachment(record=row, author=actor, name=name[:255], size=file.size, sha256=digest.hexdigest())
        # The name on disk is ours; what people call the file is only ever shown.
        attachment.file.save(digest.hexdigest()[:32], file, save=False)
        attachment.save()
        return attachment

"""`change_set()`: the only way to write. Who, why and through which door travel in the transaction.

The context is a setting local to the transaction, so it survives PgBouncer in transaction mode and cannot leak into
the next request. It is begun by a claim that this process signs (`signing.py`) and the database checks, so nobody who
merely reaches the database can name another actor. The triggers read it; a write without it by the runtime role is
refused.

The database writes the change set itself: when the first row is recorded, or at the end of an act that must be told
`always`; it is complete when the act ends. So there is no row of the record without its change set.
"""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from django.db import connection, transaction

from admin_ext.audit.models import ChangeSet
from admin_ext.audit.signing import as_json, call_unsigned, open_signed


class NoChangeSet(Exception):
    """Something needed the open change set and none is open."""


class LookingOnly(Exception):
    """Who looks at the product as somebody else changes nothing and takes nothing out of the house."""


@dataclasses.dataclass
class Origin:
    """Where the current request came from; set by `ActMiddleware`."""

    request_id: uuid.UUID
    address: str | None
    impersonator: Any = None
    """The person behind the request, where they look at the product as `impersonated`."""
    impersonated: Any = None


@dataclasses.dataclass
class Act:
    """An open change set. Its row is written when a first row is recorded."""

    begun: Callable[[], Any]
    actor: Any
    door: str
    verb: str
    reason: str
    fields: dict[str, Any]
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    rows: int = 0
    """Rows recorded, as far as this process was told: an act that ends with its transaction is counted there."""

    @property
    def id(self) -> int:
        """The key of its change set, whose row may not be written yet."""
        return int(self.begun())

    def describe(self, *, verb: str = "", reason: str = "", **fields: Any) -> None:
        """Say more precisely what is being done, as far as it was not said yet."""
        self.verb = self.verb or verb
        self.reason = self.reason or reason.strip()
        self.fields.update(fields)


origin: ContextVar[Origin | None] = ContextVar("opsadmin_origin", default=None)
_open: ContextVar[Act | None] = ContextVar("opsadmin_act", default=None)


def current_act() -> Act:
    """The open change set. Raises NoChangeSet."""
    act = _open.get()
    if act is None:
        raise NoChangeSet("No change set is open: wrap the work in change_set(actor=..., door=...).")
    return act


def lacks_reason() -> bool:
    """Was something changed in the open act that asks for a reason, and none was said yet? Raises NoChangeSet."""
    act = current_act()
    return not act.reason and ChangeSet.objects.filter(pk=act.id, asks_reason=True).exists()


def has_open_act() -> bool:
    return _open.get() is not None


@contextlib.contextmanager
def change_set(
    *, actor: Any, door: str, verb: str = "", reason: str = "", always: bool = False, **fields: Any
) -> Iterator[Act]:
    """One act of `actor`, in one transaction; joins the act that is open already.

    `door` is a `Door`, `verb` the stored name of what is done (`orders.ship`), `fields` are further columns of the
    ChangeSet (`ticket`, `selection`, `parent_id`, `acting_as_id`). Its row is kept only when something changed, unless
    `always`. Raises IntegrityError where a change asks for a reason and none was given, LookingOnly while one looks at
    the product as somebody else.
    """
    reason = reason.strip()
    joined = _open.get()
    if joined is not None:
        joined.describe(verb=verb, reason=reason)
        with transaction.atomic():
            yield joined
        return
    # The end of the transaction ends the act as well, without a word from here.
    ends_with_transaction = not connection.in_atomic_block
    with transaction.atomic():
        claim = _claim(
            actor=actor, door=door, verb=verb, reason=reason, acting_as=fields.pop("acting_as_id", None), **fields
        )
        act = Act(begun=_begin(claim), actor=actor, door=str(door), verb=verb, reason=reason, fields=dict(fields))
        with _entered(act):
            yield act
        said_all = (act.verb, act.reason, act.fields) == (verb, reason, fields) and not act.counts
        if always or not (said_all and ends_with_transaction):
            said = {"verb": act.verb, "reason": act.reason, "counts": act.counts, **act.fields}
            act.rows = call_unsigned("opsadmin_finish", as_json(said).decode(), always)


@contextlib.contextmanager
def resume_change_set(change_set: ChangeSet) -> Iterator[Act]:
    """One transaction of an act that has many: a chunk of a job. The row is there already."""
    if _open.get() is not None:
        raise RuntimeError("A job's chunk cannot run inside another act.")
    with transaction.atomic():
        act = Act(
            begun=_begin(_resumed(change_set)), actor=change_set.actor, door=change_set.door, verb=change_set.verb,
            reason=change_set.reason, fields={},
        )  # fmt: skip
        with _entered(act):
            yield act
        act.rows = call_unsigned("opsadmin_finish", "{}", False)


def open_change_set(*, actor: Any, door: str, verb: str, **fields: Any) -> ChangeSet:
    """Write the change set of a job, to be resumed chunk by chunk and finished by `finish_change_set`."""
    with transaction.atomic():
        key = _begin(_claim(actor=actor, door=door, verb=verb, lasting=True, **fields))()
        call_unsigned("opsadmin_finish", "{}", False)
        return ChangeSet.objects.get(pk=key)


def finish_change_set(change_set: ChangeSet, *, rows: int, counts: dict[str, int]) -> None:
    """Complete the change set of a job. From here on the database keeps it as it is."""
    with transaction.atomic():
        _begin(_resumed(change_set))
        call_unsigned("opsadmin_complete", rows, as_json(counts).decode())


def rows_recorded() -> int:
    """Rows of the record written so far in this act's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(nullif(current_setting('opsadmin.rows', true), ''), '0')::bigint")
        return cursor.fetchone()[0]


@contextlib.contextmanager
def _entered(act: Act) -> Iterator[None]:
    """Whoever writes in this block joins the act. Where it fails, the transaction forgets the context by itself."""
    token = _open.set(act)
    try:
        yield
    finally:
        _open.reset(token)


def _begin(claim: dict[str, Any]) -> Callable[[], Any]:
    """Begin the act; what is returned waits for its number."""
    return open_signed("opsadmin_begin", "act", claim)


def _claim(*, actor: Any, door: str, **said: Any) -> dict[str, Any]:
    """What this process vouches for: who acts through which door, and what is known of the act by now."""
    refuse_looking_only()
    return {"actor": getattr(actor, "pk", None), "door": str(door), **origin_fields(), **said}


def _resumed(change_set: ChangeSet) -> dict[str, Any]:
    return {
        "resume": change_set.pk,
        "actor": change_set.actor_id,
        "acting_as": change_set.acting_as_id,
        "door": change_set.door,
        "lasting": True,
    }


def refuse_looking_only() -> None:
    """Raise LookingOnly while the current request is of somebody who looks at the product as somebody else."""
    here = origin.get()
    if here is not None and here.impersonator is not None:
        raise LookingOnly(f"You look at the product as {here.impersonated}: nothing can be changed or taken out.")


def behind(actor: Any) -> dict[str, Any]:
    """`actor` and `acting_as` of what a person does: while one looks as another, both are named."""
    here, key = origin.get(), getattr(actor, "pk", None)
    if here is not None and here.impersonator is not None and key == here.impersonated.pk:
        return {"actor": here.impersonator.pk, "acting_as": key}
    return {"actor": key}


def origin_fields() -> dict[str, Any]:
    """The request and the address that the current request came from; nothing outside of one."""
    here = origin.get()
    return {"request_id": here.request_id, "address": here.address} if here else {}

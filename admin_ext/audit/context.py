"""`change_set()`: the only way to write. Who, why and through which door travel in the transaction.

The context is a setting local to the transaction, so it survives PgBouncer in transaction mode and cannot leak into
the next request. The triggers read it; a write without it by the runtime role is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from admin_ext.audit.models import ChangeSet


class NoChangeSet(Exception):
    """Something needed the open change set and none is open."""


@dataclasses.dataclass
class Origin:
    """Where the current request came from; set by `ActMiddleware`."""

    request_id: uuid.UUID
    address: str | None


@dataclasses.dataclass
class Act:
    """An open change set: its id is known before its row is written, which happens when the act is done."""

    id: int
    actor: Any
    door: str
    verb: str
    reason: str
    fields: dict[str, Any]
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    rows: int = 0

    def describe(self, *, verb: str = "", reason: str = "", **fields: Any) -> None:
        """Say more precisely what is being done, as far as it was not said yet."""
        self.verb = self.verb or verb
        self.reason = self.reason or reason
        self.fields.update(fields)


origin: ContextVar[Origin | None] = ContextVar("opsadmin_origin", default=None)
_open: ContextVar[Act | None] = ContextVar("opsadmin_act", default=None)


def current_act() -> Act:
    """The open change set. Raises NoChangeSet."""
    act = _open.get()
    if act is None:
        raise NoChangeSet("No change set is open: wrap the work in change_set(actor=..., door=...).")
    return act


def has_open_act() -> bool:
    return _open.get() is not None


@contextlib.contextmanager
def change_set(
    *, actor: Any, door: str, verb: str = "", reason: str = "", always: bool = False, **fields: Any
) -> Iterator[Act]:
    """One act of `actor`, in one transaction; joins the act that is open already.

    `door` is a `Door`, `verb` the stored name of what is done (`orders.ship`), `fields` are further columns of the
    ChangeSet (`ticket`, `selection`, `parent_id`, `acting_as`). The row is written at the end, and only when something
    changed, unless `always`.
    """
    joined = _open.get()
    if joined is not None:
        joined.describe(verb=verb, reason=reason)
        with transaction.atomic():
            yield joined
        return
    with transaction.atomic():
        act = Act(id=_next_id(), actor=actor, door=str(door), verb=verb, reason=reason, fields=fields)
        with _named(act):
            yield act
            act.rows = rows_recorded()
            if act.rows or always:
                _write(act)


@contextlib.contextmanager
def resume_change_set(change_set: ChangeSet) -> Iterator[Act]:
    """One transaction of an act that has many: a chunk of a job. The row is there already."""
    if _open.get() is not None:
        raise RuntimeError("A job's chunk cannot run inside another act.")
    with transaction.atomic():
        act = Act(
            id=change_set.pk, actor=change_set.actor, door=change_set.door, verb=change_set.verb,
            reason=change_set.reason, fields={},
        )  # fmt: skip
        with _named(act):
            yield act
            act.rows = rows_recorded()


def open_change_set(*, actor: Any, door: str, verb: str, **fields: Any) -> ChangeSet:
    """Write the change set of a job, to be resumed chunk by chunk and finished by `finish_change_set`."""
    return ChangeSet.objects.create(actor=actor, door=str(door), verb=verb, **_origin_fields(), **fields)


def finish_change_set(change_set: ChangeSet, *, rows: int, counts: dict[str, int]) -> None:
    """Complete the change set of a job. From here on the database keeps it as it is."""
    ChangeSet.objects.filter(pk=change_set.pk, finished_at=None).update(
        rows=rows, counts=counts, finished_at=timezone.now()
    )


@contextlib.contextmanager
def _named(act: Act) -> Iterator[None]:
    """Name the act to the database for as long as the block lasts."""
    actor_id = getattr(act.actor, "pk", None)
    _set_local(act=f"{act.id}|{actor_id or ''}", rows="")
    token = _open.set(act)
    try:
        yield
    finally:
        _open.reset(token)
        # Inside a larger transaction (a test's) the next write must name its own act.
        if connection.in_atomic_block and not connection.needs_rollback:
            _set_local(act="", rows="")


def _set_local(*, act: str, rows: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('opsadmin.act', %s, true), set_config('opsadmin.rows', %s, true)", [act, rows]
        )


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('audit_changeset', 'id'))")
        return cursor.fetchone()[0]


def rows_recorded() -> int:
    """Rows of the record written so far in this act's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(nullif(current_setting('opsadmin.rows', true), ''), '0')::bigint")
        return cursor.fetchone()[0]


def _write(act: Act) -> None:
    ChangeSet.objects.create(
        pk=act.id,
        actor=act.actor,
        door=act.door,
        verb=act.verb,
        reason=act.reason,
        rows=act.rows,
        counts=act.counts,
        finished_at=timezone.now(),
        **_origin_fields(),
        **act.fields,
    )


def _origin_fields() -> dict[str, Any]:
    here = origin.get()
    return {"request_id": here.request_id, "address": here.address} if here else {}

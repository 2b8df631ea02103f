"""The ledger of reads: who logged in, what was opened, exported and fetched, what was refused, whose rights changed.

The database writes it from a signed claim and only ever appends. What may not leave the house unnoted is noted with
`note_access`, which fails with it; what people would be kept from by a ledger out of order, with `note_quietly`.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from django.db import DatabaseError, connection, models, transaction

from admin_ext.audit.context import behind, origin_fields, refuse_looking_only
from admin_ext.audit.models import Access
from admin_ext.audit.signing import call_signed

log = logging.getLogger(__name__)
SUBJECT_LENGTH = 255
# What takes something out of the house; nobody does so in the place of another.
TAKING = (Access.EXPORT, Access.DOWNLOAD, Access.EVIDENCE, Access.REVEAL)


class NotNoted(Exception):
    """The ledger could not be written; what would have been read is not given out."""


def note_access(
    kind: Access,
    *,
    actor: Any,
    model: str = "",
    object_id: int | None = None,
    subject: str = "",
    reason: str = "",
    detail: dict[str, Any] | None = None,
    once_in: int | None = None,
    acting_as: Any = None,
) -> int | None:
    """Note one read, in the open transaction if there is one. Returns the event's id. Raises NotNoted.

    `model` ("app.Model") and `object_id` say which row, `subject` what else it was in words. The name of a row is not
    kept here: it is told to the reader of the ledger within their rights. With `once_in`, what was noted of this
    person within so many seconds is not noted again, and None is returned. While one person looks at the product as
    another, both are named, and what would be taken out is refused: LookingOnly.
    """
    if kind in TAKING:
        refuse_looking_only()
    claim = {
        "kind": str(kind),
        **({"actor": actor.pk, "acting_as": acting_as.pk} if acting_as else behind(actor)),
        "model": model,
        "object_id": object_id,
        "subject": subject.replace("\0", "\ufffd")[:SUBJECT_LENGTH],
        "reason": reason,
        "detail": detail or {},
        **origin_fields(),
    }
    if once_in is not None:
        claim["once_in"] = once_in
    try:
        with _savepoint():
            return call_signed("opsadmin_note_access", "access", claim)
    except DatabaseError as error:
        log.exception("the ledger of reads could not be written: %s", kind)
        raise NotNoted(
            "It could not be noted who reads this, so it is not given out. Try again; if it stays so, tell an "
            "administrator: the log of the server says what is wrong."
        ) from error


def note_quietly(kind: Access, *, actor: Any, **said: Any) -> None:
    """Note what people must not be kept from by a ledger out of order: it goes to the log of the server instead."""
    with contextlib.suppress(NotNoted):
        note_access(kind, actor=actor, **said)


def note_view(row: models.Model, *, actor: Any, page: str) -> None:
    """Note that a page about a row was opened, if its model is watched."""
    if getattr(row, "watched", False):
        label = row._meta.label
        note_quietly(Access.VIEW, actor=actor, model=label, object_id=row.pk, detail={"page": page})


def _savepoint() -> contextlib.AbstractContextManager[Any]:
    """Keeps a failure from the transaction around; outside of one the note is a transaction by itself."""
    return transaction.atomic() if connection.in_atomic_block else contextlib.nullcontext()

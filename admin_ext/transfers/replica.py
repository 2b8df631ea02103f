"""Long reads leave the primary alone: they read a replica, where one is configured and keeps up.

A replica is used only when it has replayed all that was committed before: a right that was taken a second ago is not
there to be used either. One that is too far behind is not waited for, and the primary is read as ever.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, OperationalError, connection, connections

REPLICA = "replica"
ASK_AGAIN = 0.1
"""Seconds between two questions how far it is."""

Given = TypeVar("Given")
_log = logging.getLogger(__name__)


def from_replica_or_primary(read: Callable[[], Given]) -> tuple[Given, bool]:
    """What `read` gives, and whether it came from the replica.

    `read` is called again, on the primary, where the replica breaks it off: because it had to replay what was still
    being read, or because it went away.
    """
    with _reading_replica() as used:
        if not used:
            return read(), False
        try:
            return read(), True
        except (OperationalError, psycopg.OperationalError) as error:
            _log.warning("The replica gave way, so the primary is read: %s", error)
    return read(), False


@contextlib.contextmanager
def _reading_replica() -> Iterator[bool]:
    """While it lasts, this thread's database is the replica, if it is there and has caught up.

    Other threads, that of a `Pulse` among them, stay at the primary. Inside a transaction the primary is read.
    """
    wanted = REPLICA in settings.DATABASES and not connection.in_atomic_block
    replica = _caught_up() if wanted else None
    if replica is None:
        yield False
        return
    primary = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = replica
    try:
        yield True
    finally:
        connections[DEFAULT_DB_ALIAS] = primary
        replica.close()


def _caught_up() -> Any:
    """The connection to the replica once it is as far as the primary is now; None when it is not in time."""
    replica = connections[REPLICA]
    until = time.monotonic() + settings.REPLICA_WAIT_SECONDS
    with connection.cursor() as cursor:
        # What was committed without waiting for the disk is in it too.
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        (reached,) = cursor.fetchone()
    try:
        with replica.cursor() as cursor:
            while True:
                cursor.execute("SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= %s::pg_lsn", [reached])
                if cursor.fetchone() == (True,):
                    return replica
                if time.monotonic() > until:
                    break
                time.sleep(ASK_AGAIN)
        _log.warning("The replica is too far behind; the primary is read instead.")
    except DatabaseError as error:
        _log.warning("The replica cannot be asked, so the primary is read: %s", error)
    replica.close()
    return None

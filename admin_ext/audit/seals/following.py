"""The sealer as a process: round after round, until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg

from admin_ext.audit.seals.sealing import AnotherSealer, Sealer

log = logging.getLogger(__name__)
# Seconds between two tries to reach the database, at most.
PATIENCE = 30.0


def follow(open_sealer: Callable[[], Sealer], *, every: float, stop: threading.Event) -> None:
    """Seal every `every` seconds until `stop`. A database that is away, or another sealer at work, is waited for.

    Raises NewEpochNeeded, PublishedDiffers: then a person must look first.
    """
    wait = every
    while not stop.is_set():
        try:
            with open_sealer() as sealer:
                sealer.take_up()
                log.info("sealing every %g s", every)
                wait = every
                _seal_until_stopped(sealer, every, stop)
            return
        except AnotherSealer as error:
            log.info("%s Waiting for it to end.", error)
        except psycopg.OperationalError as error:
            log.warning("The database is away: %s", error)
        stop.wait(wait)
        wait = min(wait * 2, PATIENCE)


def _seal_until_stopped(sealer: Sealer, every: float, stop: threading.Event) -> None:
    while not stop.is_set():
        done = sealer.round()
        if done.leaves:
            log.info("sealed %d rows in %d blocks", done.leaves, done.blocks)
        if done.complete:
            stop.wait(every)
    sealer.publisher.flush()

"""Instants for tests of the past, told by the clock that stamps history: the database's."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def moment() -> datetime:
    """After everything that was written before the call, and before everything written after it."""
    with connection.cursor() as cursor:
        # A statement's timestamp is taken when it begins; let the clock tick on both sides of ours.
        cursor.execute("SELECT pg_sleep(0.001)")
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
        cursor.execute("SELECT pg_sleep(0.001)")
    return now

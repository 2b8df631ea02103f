"""Instants of the past as people write them and read them."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime

EARLIEST = 1900


class InstantNotUsable(Exception):
    """What was asked for is not an instant of the past; the message says why and what to write."""


def parse_instant(text: str) -> datetime:
    """An instant of the past as an address or a command carries it, in the person's zone unless it names another.

    Raises InstantNotUsable.
    """
    try:
        instant = parse_datetime(text.strip())
    except ValueError:
        instant = None
    if instant is None:
        raise InstantNotUsable(f"“{text}” is no instant. Write day and time, as in 2026-03-31T12:00.")
    if instant.year < EARLIEST:
        raise InstantNotUsable(f"Nothing is on record from the year {instant.year}.")
    if timezone.is_naive(instant):
        instant = timezone.make_aware(instant)
    if instant > timezone.now():
        raise InstantNotUsable(f"{text.replace('T', ' ')} lies in the future: nothing is known of it yet.")
    return instant


def in_words(instant: datetime) -> str:
    """An instant in the zone of whoever reads it, which is named."""
    return f"{timezone.localtime(instant):%Y-%m-%d %H:%M} {timezone.get_current_timezone_name()}"

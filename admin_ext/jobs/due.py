"""When a schedule is due: times of a clock on the wall, in its owner's zone.

A time that a day does not have, because the clock went forward, is due when the clock would have shown it had it not:
half past two is half past three then. A time that a day has twice is due the first time. So each comes once.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR, DAY, WEEK, MONTH = "hour", "day", "week", "month"


def next_due(every: str, at: time, on_day: int | None, *, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after `after` that is due, in UTC.

    `on_day` is the day of the week, 1 for Monday, or of the month; the last one of a month that is shorter. Of `at`, an
    hourly schedule reads the minute.
    """
    if every == HOUR:
        return _next_hour(at.minute, after)
    day = after.astimezone(zone).date()
    while True:
        if _is_on(every, day, on_day):
            due = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
            if due > after:
                return due
        day += timedelta(days=1)


def _next_hour(minute: int, after: datetime) -> datetime:
    due = after.astimezone(UTC).replace(minute=minute, second=0, microsecond=0)
    return due if due > after else due + timedelta(hours=1)


def _is_on(every: str, day: date, on_day: int | None) -> bool:
    if every == WEEK:
        return day.isoweekday() == on_day
    if every == MONTH:
        return day.day == min(on_day or 1, calendar.monthrange(day.year, day.month)[1])
    return True

"""Days in words: today, last 7 days, this quarter. What they mean moves with the day that is looked at."""

from __future__ import annotations

from datetime import date, timedelta

from admin_ext.audit.past import day_looked_at

WORDS = {
    "today": "is today",
    "yesterday": "is yesterday",
    "tomorrow": "is tomorrow",
    "last_7_days": "is in the last 7 days",
    "last_30_days": "is in the last 30 days",
    "last_90_days": "is in the last 90 days",
    "next_7_days": "is in the next 7 days",
    "next_30_days": "is in the next 30 days",
    "this_week": "is in this week",
    "last_week": "is in last week",
    "this_month": "is in this month",
    "last_month": "is in last month",
    "this_quarter": "is in this quarter",
    "last_quarter": "is in last quarter",
    "this_year": "is in this year",
    "last_year": "is in last year",
    "past": "is before today",
    "future": "is after today",
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def days_meant(word: str, today: date | None = None) -> slice:
    """The first and the last day that a word of `WORDS` means, both included; None where there is no end.

    Weeks begin on Monday. "The last 7 days" end with today, "the next 7 days" begin with tomorrow.
    """
    today = today or day_looked_at()
    near = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if word in near:
        return slice(*[today + timedelta(days=near[word])] * 2)
    if word == "past":
        return slice(None, today - timedelta(days=1))
    if word == "future":
        return slice(today + timedelta(days=1), None)
    which, _, unit = word.partition("_")
    if unit.endswith("_days"):
        count = int(unit.removesuffix("_days"))
        if which == "next":
            return slice(today + timedelta(days=1), today + timedelta(days=count))
        return slice(today - timedelta(days=count - 1), today)
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + (7 if which == "last" else 0))
        return slice(monday, monday + timedelta(days=6))
    months = _MONTHS[unit]
    first = _month(today, -((today.month - 1) % months) - (months if which == "last" else 0))
    return slice(first, _month(first, months) - timedelta(days=1))


def _month(day: date, offset: int) -> date:
    """The first day of the month that lies `offset` months after that of `day`."""
    months = day.year * 12 + day.month - 1 + offset
    return date(months // 12, months % 12 + 1, 1)

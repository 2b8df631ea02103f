"""When a schedule is due, by the clock on its owner's wall."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_ext.jobs.due import DAY, HOUR, MONTH, WEEK, next_due

OSLO = ZoneInfo("Europe/Oslo")


def local(*parts, zone=OSLO, fold=0):
    return datetime(*parts, tzinfo=zone, fold=fold)


def run_of(every, at, on_day, *, begin, count, zone=OSLO):
    found, after = [], begin
    for _ in range(count):
        after = next_due(every, at, on_day, after=after, zone=zone)
        found.append(after)
    return found


@pytest.mark.parametrize(
    ("every", "on_day", "after", "due"),
    [
        (HOUR, None, local(2026, 1, 5, 6, 59), local(2026, 1, 5, 7, 30)),
        (HOUR, None, local(2026, 1, 5, 7, 30), local(2026, 1, 5, 8, 30)),
        (DAY, None, local(2026, 1, 5, 7, 29), local(2026, 1, 5, 7, 30)),
        (DAY, None, local(2026, 1, 5, 7, 30), local(2026, 1, 6, 7, 30)),
        (WEEK, 1, local(2026, 1, 5, 7, 30), local(2026, 1, 12, 7, 30)),
        (WEEK, 7, local(2026, 1, 5, 7, 30), local(2026, 1, 11, 7, 30)),
        (MONTH, 31, local(2026, 2, 1), local(2026, 2, 28, 7, 30)),
        (MONTH, 31, local(2026, 2, 28, 7, 30), local(2026, 3, 31, 7, 30)),
        (MONTH, 1, local(2026, 12, 31), local(2027, 1, 1, 7, 30)),
    ],
)
def test_the_next_time(every, on_day, after, due):
    assert next_due(every, time(7, 30), on_day, after=after, zone=OSLO) == due


def test_a_time_that_a_day_does_not_have_comes_once():
    # On 29 March 2026 the clock goes from 02:00 to 03:00.
    found = run_of(DAY, time(2, 30), None, begin=local(2026, 3, 28, 0), count=3)
    assert found == [local(2026, 3, 28, 2, 30), local(2026, 3, 29, 3, 30), local(2026, 3, 30, 2, 30)]


def test_a_time_that_a_day_has_twice_comes_once():
    # On 25 October 2026 the clock goes from 03:00 back to 02:00.
    found = run_of(DAY, time(2, 30), None, begin=local(2026, 10, 24, 12), count=2)
    assert found == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), local(2026, 10, 26, 2, 30)]


def test_every_hour_goes_on_through_both():
    for begin in (local(2026, 3, 29, 0), local(2026, 10, 25, 0)):
        found = run_of(HOUR, time(0, 15), None, begin=begin, count=6)
        assert {later - earlier for earlier, later in itertools.pairwise(found)} == {timedelta(hours=1)}


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.sampled_from(["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]),
    st.sampled_from([(DAY, None), (WEEK, 3), (MONTH, 31), (MONTH, 30)]),
)
def test_each_day_that_is_meant_has_one_time_at_the_clock_that_was_said(begin, at, name, rule):
    zone, (every, on_day) = ZoneInfo(name), rule
    found = run_of(every, at, on_day, begin=begin, count=5, zone=zone)
    assert found == sorted(set(found)) and found[0] > begin
    for due in found:
        shown = due.astimezone(zone)
        wanted = datetime.combine(shown.date(), at, tzinfo=zone)
        # By another clock only where that time does not exist.
        assert shown.time() == at or wanted.astimezone(UTC).astimezone(zone).time() != at

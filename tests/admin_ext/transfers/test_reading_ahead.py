"""Reading ahead changes nothing but the time: the same parts in the same order, and the same errors."""

from __future__ import annotations

import sys
import threading

import pytest

from admin_ext.transfers.reading import read_ahead


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_the_parts_come_in_their_order():
    assert list(read_ahead(iter(range(50)))) == list(range(50))
    assert not readers()


def test_an_error_comes_after_the_parts_before_it():
    def parts():
        yield 1
        raise LookupError("broken")

    found = read_ahead(parts())
    assert next(found) == 1
    with pytest.raises(LookupError, match="broken"):
        next(found)
    assert not readers()


def test_whoever_stops_early_ends_the_reader():
    read = []

    def parts():
        for n in range(1000):
            read.append(n)
            yield n

    found = read_ahead(parts())
    assert next(found) == 0
    found.close()
    assert not readers() and len(read) < 5


def test_whoever_waits_for_the_database_waits_less_for_the_interpreter_and_only_meanwhile():
    usual = sys.getswitchinterval()
    found = read_ahead(iter([1, 2]))
    assert next(found) == 1
    assert sys.getswitchinterval() < usual / 5
    found.close()
    assert sys.getswitchinterval() == usual

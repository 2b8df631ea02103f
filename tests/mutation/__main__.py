"""`python -m tests.mutation [rights scopes …]`: mutate `admin_ext/access`, one check at a time; who notices?

The judges are the fast tests of the room itself and those that ask a right in every way there is. They are collected
once; for each mutant a copy of this process puts the mutant in the place of a function's code and asks them, the
judge that noticed the one before first, until one complains.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant, functions, mutants

TESTS = Path(__file__).parents[1]
ACCESS = TESTS.parent / "admin_ext" / "access"
JUDGES = (
    TESTS / "admin_ext" / "access",
    TESTS / "admin_ext" / "admin" / "test_explaining.py",
    TESTS / "contracts" / "test_agreement.py",
)
# Explaining is compared with deciding for long: only what explains is asked that.
EXPLAINS = ("explain", "facts", "now", "who")
LONG = "test_explain_is_the_decision"
WANTED = 0.95
# A mutant that goes round in circles is noticed as well.
PATIENCE = 900
# Mutants that mean the same, as they are told, each with the reason.
ALIKE: dict[str, str] = {
    "rights.py: queryset.filter(where) if where else queryset -> queryset.filter(where) if True else queryset": (
        "to filter by nothing gives the same rows, in a copy"
    ),
    "fields.py: if not has_policies(user): -> if False:": "where no role has a policy, no column is treated in any way",
}


class Court:
    """A pytest plugin: in the place of the run of the tests, a run of all of them for every mutant."""

    def __init__(self, stems: list[str]) -> None:
        self.stems = stems
        self.share = 0.0

    @pytest.hookimpl
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = self._fastest_first(session.items)
        killed, survived, began = 0, [], time.monotonic()
        for stem in self.stems:
            module = importlib.import_module(f"admin_ext.access.{stem}")
            for mutant in mutants((ACCESS / f"{stem}.py").read_text(encoding="utf-8")):
                verdict = self._judge(module, mutant, stem in EXPLAINS)
                if verdict is None:
                    continue  # outside of any function, or the same code
                if verdict:
                    killed += 1
                else:
                    survived.append(f"{stem}.py:{mutant}")
                    print(f"survived: {survived[-1]}", flush=True)
        alike = [each for each in survived if _without_line(each) in ALIKE]
        self.share = killed / max(killed + len(survived) - len(alike), 1)
        print(f"\n{killed} of {killed + len(survived)} mutants noticed by {len(self.items)} judges", end=", ")
        print(f"{len(alike)} mean the same: {self.share:.1%}; {time.monotonic() - began:.0f} s", flush=True)
        self._end(self.items[0])
        return True

    def _fastest_first(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Everybody is asked once of what is not mutated: who complains of that is no judge."""
        took = {}
        for item, following in zip(items, [*items[1:], items[0]], strict=True):
            began = time.monotonic()
            if self._complains(item, following):
                raise pytest.UsageError(f"{item.nodeid} complains of what was not mutated.")
            took[item] = time.monotonic() - began
        print(f"\n{len(items)} judges take {sum(took.values()):.0f} s", flush=True)
        return sorted(items, key=lambda item: took[item])

    def _judge(self, module: ModuleType, mutant: Mutant, explains: bool) -> bool | None:
        from django.db import connections

        reading, writing = os.pipe()
        connections.close_all()
        if child := os.fork():
            os.close(writing)
            with os.fdopen(reading) as pipe:
                told = pipe.read()
            os.waitpid(child, 0)
            if told.isdigit():  # who noticed is asked first next time
                self.items.insert(0, self.items.pop(int(told)))
            if told == "late":
                print(f"nobody in {PATIENCE} s: {mutant}", flush=True)
            return None if told == "same" else told != ""
        os.close(reading)
        # Nobody waits for the rest of this copy: it ends here, whatever pytest would like to tell.
        try:
            os.write(writing, self._told(module, mutant, explains).encode())
        except BaseException:
            os.write(writing, b"fault")
        finally:
            os._exit(0)

    def _told(self, module: ModuleType, mutant: Mutant, explains: bool) -> str:
        """The number of the judge who noticed; “late” where none came to an end; nothing where nobody noticed."""
        if not swap(module, mutant):
            return "same"
        ends = time.monotonic() + PATIENCE
        for number, item in enumerate(self.items):
            if LONG in item.name and not explains:
                continue
            if self._complains(item, self.items[(number + 1) % len(self.items)]):
                return str(number)
            if time.monotonic() > ends:
                return "late"
        return ""

    def _complains(self, item: pytest.Item, following: pytest.Item) -> bool:
        return any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))

    def _end(self, item: pytest.Item) -> None:
        """The last of all, so that what the session set up is taken down."""
        runtestprotocol(item, log=False, nextitem=None)


def swap(module: ModuleType, mutant: Mutant) -> bool:
    """Put a mutant's code into the live functions of its module; whether there was any that it differs from."""
    swapped = False
    for name, code in functions(compile(mutant.tree, str(module.__file__), "exec")).items():
        if "<locals>" in name or ("." in name and not hasattr(module, name.split(".")[0])):
            continue
        function: Any = module
        for step in name.split("."):
            function = vars(function).get(step) if isinstance(function, type) else getattr(function, step, None)
        function = getattr(function, "fget", None) or getattr(function, "__func__", None) or function
        function = getattr(function, "__wrapped__", function)
        same = isinstance(function, FunctionType) and len(function.__code__.co_freevars) == len(code.co_freevars)
        if same and _differs(function.__code__, code):
            function.__code__ = code
            swapped = True
    return swapped


def _differs(one: Any, other: Any) -> bool:
    if one.co_code != other.co_code or one.co_names != other.co_names or len(one.co_consts) != len(other.co_consts):
        return True
    pairs = zip(one.co_consts, other.co_consts, strict=True)
    return any(_differs(a, b) if hasattr(a, "co_code") else a != b or type(a) is not type(b) for a, b in pairs)


def _without_line(told: str) -> str:
    """`rights.py:12: a -> b` as `rights.py: a -> b`: lines move."""
    name, _, rest = told.partition(":")
    return f"{name}:{rest.partition(':')[2]}"


def main() -> int:
    wanted = sys.argv[1:] or sorted(path.stem for path in ACCESS.glob("*.py") if path.stem not in ("__init__", "apps"))
    court = Court(wanted)
    fast = "not rights and not matrix and not tamper and not kill and not journey and not corpus and not integration and not long"
    code = pytest.main([*map(str, JUDGES), "-q", "-s", "-p", "no:cacheprovider", "-m", fast], plugins=[court])
    return int(code) or (0 if court.share >= WANTED else 1)


if __name__ == "__main__":
    raise SystemExit(main())

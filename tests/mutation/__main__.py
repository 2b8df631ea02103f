"""`python -m tests.mutation [rights scopes …]`: mutate `admin_ext/access`, one check at a time; who notices?

The judges are the tests of the room itself, then the agreement of all ways of asking. A mutant
takes the place of a function's code in this very process, so that nothing is started anew for it.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsadmin.settings.test")

import django

django.setup()

from django.db import transaction  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from tests import databases  # noqa: E402
from tests.mutation.mutants import Mutant, functions, mutants  # noqa: E402

ACCESS = Path(__file__).parents[2] / "admin_ext" / "access"
SEEDS = range(3000, 3008)
# Mutants that mean the same, each with the reason.
ALIKE: dict[str, str] = {}


class _Undone(Exception):
    """Takes back what a judge wrote."""


def main() -> int:
    wanted = sys.argv[1:] or sorted(path.stem for path in ACCESS.glob("*.py") if path.stem not in ("__init__", "apps"))
    setup_test_environment()
    name = f"opsadmin_mutation_{os.getpid()}"
    databases.clone(databases.make_template(), name)
    try:
        return _judge_all(wanted)
    finally:
        databases.drop(name)


def _judge_all(wanted: list[str]) -> int:
    if fault := _noticed():
        print(f"The judges complain of what was not mutated: {fault}")
        return 1
    killed, survived, began = 0, [], time.monotonic()
    for stem in wanted:
        module = importlib.import_module(f"admin_ext.access.{stem}")
        for mutant in mutants((ACCESS / f"{stem}.py").read_text(encoding="utf-8")):
            swapped = _swap(module, mutant)
            if not swapped:
                continue  # outside of any function, or the same code
            try:
                noticed = _noticed()
            finally:
                for function, code in swapped:
                    function.__code__ = code
            if noticed:
                killed += 1
            else:
                survived.append(f"{stem}.py:{mutant}")
                print(f"survived: {stem}.py:{mutant}", flush=True)
    known = [each for each in survived if each.partition(":")[0] + each[each.rindex(":") :] in ALIKE]
    total = killed + len(survived)
    share = killed / max(total - len(known), 1)
    print(
        f"{killed} of {total} mutants noticed, {len(known)} mean the same: {share:.1%}; {time.monotonic() - began:.0f} s"
    )
    return 0 if share >= 0.95 else 1


def _swap(module: ModuleType, mutant: Mutant) -> list[tuple[FunctionType, Any]]:
    """Put a mutant's code into the live functions; returns what was there."""
    swapped = []
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
            swapped.append((function, function.__code__))
            function.__code__ = code
    return swapped


def _differs(one: Any, other: Any) -> bool:
    if one.co_code != other.co_code or len(one.co_consts) != len(other.co_consts):
        return True
    pairs = zip(one.co_consts, other.co_consts, strict=True)
    return any(_differs(a, b) if hasattr(a, "co_code") else a != b or type(a) is not type(b) for a, b in pairs)


def _noticed() -> str:
    """The first judge that complains, and of what; '' when none does."""
    for judge in (*_judges(), _agreement):
        try:
            with transaction.atomic():
                judge()
                raise _Undone
        except _Undone:
            continue
        except Exception as fault:  # a complaint is whatever a test raises
            return f"{judge.__qualname__}: {type(fault).__name__}: {str(fault)[:300]}"
    return ""


def _agreement() -> None:
    """All ways of asking, on a scene of its own: the tests of the room count every row there is."""
    from tests.contracts.test_agreement import compare, make_scene

    scene = make_scene()
    for seed in SEEDS:
        _, wrong = compare(scene, seed, thorough=False)
        assert not wrong, f"{seed}: {wrong[0][:300]}"


def _judges() -> list[Any]:
    """The tests of the room that take no fixtures."""
    found = []
    for path in sorted((Path(__file__).parents[1] / "admin_ext" / "access").glob("test_*.py")):
        module = importlib.import_module(f"tests.admin_ext.access.{path.stem}")
        for name, value in vars(module).items():
            if name.startswith("test_") and isinstance(value, FunctionType) and not value.__code__.co_argcount:
                found.append(value)
            elif name.startswith("Test") and isinstance(value, type):
                members = [getattr(value(), each) for each in vars(value) if each.startswith("test_")]
                found += [each for each in members if each.__func__.__code__.co_argcount == 1]
    return found


if __name__ == "__main__":
    raise SystemExit(main())

"""`./dev test`, `./dev lint` and `./dev bench`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from opsadmin.embedded import stack
from opsadmin.embedded.places import ROOT
from opsadmin.embedded.postgres import SCRATCH_SETTINGS
from opsadmin.embedded.programs import run_in_foreground
from opsadmin.embedded.scratch import scratch_database

# Kinds of test that take long or need more than Python; each is run by its mark.
SLOW_MARKS = ("journey", "kill", "matrix", "corpus", "tamper", "integration")
# Kinds that the checks before a landing run in a small number only: see docs/engineers.md.
OWED_MARKS = ("rights", "long", "office")
# How the names of the suite's migrated databases begin (tests/databases.py).
TEMPLATES = "opsadmin_template_"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def test(data: stack.Data, arguments: Sequence[str]) -> int:
    """Run pytest on a cluster of its own. Without `-m`, the fast tests."""
    browser = find_browser()
    with scratch_database(data, SCRATCH_SETTINGS, TEMPLATES) as environment:
        if browser:
            environment = {"OPSADMIN_BROWSER": browser} | environment
        environment["DJANGO_SETTINGS_MODULE"] = "opsadmin.settings.test"
        code = run_in_foreground(stack.python("pytest", *pytest_arguments(arguments)), environment)
    if not has_option(arguments, "-m"):
        print(f"Fast tests only. The other kinds: ./dev test -m MARK, with {', '.join(SLOW_MARKS + OWED_MARKS)}.")
    if not browser:
        print("There is no Chromium or Chrome on this machine: the journeys were not run.")
    return code


def pytest_arguments(arguments: Sequence[str]) -> list[str]:
    """The person's arguments, completed: only fast tests unless `-m` says which, on two cores where that helps."""
    completed = list(arguments)
    if not has_option(arguments, "-m"):
        completed += ["-m", " and ".join(f"not {mark}" for mark in SLOW_MARKS + OWED_MARKS)]
    alone = any("::" in word or word in ("--pdb", "--trace", "--collect-only", "--co", "-s") for word in arguments)
    if not alone and not has_option(arguments, "-n", "--numprocesses"):
        completed += ["-n", "2"]
    return completed


def has_option(arguments: Sequence[str], *names: str) -> bool:
    """Whether one of the options is given, apart from its value or in one word with it."""
    return any(word.startswith(names) for word in arguments)


def find_browser() -> str | None:
    """The Chromium or Chrome of this machine that the journeys drive."""
    named = os.environ.get("OPSADMIN_BROWSER")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


def bench(data: stack.Data, arguments: Sequence[str]) -> int:
    """Run the benchmarks on a cluster of their own, as durable as one that is in service."""
    with scratch_database(data) as environment:
        return run_in_foreground(stack.python("benchmarks", *arguments), environment)


def lint(data: stack.Data) -> int:
    """Run every check that needs no database; all of them, whatever the first ones find."""
    environment = data.environment(None) | {
        "DJANGO_SETTINGS_MODULE": "opsadmin.settings.test",
        # makemigrations would like to compare with a database; here it compares models with migration files.
        "PYTHONWARNINGS": "ignore:Got an error checking a consistent migration history:RuntimeWarning",
    }
    # The launcher has no suffix by which ruff would find it.
    checks = {
        "ruff check": stack.python("ruff", "check", ".", "dev"),
        "ruff format": stack.python("ruff", "format", "--check", ".", "dev"),
        "lint-imports": [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        "mypy": stack.python("mypy", "opsadmin", "admin_ext", "apps"),
        "makemigrations": stack.manage("makemigrations", "--check", "--dry-run"),
        "manage.py check": stack.manage("check", "--fail-level", "WARNING"),
    }
    failed = []
    for name, command in checks.items():
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0

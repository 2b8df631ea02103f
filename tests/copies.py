"""A copy of the project with one more app in it, to run things in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests import databases

ROOT = Path(settings.BASE_DIR)
COPIED = ("opsadmin", "apps", "admin_ext", "tests", "fixtures")

# The copy's template database is a clone of the project's, on which only the new app is left to migrate, as the owner.
MIGRATE = """
import sys, django
django.setup()
from django.core.management import call_command
from django.db import connection
from psycopg import sql
from tests import databases

name = databases.template_name()
with databases.set_up() as server:
    server.execute("SELECT pg_advisory_lock(hashtext('opsadmin tests'))")
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        databases.clone(sys.argv[1], f"{name}_making")
        databases.log_in_as(databases.OWNER, f"{name}_making")
        call_command("migrate", verbosity=0)
        connection.close()
        names = [sql.Identifier(each) for each in (f"{name}_making", name)]
        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
"""


def copy_project(root: Path) -> None:
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("journeys", "embedded_data"))
    for name in ("manage.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root)


def install(root: Path, app: str) -> None:
    """Make `apps.<app>` the last of the copy's apps."""
    base = root / "opsadmin/settings/base.py"
    text, found = re.subn(
        r'((?:    "apps\.\w+",\n)+)(\])', rf'\1    "apps.{app}",\n\2', base.read_text("utf-8"), count=1
    )
    assert found, "INSTALLED_APPS does not end with our apps"
    base.write_text(text, encoding="utf-8")


def migrate(root: Path, app: str) -> None:
    """Make the app's first migration and the copy's template database; the project's own is there already."""
    run(root, "manage.py", "makemigrations", app, "--no-header")
    run(root, "-c", MIGRATE, databases.template_name())


def run(root: Path, *command: str) -> str:
    """Run a Python program in the copy; returns what it said, and fails with it."""
    environment = {**os.environ, "PYTHONPATH": str(root), "OPSADMIN_DATA": str(root / ".data")}
    environment["DJANGO_SETTINGS_MODULE"] = "opsadmin.settings.test"
    # The copy's suite is one of its own, on databases of its own.
    for name in [each for each in environment if each.startswith(("PYTEST_", "COV_"))]:
        del environment[name]
    done = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""The suite's databases: one migrated template, cloned for every worker and for every test that commits.

The suite logs in as the runtime role; only the template is made by the owner. A test that commits gets a fresh clone
afterwards instead of a flush: TRUNCATE on the record is refused, and a clone keeps what migrations put in.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from opsadmin.database import APP, OWNER, ROLES, SEALER, as_role, role_password
from opsadmin.management.commands.setup_database import _make_database, _make_role, guard_triggers

ROOT = Path(settings.BASE_DIR)


def log_in_as(role: str, name: str) -> None:
    """Point the suite's connection at a database as a role."""
    for each in connections.all():
        each.close()
        each.settings_dict["NAME"] = name
        each.settings_dict["USER"] = role
        each.settings_dict["PASSWORD"] = role_password(settings.DATABASE_URL, role) or ""


def set_up() -> psycopg.Connection:
    """A connection of the set-up login, outside every test database."""
    return psycopg.connect(psycopg.conninfo.make_conninfo(settings.DATABASE_URL, dbname="postgres"), autocommit=True)


def template_name() -> str:
    """Changes with whatever the migrated database is made from."""
    digest = hashlib.sha256()
    sources = [*ROOT.glob("apps/*/migrations/*.py"), *ROOT.glob("admin_ext/**/migrations/*.py")]
    sources += [
        *ROOT.glob("**/audit/*.py"),
        *ROOT.glob("**/audit/seals/*.py"),
        *ROOT.glob("admin_ext/**/sql/*.sql"),
        *ROOT.glob("apps/**/sql/*.sql"),
    ]
    # Triggers that migrate installs as models declare them.
    sources += [ROOT / "admin_ext/desk/cases.py", ROOT / "admin_ext/access/grants.py"]
    sources += [*ROOT.glob("apps/*/models.py"), ROOT / "requirements.txt"]
    for path in sorted(sources):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return f"opsadmin_template_{digest.hexdigest()[:12]}"


def make_template() -> str:
    """Migrate the template, unless a worker beside us or an earlier run did."""
    name = template_name()
    with set_up() as server:
        if _is_there(server, name):
            return name
        # Suites of other versions make templates of their own at the same time; what all share is made one by one.
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if _is_there(server, name):
            return name
        server.execute("SELECT pg_advisory_lock(hashtext('opsadmin tests'))")
        # Another suite may be running from its own template: only what is a day old is stale.
        for (stale,) in server.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'opsadmin\\_template\\_%' "
            "AND (pg_stat_file('base/' || oid || '/PG_VERSION')).modification < now() - interval '1 day'"
        ).fetchall():
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(stale)))
        for role in ROLES:
            _make_role(server, role, role_password(settings.DATABASE_URL, role))
        server.execute("SELECT pg_advisory_unlock(hashtext('opsadmin tests'))")
        making = f"{name}_making"
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(making)))
        _make_database(server, making)
        with psycopg.connect(psycopg.conninfo.make_conninfo(settings.DATABASE_URL, dbname=making)) as here:
            guard_triggers(here)
        log_in_as(OWNER, making)
        call_command("migrate", verbosity=0)
        log_in_as(APP, making)
        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name)))
    return name


def _is_there(server: psycopg.Connection, name: str) -> bool:
    return server.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def clone(template: str, name: str) -> None:
    """Make `name` anew from the template and log in to it as the runtime role."""
    connection.close()
    with set_up() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        server.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY wal_log").format(
                sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
            )
        )
        database = sql.Identifier(name)
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        for role in (APP, SEALER):
            server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role)))
    log_in_as(APP, name)


@contextlib.contextmanager
def committed() -> Iterator[None]:
    """What is written inside is there for a whole module of tests, in no transaction: a long one would hold up whoever
    waits for the end of all that began before (the sealer). Afterwards the database is made anew.
    """
    try:
        yield
    finally:
        clone(make_template(), connection.settings_dict["NAME"])


def drop(name: str) -> None:
    connection.close()
    with set_up() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def owner_connection() -> psycopg.Connection:
    """The current test database as the owner of its tables."""
    return connection_as(OWNER)


def connection_as(role: str | None, *, autocommit: bool = False) -> psycopg.Connection:
    """The current test database as a role; without one as the set-up login, a superuser whom no event trigger stops."""
    url = as_role(settings.DATABASE_URL, role) if role else settings.DATABASE_URL
    options = "" if role else "-c session_replication_role=replica"
    here = psycopg.conninfo.make_conninfo(url, dbname=connection.settings_dict["NAME"], options=options)
    return psycopg.connect(here, autocommit=autocommit)

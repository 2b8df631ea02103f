"""`manage.py setup_database`: make the three roles and the database, safely repeatable."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from psycopg import sql

from admin_ext.audit import triggers
from admin_ext.audit.triggers import read_sql
from opsadmin.database import APP, OWNER, ROLES, SEALER, role_password, user_of


class Command(BaseCommand):
    help = (
        "Create the roles opsadmin_owner, opsadmin_app and opsadmin_sealer and the database that DATABASE_URL names. "
        "DATABASE_URL must log in as somebody who may create roles and databases."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        url = settings.DATABASE_URL
        if user_of(url) in ROLES:
            raise CommandError(
                f"DATABASE_URL logs in as {user_of(url)}, which may not create roles. "
                "Set things up once with a login that may (see docs/operations.md)."
            )
        name = settings.DATABASES["default"]["NAME"]
        try:
            with psycopg.connect(_maintenance(url), autocommit=True) as connection:
                for role in ROLES:
                    _make_role(connection, role, role_password(url, role))
                _make_database(connection, name)
                guarded = _is_superuser(connection)
            if guarded:
                with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname=name)) as connection:
                    guard_triggers(connection)
        except psycopg.OperationalError as error:
            raise CommandError(f"PostgreSQL cannot be reached: {error}") from error
        if options["verbosity"]:
            if not guarded:
                self.stdout.write(
                    f"{user_of(url) or 'this login'} is no superuser: the event trigger that keeps the record's triggers "
                    "switched on is not installed (docs/operations.md)"
                )
            self.stdout.write(f"roles {', '.join(ROLES)} and database {name} are there")


def _maintenance(url: str) -> str:
    """The connection string of the server's own `postgres` database, which is always there."""
    return psycopg.conninfo.make_conninfo(url, dbname="postgres")


def _make_role(connection: psycopg.Connection, role: str, password: str | None) -> None:
    """A role that may log in and nothing else.

    Two set-ups may run at once on one server, and roles belong to the server: the one that comes second finds it made.
    """
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    if password:
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
    if role == APP:
        # Pages of the record ask many tables a little: compiling such a query costs more than running it.
        connection.execute(sql.SQL("ALTER ROLE {} SET jit = off").format(sql.Identifier(role)))
        # Nor are more processes begun for a page, of which many are made at a time; for a count of millions they are.
        connection.execute(sql.SQL("ALTER ROLE {} SET parallel_setup_cost = 20000").format(sql.Identifier(role)))
    # A login that is not a superuser must belong to a role to make a database that the role owns.
    if role == OWNER and not _is_superuser(connection):
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def _is_superuser(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(found and found[0])


def guard_triggers(connection: psycopg.Connection) -> None:
    """Install, as a superuser, the event trigger that refuses to switch off a trigger of the record."""
    connection.execute(read_sql(triggers.__file__, "guard_triggers"))  # type: ignore[arg-type]


def _make_database(connection: psycopg.Connection, name: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if not exists:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
                sql.Identifier(name), sql.Identifier(OWNER)
            )
        )
    # Nobody but the roles enters, and neither app nor sealer makes tables, not even temporary ones.
    database = sql.Identifier(name)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role in (APP, SEALER):
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role)))

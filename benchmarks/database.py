"""A database of the benchmarks' own, made anew for each run on the server that DATABASE_URL names."""

from __future__ import annotations

import os

import psycopg
from psycopg import sql

from opsadmin.database import OWNER, as_role

# A name of its own lets two benchmarks run on one server.
SERVER = os.environ.get("DATABASE_URL", "postgres:///opsadmin")
NAME = os.environ.get("BENCH_DATABASE") or f"{SERVER.partition('?')[0].rpartition('/')[2]}_bench"


def url(name: str = NAME) -> str:
    """The address of a database beside the product's, logged in as DATABASE_URL is."""
    base, mark, query = SERVER.partition("?")
    return f"{base.rpartition('/')[0]}/{name}{mark}{query}"


def set_up(*, run_syncdb: bool = False) -> None:
    """An empty, migrated database, and Django on it as the runtime role. `run_syncdb` makes the tables of apps without
    migrations too."""
    drop()
    os.environ["DATABASE_URL"] = url()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsadmin.settings.test")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    login = dict(connection.settings_dict)
    call_command("setup_database", verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
    call_command("migrate", verbosity=0)
    if run_syncdb:
        call_command("migrate", verbosity=0, run_syncdb=True)
    connection.close()
    connection.settings_dict.update(USER=login["USER"], PASSWORD=login["PASSWORD"])


def drop(name: str = NAME) -> None:
    with psycopg.connect(url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def create(name: str) -> None:
    drop(name)
    with psycopg.connect(url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def owner() -> psycopg.Connection:
    """The benchmark's database as the owner of its tables."""
    return psycopg.connect(as_role(url(), OWNER), autocommit=True)

"""What every test stands on: a database as the runtime role, and people with roles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from admin_ext.audit.context import change_set
from tests import databases


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Replaces pytest-django's: the database is a clone of a migrated template."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"opsadmin_test_{worker}_{os.getpid()}"
    with django_db_blocker.unblock():
        template = databases.make_template()
        databases.clone(template, name)
    operations = type(connection.ops)
    real_flush = operations.execute_sql_flush
    # What a test that commits calls when it ends.
    operations.execute_sql_flush = lambda self, sql: databases.clone(template, name)  # type: ignore[method-assign]
    yield
    operations.execute_sql_flush = real_flush  # type: ignore[method-assign]
    with django_db_blocker.unblock():
        databases.drop(name)


@pytest.fixture
def act(db: None) -> Iterator[Any]:
    """An open change set of nobody's, for tests that write rows to start from."""
    with change_set(actor=None, door="shell", verb="tests.arrange", always=True) as opened:
        yield opened

"""A sealed record to look at and to attack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db.models import F

from admin_ext.audit.context import change_set, finish_change_set, open_change_set, resume_change_set
from admin_ext.audit.seals.findings import Report
from admin_ext.audit.seals.keys import key_id
from admin_ext.audit.seals.publishing import Publisher
from admin_ext.audit.seals.sealing import Sealer
from admin_ext.audit.seals.verifying import verify
from apps.customers.models import Customer
from opsadmin.database import SEALER
from tests import databases
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory

SMALL_BLOCK = 16


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def keys(key: Ed25519PrivateKey) -> dict[str, Any]:
    return {key_id(key.public_key()): key.public_key()}


@pytest.fixture
def publisher(tmp_path: Path, key: Ed25519PrivateKey) -> Publisher:
    return Publisher(tmp_path / "published", key=key)


@pytest.fixture
def open_sealer(key: Ed25519PrivateKey, publisher: Publisher) -> Iterator[Callable[[], Sealer]]:
    """Makes a sealer on the test's database, as its own role."""
    opened = []

    def open_sealer() -> Sealer:
        own = databases.connection_as(SEALER, autocommit=True)
        opened.append(own)
        return Sealer(own, key=key, publisher=publisher, leaves_in_a_block=SMALL_BLOCK)

    yield open_sealer
    for each in opened:
        each.close()


@pytest.fixture
def seal(open_sealer: Callable[[], Sealer]) -> Callable[..., int]:
    """Seals what was committed, and publishes; how many rows.

    A transaction that is open anywhere on the server, another suite's too, holds the sealer back: it is waited for.
    """
    sealers: list[Sealer] = []

    def seal(*, wait: bool = True) -> int:
        if not sealers:
            sealers.append(open_sealer())
            sealers[0].take_up()
        if wait:
            wait_for_horizon(sealers[0].connection)
        leaves = sealers[0].round().leaves
        sealers[0].publisher.flush()
        return leaves

    return seal


def wait_for_horizon(connection: psycopg.Connection, seconds: float = 120.0) -> None:
    """Wait until every transaction that has begun by now has ended."""
    begun = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())").fetchone()
    deadline = time.monotonic() + seconds
    while not connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s", begun).fetchone()[0]:
        assert time.monotonic() < deadline, "a transaction on this server does not end"
        time.sleep(0.02)


@pytest.fixture
def check(keys: dict[str, Any], publisher: Publisher) -> Callable[[], Report]:
    """Verifies the test's database as the runtime role."""

    def check(**options: Any) -> Report:
        with databases.connection_as("opsadmin_app", autocommit=True) as own:
            return verify(own, keys=keys, published=publisher, **options)

    return check


def write_something(count: int = 12) -> list[Customer]:
    """A record with creations, changes, deletions, a job and its change set."""
    actor = UserFactory()
    region = RegionFactory()
    customers = [CustomerFactory(region=region, credit_limit=100) for _ in range(count)]
    contacts = [ContactFactory(customer=each) for each in customers]
    with change_set(actor=actor, door="form", verb="tests.change", reason="Because", selection={"keys": [1, None]}):
        Customer.objects.update(credit_limit=F("credit_limit") + 1)
    with change_set(actor=actor, door="form", verb="tests.remove"):
        contacts[0].delete()
    job = open_change_set(actor=actor, door="import", verb="tests.load")
    with resume_change_set(job):
        Customer.objects.filter(pk=customers[0].pk).update(name="Loaded")
    finish_change_set(job, rows=1, counts={"updated": 1})
    return customers


@pytest.fixture
def record(transactional_db: None) -> list[Customer]:
    return write_something()

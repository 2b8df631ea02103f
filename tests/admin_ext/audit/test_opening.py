"""`BEGIN` and the act's name travel together; whoever asks the connection next collects the answer."""

from __future__ import annotations

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError, connection, transaction
from psycopg.pq import PipelineStatus, TransactionStatus

from admin_ext.audit import signing
from admin_ext.audit.context import change_set, current_act
from admin_ext.audit.models import ChangeSet
from apps.customers.models import Region
from tests.factories import RegionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def is_open():
    """Is the answer still under way?"""
    return connection.connection.pgconn.pipeline_status == PipelineStatus.ON


def is_idle():
    server = connection.connection.pgconn
    return (server.pipeline_status, server.transaction_status) == (PipelineStatus.OFF, TransactionStatus.IDLE)


@pytest.fixture
def region():
    return RegionFactory(name="Before")


def act(**said):
    return change_set(actor=None, door="command", verb="tests.open", **said)


def test_nobody_waits_for_the_answer_until_the_connection_is_asked(region):
    with act():
        assert is_open()
        Region.objects.filter(pk=region.pk).update(name="After")
        assert not is_open()
    assert region.history.first().change_set.verb == "tests.open"
    assert is_idle()


def test_who_asks_for_the_number_waits_for_it(region):
    with act() as opened:
        number = current_act().id
        assert not is_open() and opened.id == number
        Region.objects.filter(pk=region.pk).update(name="After")
    assert region.history.first().change_set_id == number


def test_an_act_that_asks_nothing_leaves_nothing():
    before = ChangeSet.objects.count()
    with act():
        pass
    assert is_idle()
    assert ChangeSet.objects.count() == before


def test_a_block_that_fails_at_once_is_rolled_back():
    with pytest.raises(ZeroDivisionError), act():
        1 / 0  # noqa: B018
    assert is_idle()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: connection.cursor().execute("SELECT 1"),
        lambda: connection.connection.execute("SELECT 1"),
        lambda: list(Region.objects.iterator(chunk_size=1)),
        lambda: connection.savepoint_commit(connection.savepoint()),
        lambda: signing.call_unsigned("opsadmin_finish", "{}", False),
    ],
    ids=["a cursor", "the driver", "a server-side cursor", "a savepoint", "a function"],
)
def test_whatever_is_asked_first_finds_the_act_begun(region, ask):
    with act():
        assert is_open()
        ask()
        assert not is_open()
        assert connection.connection.pgconn.transaction_status == TransactionStatus.INTRANS
    assert is_idle()


def test_copy_may_be_the_first_thing(region):
    with act(), connection.cursor() as cursor, cursor.copy("COPY customers_region (code, name) FROM STDIN") as copy:
        copy.write_row(("COPIED", "Copied"))
    assert Region.objects.get(code="COPIED").history.get().change_set.verb == "tests.open"


def test_a_claim_that_is_refused_is_refused_to_who_asks_first(region, settings):
    settings.AUDIT_CONTEXT_KEYS = ["a key that the database does not know"]
    with pytest.raises(ProgrammingError, match="not signed by a key that the database knows"), act():
        Region.objects.filter(pk=region.pk).update(name="After")
    assert is_idle()
    region.refresh_from_db()
    assert region.name == "Before"


def test_a_refused_claim_is_heard_of_at_the_end_at_the_latest(settings):
    settings.AUDIT_CONTEXT_KEYS = ["a key that the database does not know"]
    with pytest.raises(ProgrammingError, match="not signed by a key that the database knows"), act():
        pass
    assert is_idle()


def test_a_lost_connection_is_told_as_one(region):
    connection.cursor().execute("SELECT 1")
    connection.connection.pgconn.finish()
    with pytest.raises(OperationalError), act():
        Region.objects.filter(pk=region.pk).update(name="After")
    connection.close()


def test_a_connection_that_breaks_meanwhile_is_told_as_one(region):
    connection.cursor().execute("SELECT 1")
    server = connection.connection.pgconn
    with psycopg.connect(connection.connection.info.dsn) as other, pytest.raises(OperationalError), act():
        other.execute("SELECT pg_terminate_backend(%s)", [server.backend_pid])
        Region.objects.filter(pk=region.pk).update(name="After")
    connection.close()
    region.refresh_from_db()
    assert region.name == "Before"


def test_inside_a_transaction_the_act_is_begun_in_the_ordinary_way(region):
    with transaction.atomic():
        connection.cursor().execute("SELECT 1")
        with act():
            assert not is_open()
            Region.objects.filter(pk=region.pk).update(name="After")
    assert region.history.first().change_set.verb == "tests.open"

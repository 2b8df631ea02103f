"""What is erased is gone everywhere, the record says that it was, and verifying still answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet, Leaf, Tombstone
from admin_ext.audit.seals.erasing import retire_history
from apps.customers.models import Customer
from opsadmin.database import APP, OWNER
from tests import databases

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = {"reason": "Request of 3 March", "ordered_by": "Data protection officer"}


@pytest.fixture
def as_owner(transactional_db):
    """The commands log in as the owner; the test goes on as the runtime role."""
    name = connection.settings_dict["NAME"]
    databases.log_in_as(OWNER, name)
    yield
    databases.log_in_as(APP, name)


def everything(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT string_agg(r::text, ' ') FROM {table} r")
        return cursor.fetchone()[0] or ""


@pytest.fixture
def canary(record, seal):
    """A customer whose name stands in several history rows, some sealed and one not."""
    with change_set(actor=None, door="shell"):
        Customer.objects.filter(pk=record[1].pk).update(name="CANARY of Lund", email="canary@example.org")
        Customer.objects.filter(pk=record[1].pk).update(city="Lund")
    seal()
    with change_set(actor=None, door="shell"):
        Customer.objects.filter(pk=record[1].pk).update(fax="1")
    return record[1]


class TestErasing:
    def test_blanks_the_live_row_and_all_history_and_is_told(self, canary, as_owner, seal, check):
        call_command("erase_record", "customers.Customer", str(canary.pk), columns="name,email", **WORDS)

        assert "CANARY" not in everything("customers_customer") + everything("customers_historicalcustomer")
        assert "canary@" not in everything("customers_customer") + everything("customers_historicalcustomer")
        tombstone = Tombstone.objects.get()
        assert (tombstone.columns, tombstone.reason, tombstone.ordered_by) == (["name", "email"], *WORDS.values())
        assert ChangeSet.objects.filter(verb="audit.erase", reason=WORDS["reason"]).count() == 1
        sealed = Leaf.objects.filter(source__name="customers_historicalcustomer", row_id__in=tombstone.row_ids)
        assert sealed.exists()
        assert not sealed.exclude(salt=None).exists()
        seal()
        report = check()
        assert report.findings == []
        assert any(f"under tombstone {tombstone.pk}" in note for note in report.notes)

    def test_without_a_tombstone_it_is_a_finding(self, canary, check, seal):
        with databases.connection_as(None, autocommit=True) as root:
            root.execute("ALTER TABLE audit_leaf DISABLE TRIGGER ALL")
            root.execute("UPDATE audit_leaf SET salt = NULL WHERE seq = 7")
        assert "erased_without_tombstone" in check().counts

    @pytest.mark.parametrize(
        ("model", "key", "columns", "said"),
        [
            ("customers.Customer", "1", "region", "cannot be blank|Nothing was erased|knows no"),
            ("customers.Customer", "1", "credit_limit", "must hold a value"),
            ("customers.Customer", "1", "nothing", "has no column"),
            ("customers.Customer", "999999", "name", "knows no"),
            ("customers.Nobody", "1", "name", "no model"),
            ("sessions.Session", "1", "session_data", "not on the record"),
        ],
    )
    def test_says_why_it_cannot(self, as_owner, model, key, columns, said):
        with pytest.raises(CommandError, match=said):
            call_command("erase_record", model, key, columns=columns, **WORDS)
        assert not Tombstone.objects.exists()


class TestRetention:
    def test_removes_superseded_rows_only_and_is_told(self, record, seal, check, as_owner):
        seal()
        before = Customer.history.count()
        removed = retire_history(model=Customer, before=timezone.now() + timedelta(hours=1), **WORDS)

        assert removed == before - Customer.objects.count()
        assert {row.id for row in Customer.history.all()} == set(Customer.objects.values_list("pk", flat=True))
        seal()
        report = check()
        assert report.findings == []
        assert any(f"{removed:,} rows were erased or removed under tombstone" in note for note in report.notes)

    def test_what_is_younger_stays(self, record, as_owner):
        call_command("retire_audit", before="2020-01-01", **WORDS)
        assert not Tombstone.objects.exists()
        with pytest.raises(CommandError, match="past"):
            call_command("retire_audit", before="2999-01-01", **WORDS)

"""Whatever path a write takes, each changed row leaves one history row that names its act."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models import F

from admin_ext.audit.context import change_set, current_act
from admin_ext.audit.models import ChangeSet
from apps.customers.models import Customer, Region
from tests import databases
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return UserFactory()


@pytest.fixture
def region():
    return RegionFactory()


@pytest.fixture
def customers(region):
    return [CustomerFactory(region=region, credit_limit=100) for _ in range(3)]


def rows_of(act, model=Customer):
    return list(model.history.filter(change_set_id=act.id).order_by("history_id"))


WRITES = {
    "save": lambda rows: _save(rows[0]),
    "save with F": lambda rows: _save(rows[0], F("credit_limit") + 1),
    "update": lambda rows: Customer.objects.update(credit_limit=F("credit_limit") + 1),
    "bulk_update": lambda rows: _bulk_update(rows),
    "raw update": lambda rows: _execute("UPDATE customers_customer SET credit_limit = credit_limit + 1"),
    "delete": lambda rows: rows[0].delete(),
    "queryset delete": lambda rows: Customer.objects.all().delete(),
    "raw delete": lambda rows: _execute("DELETE FROM customers_customer"),
    "bulk_create": lambda rows: Customer.objects.bulk_create([Customer(code=f"B{n}", name="B") for n in range(3)]),
    "bulk_create upsert": lambda rows: Customer.objects.bulk_create(
        [Customer(code=row.code, name="upserted") for row in rows],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["name"],
    ),
    "copy": lambda rows: _copy(),
    "data-modifying CTE": lambda rows: _execute(
        "WITH gone AS (DELETE FROM customers_customer WHERE code = %s RETURNING id) "
        "UPDATE customers_customer SET name = 'cte' WHERE id NOT IN (SELECT id FROM gone)",
        rows[0].code,
    ),
    "merge": lambda rows: _execute(
        "MERGE INTO customers_customer c USING (VALUES (%s)) v(code) ON c.code = v.code "
        "WHEN MATCHED THEN UPDATE SET name = 'merged'",
        rows[0].code,
    ),
}
CHANGED = {"save": 1, "save with F": 1, "delete": 1, "merge": 1}


def _save(row, value=7):
    row.credit_limit = value
    row.save()


def _bulk_update(rows):
    for row in rows:
        row.credit_limit = 9
    Customer.objects.bulk_update(rows, ["credit_limit"])


def _execute(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _copy():
    columns = (
        "code, name, status, tax_number, credit_limit, currency, payment_terms_days, contact_name, contact_title, "
    )
    columns += "email, phone, fax, street, city, state, postal_code, country, brought_in"
    with connection.cursor() as cursor, cursor.copy(f"COPY customers_customer ({columns}) FROM STDIN") as copy:
        for n in range(3):
            copy.write_row((f"K{n}", "K", "active", "", 0, "EUR", 30, *[""] * 10, False))


class TestEveryWritePath:
    @pytest.mark.parametrize("path", WRITES)
    def test_leaves_one_history_row_per_changed_row_with_actor_and_act(self, path, actor, customers):
        with change_set(actor=actor, door="shell", verb="tests.write", reason="Because") as act:
            WRITES[path](customers)

        rows = rows_of(act)
        assert len({row.pk for row in rows}) == len(rows) == CHANGED.get(path, 3)
        assert all(row.history_user_id == actor.pk and row.xid and row.db_user == "opsadmin_app" for row in rows)
        written = ChangeSet.objects.get(pk=act.id)
        assert (written.actor, written.reason, written.rows) == (actor, "Because", len(rows))

    def test_a_cascade_is_on_the_record(self, actor, customers):
        contact = ContactFactory(customer=customers[0])
        with change_set(actor=actor, door="shell") as act:
            _execute("DELETE FROM customers_contact WHERE customer_id = %s", customers[0].pk)
            customers[0].delete()
        assert [row.id for row in rows_of(act, type(contact))] == [contact.pk]

    def test_names_the_columns_that_changed_and_raises_the_version_once(self, actor, customers):
        with change_set(actor=actor, door="form") as act:
            Customer.objects.filter(pk=customers[0].pk).update(name="New", city="Lund")
        (row,) = rows_of(act)
        assert sorted(row.changed) == ["city", "name"]
        assert row.version == 2 == Customer.objects.get(pk=customers[0].pk).version

    def test_one_row_then_many_in_one_session_stays_fast(self, actor, region):
        """The plan kept for one row must not be used for many (Note [enable_nestloop off])."""
        with change_set(actor=actor, door="shell"):
            Customer.objects.bulk_create([Customer(code=f"M{n}", name="M", region=region) for n in range(6000)])
            for _ in range(6):
                Customer.objects.filter(code="M1").update(payment_terms_days=F("payment_terms_days") + 1)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '5s'")
            Customer.objects.filter(code__startswith="M").update(city="Lund")

    def test_a_write_that_changes_nothing_writes_nothing(self, actor, customers):
        before = Customer.objects.get(pk=customers[0].pk)
        with change_set(actor=actor, door="form") as act:
            before.save()
            Customer.objects.update(name=F("name"))
        assert rows_of(act) == []
        assert not ChangeSet.objects.filter(pk=act.id).exists()
        assert Customer.objects.get(pk=before.pk).version == 1

    def test_a_rolled_back_savepoint_leaves_nothing(self, actor, customers):
        with change_set(actor=actor, door="shell") as act:
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                Customer.objects.update(name="gone")
                raise ZeroDivisionError
            Customer.objects.filter(pk=customers[0].pk).update(name="kept")
        assert len(rows_of(act)) == 1
        assert ChangeSet.objects.get(pk=act.id).rows == 1


class TestNoContextNoWrite:
    def test_the_runtime_role_is_refused_and_told_what_to_do(self, customers):
        with pytest.raises(ProgrammingError, match="No context, no write") as caught, transaction.atomic():
            Customer.objects.update(name="x")
        assert "change_set" in str(caught.value)

    def test_the_context_ends_with_the_act(self, actor, customers):
        with change_set(actor=actor, door="shell"):
            Customer.objects.update(name="x")
        with pytest.raises(ProgrammingError, match="No context"), transaction.atomic():
            Customer.objects.update(name="y")

    def test_a_statement_that_changes_no_recorded_column_passes(self, actor):
        type(actor).objects.filter(pk=actor.pk).update(last_login="2026-01-01T00:00Z")
        assert type(actor).objects.get(pk=actor.pk).version == 1

    def test_nested_acts_are_one(self, actor, customers):
        with change_set(actor=actor, door="form", verb="outer") as outer:
            with change_set(actor=actor, door="shell", verb="inner", reason="Said inside") as inner:
                Customer.objects.update(name="x")
            assert inner is outer is current_act()
        assert ChangeSet.objects.get(pk=outer.id).reason == "Said inside"


ATTACKS = [
    "UPDATE customers_historicalcustomer SET name = 'forged'",
    "DELETE FROM customers_historicalcustomer",
    "TRUNCATE customers_historicalcustomer",
    "TRUNCATE customers_customer CASCADE",
    "INSERT INTO customers_historicalcustomer (id, history_type, history_date) VALUES (1, '~', now())",
    "ALTER TABLE customers_customer DISABLE TRIGGER ALL",
    "ALTER TABLE customers_historicalcustomer DISABLE TRIGGER ALL",
    "DROP TABLE customers_historicalcustomer",
    "SET session_replication_role = replica",
    "SET ROLE opsadmin_owner",
    "SELECT opsadmin_recorded(1, 1, 'x')",
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    "DELETE FROM audit_changeset",
    "UPDATE audit_changeset SET actor_id = 1",
    "UPDATE audit_changeset SET rows = 0",
    "UPDATE customers_customer SET id = id + 1000",
    "UPDATE django_migrations SET name = 'x'",
]


class TestTheRecordIsAppendOnly:
    @pytest.mark.parametrize("attack", ATTACKS)
    def test_the_runtime_role_cannot(self, attack, actor, customers):
        with change_set(actor=actor, door="shell"):
            Customer.objects.update(name="x")
        with (
            pytest.raises((ProgrammingError, Exception)) as caught,
            transaction.atomic(),
            change_set(actor=actor, door="shell"),
        ):
            _execute(attack)
        assert type(caught.value).__module__.startswith("django.db")


@pytest.mark.django_db(transaction=True)
class TestTheOwnerInPsql:
    def test_is_recorded_as_door_sql_with_the_login(self):
        region = RegionFactory()
        with databases.owner_connection() as owner:
            owner.execute("UPDATE customers_region SET name = 'By hand'")
        row = Region.history.filter(id=region.pk).latest()
        assert (row.change_set.door, row.db_user, row.history_user_id) == ("sql", "opsadmin_owner", None)

    def test_cannot_change_history_either(self):
        RegionFactory()
        with databases.owner_connection() as owner, pytest.raises(Exception, match="append-only"):
            owner.execute("UPDATE customers_historicalregion SET name = 'x'")

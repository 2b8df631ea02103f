"""The past is what stood then, all of it and nothing else; and it can only be read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import NotSupportedError, ProgrammingError, connection, transaction
from django.utils import timezone

from admin_ext.audit.context import change_set
from admin_ext.audit.past import PastNotThere, as_of, day_looked_at, instant_looked_at, missing_views, past_models
from apps.accounts.models import User
from apps.customers.models import Contact, Customer
from apps.orders.models import Order
from opsadmin.database import APP, OWNER
from tests.apps.orders.factories import OrderLineFactory, ShipmentFactory
from tests.contracts.world import make, registered
from tests.databases import log_in_as, owner_connection
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory
from tests.moments import moment

pytestmark = pytest.mark.django_db


def changed(row, **values):
    with change_set(actor=None, door="shell"):
        type(row)._base_manager.filter(pk=row.pk).update(**values)


def deleted(row):
    with change_set(actor=None, door="shell"):
        row.delete()


def setting(name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true)", [name])
        return cursor.fetchone()[0]


class TestAsOf:
    def test_reads_each_version_while_it_stood(self):
        before = moment()
        customer = CustomerFactory(name="First")
        first = moment()
        changed(customer, name="Second")
        second = moment()
        deleted(customer)
        after = moment()
        found = []
        for instant in (before, first, second, after):
            with as_of(instant):
                found.append(list(Customer.objects.values_list("name", "version")))
        assert found == [[], [("First", 1)], [("Second", 2)], []]

    def test_includes_what_was_written_at_the_instant_itself(self):
        customer = CustomerFactory(name="First")
        changed(customer, name="Second")
        written_at = customer.history.latest().history_date
        with as_of(written_at):
            assert Customer.objects.get().name == "Second"
        with as_of(written_at - timedelta(microseconds=1)):
            assert Customer.objects.get().name == "First"

    def test_joins_filters_and_orders_in_the_past(self):
        north, south = RegionFactory(name="North"), RegionFactory(name="South")
        customer = CustomerFactory(region=north)
        contact = ContactFactory(customer=customer)
        then = moment()
        changed(customer, region=south)
        changed(north, name="Far north")
        with as_of(then):
            assert list(Contact.objects.filter(customer__region__name="North")) == [contact]
            assert Customer.objects.select_related("region").get().region.name == "North"
        assert not Contact.objects.filter(customer__region__name="North")

    def test_people_and_what_they_may_do_are_those_of_now(self):
        person = UserFactory(first_name="Old")
        then = moment()
        changed(person, first_name="New")
        with as_of(then):
            assert User.objects.get(pk=person.pk).first_name == "New"

    def test_at_this_moment_every_view_shows_its_table(self):
        """Whatever a table can hold comes back from history in the table's own types."""
        for model_admin in registered():
            if model_admin.model in past_models():
                make(model_admin.model)
        ShipmentFactory(order=OrderLineFactory().order)
        live = {model: _contents(model) for model in past_models()}
        assert sum(1 for rows in live.values() if rows) > 12
        with as_of(moment()):
            past = {model: _contents(model) for model in past_models()}
        assert past == live

    def test_says_what_is_looked_at_and_on_which_day(self):
        instant = timezone.now() - timedelta(days=40)
        with as_of(instant):
            assert (instant_looked_at(), day_looked_at()) == (instant, instant.date())
        assert (instant_looked_at(), day_looked_at()) == (None, timezone.localdate())


def _contents(model):
    names = [field.attname for field in model._meta.concrete_fields]
    return {row["id"]: row for row in model._base_manager.values(*names)}


class TestTheWayBack:
    @pytest.mark.parametrize("fails", [False, True])
    def test_everything_is_as_before(self, fails):
        def state():
            return [setting(name) for name in ("search_path", "transaction_read_only", "opsadmin.as_of")]

        before = [state()[0], "off", state()[2]]
        try:
            with as_of(moment()):
                assert setting("transaction_read_only") == "on"
                if fails:
                    Customer.objects.extra(where=["nonsense"]).count()
        except ProgrammingError:
            assert fails
        assert [each or None for each in state()] == [each or None for each in before]
        assert instant_looked_at() is None
        assert CustomerFactory().pk

    def test_one_instant_inside_another_comes_back_to_the_outer(self):
        early = moment()
        CustomerFactory()
        late = moment()
        with as_of(late):
            with as_of(early):
                assert Customer.objects.count() == 0
            assert (Customer.objects.count(), instant_looked_at()) == (1, late)

    @pytest.mark.django_db(transaction=True)
    def test_it_comes_back_in_a_transaction_of_its_own_too(self):
        with as_of(moment()):
            assert "asof" in setting("search_path")
        assert not connection.in_atomic_block
        assert "asof" not in setting("search_path")


class TestNothingIsWritten:
    def test_not_by_the_orm(self):
        customer = CustomerFactory()
        with pytest.raises(ProgrammingError), as_of(moment()):
            Customer.objects.filter(pk=customer.pk).update(name="Rewritten")
        with (
            pytest.raises(RuntimeError, match="middle of a change"),
            change_set(actor=None, door="shell"),
            as_of(moment()),
        ):
            pass

    @pytest.mark.parametrize("write", ["UPDATE {} SET id = id", "DELETE FROM {}", "INSERT INTO {} (id) VALUES (1)"])
    def test_not_into_the_views_themselves(self, write):
        for model in past_models():
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                connection.cursor() as cursor,
                transaction.atomic(),
            ):
                cursor.execute(write.format(f'asof."{model._meta.db_table}"'))

    def test_nor_can_the_runtime_role_make_or_replace_a_view(self):
        for statement in (
            "CREATE VIEW asof.more AS SELECT 1",
            "CREATE OR REPLACE VIEW asof.customers_customer AS SELECT * FROM public.customers_customer",
            "DROP SCHEMA asof CASCADE",
            "CREATE OR REPLACE FUNCTION asof.opsadmin_as_of() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        ):
            with pytest.raises(ProgrammingError), connection.cursor() as cursor, transaction.atomic():
                cursor.execute(statement)


class TestTheViews:
    def test_there_is_one_for_every_record_but_people(self):
        from admin_ext.filtering.models import SavedView
        from admin_ext.jobs.models import Schedule
        from admin_ext.models import Attachment, Note, Record
        from admin_ext.transfers.models import ExportDefinition

        records = {model for model in _concrete() if issubclass(model, Record)}
        questions = {SavedView, ExportDefinition, Schedule}
        assert set(past_models()) == (records | {Note, Attachment}) - {User} - questions
        with connection.cursor() as cursor:
            assert missing_views(cursor) == []

    def test_no_table_that_rights_are_read_from_has_a_past(self):
        for model in past_models():
            assert "grant" not in model._meta.db_table
            assert model._meta.app_label not in ("auth", "guardian")
        assert not {"Membership", "Role", "RolePermission", "User"} & {model.__name__ for model in past_models()}

    @pytest.mark.django_db(transaction=True)
    def test_without_a_view_the_present_is_not_taken_for_the_past(self):
        CustomerFactory()
        with owner_connection() as owner:
            owner.execute("DROP VIEW asof.customers_customer")
        with pytest.raises(PastNotThere, match="migrated"), as_of(moment()):
            pass
        with connection.cursor() as cursor:
            assert missing_views(cursor) == ["customers_customer"]

    def test_one_row_is_found_by_its_index(self):
        customer = CustomerFactory()
        with as_of(moment()), connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            plan = Customer.objects.filter(pk=customer.pk).order_by().explain()
        assert plan.count("Index") >= 2 and "Seq Scan" not in plan, plan


def _concrete():
    return [model for model in apps.get_models() if not model._meta.proxy]


def test_a_pattern_app_reads_an_order_with_its_lines_as_it_was():
    line = OrderLineFactory(quantity=2)
    then = moment()
    changed(line, quantity=5)
    with as_of(then):
        assert list(Order.objects.get(pk=line.order_id).lines.values_list("quantity", flat=True)) == [2]


@pytest.mark.django_db(transaction=True)
def test_a_migration_may_change_what_the_views_show():
    """They go before it and come back after it, readable and no more."""
    name = connection.settings_dict["NAME"]
    CustomerFactory(code="KEPT")
    then = moment()
    log_in_as(OWNER, name)
    try:
        with pytest.raises(NotSupportedError, match="used by a view"):
            _widen()
        emit_pre_migrate_signal(verbosity=0, interactive=False, db="default")
        _widen()
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    finally:
        log_in_as(APP, name)
    with as_of(then):
        assert Customer.objects.get().code == "KEPT"
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM asof.customers_customer")


def _widen():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers_historicalcustomer ALTER city TYPE varchar(300)")

"""A column added later breaks no seal and raises no alarm; a value changed behind its back does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import connection, models
from django.db.migrations.operations import AddField

from admin_ext.audit.history import History
from admin_ext.audit.models import RecordedColumn
from admin_ext.audit.seals.columns import note_new_columns
from admin_ext.audit.seals.findings import Tampering
from apps.customers.models import Region
from opsadmin.database import APP, OWNER
from tests import databases

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def added(record, seal):
    """`customers.Region.name` as if a migration had just added it: history rows from before do not carry it."""
    with databases.connection_as(None, autocommit=True) as root:
        root.execute("ALTER TABLE customers_historicalregion DISABLE TRIGGER ALL")
        root.execute("UPDATE customers_historicalregion SET name = NULL")
        root.execute("ALTER TABLE customers_historicalregion ENABLE TRIGGER ALL")
        for (trigger,) in root.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'customers_historicalregion'::regclass AND NOT tgisinternal"
        ).fetchall():
            root.execute(f'ALTER TABLE customers_historicalregion ENABLE ALWAYS TRIGGER "{trigger}"')


def migrate() -> None:
    """What `migrate` tells its receivers when it has added the column."""
    migration = SimpleNamespace(
        app_label="customers", operations=[AddField("historicalregion", "name", models.CharField(max_length=9))]
    )
    name = connection.settings_dict["NAME"]
    databases.log_in_as(OWNER, name)
    note_new_columns(plan=[(migration, False)])
    databases.log_in_as(APP, name)


def test_what_existing_rows_got_is_noted_and_compared(added, seal, check):
    assert Tampering.LIVE_DIFFERS in check().counts
    migrate()
    noted = RecordedColumn.objects.get()
    assert (noted.column, noted.uniform, noted.value) == ("name", True, Region.objects.get().name)
    seal()
    assert check().findings == []

    with databases.connection_as(None, autocommit=True) as root:
        root.execute("ALTER TABLE customers_region DISABLE TRIGGER ALL")
        root.execute("UPDATE customers_region SET name = 'Behind its back'")
    assert check().counts[Tampering.LIVE_DIFFERS] == 1


def test_a_retired_column_stays_in_history_alone():
    fields = History(retired={"telex": models.CharField(max_length=9)}).copy_fields(Region)
    assert fields["telex"].null
    assert fields["telex"].column == "telex"
    assert "telex" not in {field.name for field in Region._meta.fields}


def test_a_column_added_to_a_history_table_breaks_no_seal(record, seal, check):
    seal()
    with databases.owner_connection() as owner:
        owner.execute("ALTER TABLE customers_historicalcustomer ADD COLUMN planted integer")
        owner.execute("ALTER TABLE audit_changeset ADD COLUMN planted jsonb")
    assert check().findings == []

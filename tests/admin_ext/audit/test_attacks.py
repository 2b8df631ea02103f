"""The record is attacked by whoever has become the runtime role: no statement alters it, forges it or names another.

Each attack is one or more statements in a transaction of their own; the last one must be refused by the database, and
for those that the database lets run, nothing may be different afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest
from django.db import DatabaseError, connection, transaction

from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.signing import application_keys, call_unsigned
from apps.customers.models import Customer
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

H = "customers_historicalcustomer"
C = "customers_customer"
WRITE = f"UPDATE {C} SET city = 'forged'"

FORGED_ROW = f"INSERT INTO {H} (id, name, history_date, history_type, history_user_id) VALUES (1, 'x', now(), '+', 1)"
FORGED_ACT = (
    "INSERT INTO audit_changeset (id, actor_id, door, verb, reason, ticket, file_sha256, rows, counts, db_user, "
    "lasting, asks_reason, finished_at) VALUES (999999, 1, 'form', '', '', '', '', 0, '{}', '', false, false, now())"
)

ATTACKS: dict[str, list[str]] = {
    # history rows
    "insert a history row": [FORGED_ROW],
    "update a history row": [f"UPDATE {H} SET name = 'x'"],
    "update its actor": [f"UPDATE {H} SET history_user_id = 1"],
    "update its change set": [f"UPDATE {H} SET change_set_id = 1"],
    "update its transaction": [f"UPDATE {H} SET xid = 1"],
    "delete history rows": [f"DELETE FROM {H}"],
    "truncate history": [f"TRUNCATE {H}"],
    "truncate history with cascade": [f"TRUNCATE {H} CASCADE"],
    "drop history": [f"DROP TABLE {H}"],
    "rename history": [f"ALTER TABLE {H} RENAME TO gone"],
    "drop a column of history": [f"ALTER TABLE {H} DROP COLUMN name"],
    "add a column to history": [f"ALTER TABLE {H} ADD COLUMN x int"],
    "copy into history": [f"COPY {H} (id, name) FROM PROGRAM 'echo 1'"],
    "lock history": [f"LOCK TABLE {H} IN ACCESS EXCLUSIVE MODE"],
    "merge into history": [f"MERGE INTO {H} h USING (VALUES (1)) v(id) ON h.id = v.id WHEN MATCHED THEN DELETE"],
    "select history for update": [f"SELECT * FROM {H} FOR UPDATE"],
    "upsert a history row": [f"{FORGED_ROW} ON CONFLICT DO NOTHING"],
    "hide a write to history in a CTE": [f"WITH x AS (DELETE FROM {H} RETURNING 1) SELECT count(*) FROM x"],
    # triggers
    "disable a capture trigger": [f"ALTER TABLE {C} DISABLE TRIGGER ALL"],
    "disable user triggers": [f"ALTER TABLE {C} DISABLE TRIGGER USER"],
    "disable the append-only trigger": [f"ALTER TABLE {H} DISABLE TRIGGER ALL"],
    "make triggers ordinary": [f"ALTER TABLE {C} ENABLE REPLICA TRIGGER ALL"],
    "drop a capture trigger": [
        "DO $$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON customers_customer', tgname) FROM pg_trigger "
        "WHERE tgrelid = 'customers_customer'::regclass AND NOT tgisinternal LIMIT 1); END $$"
    ],
    "replication role": ["SET session_replication_role = 'replica'", WRITE],
    "local replication role": ["SET LOCAL session_replication_role = 'replica'"],
    "replication role by function": ["SELECT set_config('session_replication_role', 'replica', true)"],
    "pgtrigger's ignore": ["SELECT set_config('pgtrigger.ignore', '{customers_customer:record_update}', true)", WRITE],
    "a rule in place of a trigger": [f"CREATE RULE r AS ON UPDATE TO {C} DO INSTEAD NOTHING"],
    "inherit from a recorded table": [f"CREATE TABLE child () INHERITS ({C})"],
    "a temporary table of the same name": [f"CREATE TEMP TABLE {C} (id int)"],
    "a view of the same name first on the path": ["CREATE SCHEMA evil"],
    "a function of a name that triggers call": [
        "CREATE FUNCTION public.opsadmin_act(OUT a bigint, OUT b bigint) AS 'SELECT 1::bigint, 1::bigint' LANGUAGE sql"
    ],
    "an operator in public": ["CREATE FUNCTION public.evil(text, text) RETURNS boolean AS 'SELECT true' LANGUAGE sql"],
    "truncate a recorded table": [f"TRUNCATE {C} CASCADE"],
    "change a primary key": ["@begin", f"UPDATE {C} SET id = id + 1000000"],
    # context
    "write without a context": [WRITE],
    "delete without a context": [f"DELETE FROM {C}"],
    "insert without a context": [f"INSERT INTO {C} (code, name) VALUES ('X', 'X')"],
    "write with a context set by hand": ["SELECT set_config('opsadmin.act', '1|1||form|f|0|00', true)", WRITE],
    "write with an old form of context": ["SELECT set_config('opsadmin.act', '1|1', true)", WRITE],
    "write with an empty signature": ["SELECT set_config('opsadmin.act', '1|1||form|f|0|', true)", WRITE],
    "change the actor of one's own act": [
        "@begin",
        "SELECT set_config('opsadmin.act', regexp_replace(current_setting('opsadmin.act'), '^(\\d+)\\|\\d*', '\\1|1'), "
        "true)",
        WRITE,
    ],
    "change the change set of one's own act": [
        "@begin",
        "SELECT set_config('opsadmin.act', regexp_replace(current_setting('opsadmin.act'), '^\\d+', '1'), true)",
        WRITE,
    ],
    "change the door of one's own act": [
        "@begin",
        "SELECT set_config('opsadmin.act', replace(current_setting('opsadmin.act'), '|shell|', '|import|'), true)",
        WRITE,
    ],
    "make one's own act lasting": [
        "@begin",
        "SELECT set_config('opsadmin.act', replace(current_setting('opsadmin.act'), '|f|', '|t|'), true)",
        WRITE,
    ],
    "begin an act without a signature": ['SELECT public.opsadmin_begin(\'{"actor": 1, "door": "form"}\', \'\')'],
    "begin an act with a wrong signature": [
        'SELECT public.opsadmin_begin(\'{"actor": 1, "door": "form"}\', sha256(\'x\'))'
    ],
    "begin an act with a signature of null": ["SELECT public.opsadmin_begin('{\"actor\": 1}', NULL)"],
    "end an act that was not begun": ["SELECT public.opsadmin_finish('{}', true)"],
    "complete an act that does not last": ["@begin", "SELECT public.opsadmin_complete(1, '{}')"],
    "sign for oneself": ["SELECT public.opsadmin_name_act('1|1||form|f|0', '{}')"],
    "ask for a signature of one's own": ["SELECT public.opsadmin_hmac('transaction', 'x')"],
    "write a change set by the owner's function": [
        "SELECT public.opsadmin_write_change_set(ARRAY['1','1','','form','f'], '{}', 0, true)"
    ],
    "count rows by hand": ["SELECT public.opsadmin_recorded(1, 1, 'customers_customer')"],
    "read the keys": ["SELECT * FROM audit_contextkey"],
    "read the keys by a function of the catalogue": [
        "SELECT * FROM query_to_xml('SELECT * FROM audit_contextkey', true, false, '')"
    ],
    "replace the keys": ["INSERT INTO audit_contextkey (purpose, inner_pad, outer_pad) VALUES ('application', '', '')"],
    "delete the keys": ["DELETE FROM audit_contextkey"],
    # change sets, access events, tombstones, rules
    "insert a change set": [FORGED_ACT],
    "change who did it": ["UPDATE audit_changeset SET actor_id = 1"],
    "change why": ["UPDATE audit_changeset SET reason = 'x'"],
    "change the counts": ["UPDATE audit_changeset SET rows = 0, counts = '{}'"],
    "finish an act by hand": ["UPDATE audit_changeset SET finished_at = now()"],
    "delete change sets": ["DELETE FROM audit_changeset"],
    "truncate change sets": ["TRUNCATE audit_changeset CASCADE"],
    "reset the numbers of change sets": ["ALTER SEQUENCE audit_changeset_id_seq RESTART"],
    "insert an access event": ["INSERT INTO audit_accessevent (kind, at) VALUES ('login', now())"],
    "update access events": ["UPDATE audit_accessevent SET actor_id = 1"],
    "delete access events": ["DELETE FROM audit_accessevent"],
    "note an access of somebody else's": ["SELECT public.opsadmin_note_access('{\"actor\": 1}', sha256('x'))"],
    "name a tombstone": ["SELECT set_config('opsadmin.tombstone', '1', true)", f"DELETE FROM {H}"],
    "write a tombstone": ["INSERT INTO audit_tombstone (kind) VALUES ('erasure')"],
    "lift a rule about reasons": ["DELETE FROM audit_reasonrule"],
    "change a rule about reasons": ["UPDATE audit_reasonrule SET columns = '{}'"],
    # becoming somebody else
    "become the owner": ["SET ROLE opsadmin_owner"],
    "become the owner for the session": ["SET SESSION AUTHORIZATION opsadmin_owner"],
    "become a superuser": ["ALTER ROLE opsadmin_app SUPERUSER"],
    "join the owner": ["GRANT opsadmin_owner TO opsadmin_app"],
    "take the table": [f"ALTER TABLE {H} OWNER TO opsadmin_app"],
    "grant oneself more": [f"GRANT ALL ON {H} TO opsadmin_app", f"DELETE FROM {H}"],
    "make a function as the owner": [
        "CREATE FUNCTION public.f() RETURNS void SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"
    ],
    "turn off the owner's path": ["ALTER FUNCTION public.opsadmin_act() SET search_path = evil"],
    "replace a function of the record": [
        "CREATE OR REPLACE FUNCTION public.opsadmin_finish(said jsonb, always boolean) RETURNS bigint LANGUAGE sql "
        "AS 'SELECT 0::bigint'"
    ],
    "call a capture trigger by hand": [
        "DO $$ BEGIN EXECUTE (SELECT format('SELECT public.%I()', proname) FROM pg_proc WHERE proname LIKE "
        "'pgtrigger_record_update%' LIMIT 1); END $$"
    ],
    "write files": ["COPY (SELECT 1) TO '/tmp/opsadmin-attack'"],
    "load a library": ["LOAD 'auto_explain'"],
    "make an extension": ["CREATE EXTENSION dblink"],
    "an event trigger of one's own": [
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_catalog.event_trigger_fdw_check()"
    ],
}


@pytest.fixture
def actor():
    return UserFactory()


@pytest.fixture
def customer(actor):
    customer = CustomerFactory(city="Oslo")
    with change_set(actor=actor, door="form", verb="customers.change_customer", reason="Moved"):
        Customer.objects.filter(pk=customer.pk).update(city="Bergen")
    return customer


def state() -> str:
    """All that an attack might have altered, as one digest."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in (H, C, "audit_changeset", "audit_accessevent", "audit_tombstone", "audit_reasonrule"):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') FROM {table} t")
            digest.update(cursor.fetchone()[0].encode())
        cursor.execute(
            "SELECT string_agg(tgrelid::regclass || tgname || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger"
        )
        digest.update(cursor.fetchone()[0].encode())
    return digest.hexdigest()


def begin(**claim) -> int:
    """An act of nobody's, begun as the product does."""
    return sign({"actor": None, "door": "shell", **claim})


def sign(claim, *, purpose="act", function="opsadmin_begin", at=None):
    text = json.dumps({**claim, "at": time.time() if at is None else at})
    signature = hmac.digest(application_keys()[0], f"{purpose}|{text}".encode(), "sha256")
    return call_unsigned(function, text, signature)


def test_there_are_enough_of_them():
    assert len(ATTACKS) >= 80


@pytest.mark.parametrize("name", ATTACKS)
def test_the_runtime_role_cannot(name, customer):
    before = state()
    *first, last = ATTACKS[name]
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        for statement in first:
            if statement == "@begin":
                begin()
            else:
                cursor.execute(statement)
        cursor.execute(last)
    assert state() == before


class TestSignedClaims:
    def test_a_claim_holds_for_its_purpose_alone(self, customer):
        with pytest.raises(DatabaseError, match="not signed"), transaction.atomic():
            sign({"actor": 1, "door": "form"}, purpose="access")

    def test_a_claim_of_yesterday_is_void(self, customer):
        with pytest.raises(DatabaseError, match="too old"), transaction.atomic():
            sign({"actor": 1, "door": "form"}, at=time.time() - 86_400)

    def test_a_changed_claim_is_void(self, customer):
        text = json.dumps({"actor": None, "door": "shell", "at": time.time()})
        signature = hmac.digest(application_keys()[0], f"act|{text}".encode(), "sha256")
        with pytest.raises(DatabaseError, match="not signed"), transaction.atomic():
            call_unsigned("opsadmin_begin", text.replace("null", "1"), signature)

    @pytest.mark.django_db(transaction=True)
    def test_a_context_copied_into_another_transaction_is_void(self):
        with transaction.atomic(), connection.cursor() as cursor:
            begin()
            cursor.execute("SELECT current_setting('opsadmin.act')")
            copied = cursor.fetchone()[0]
        refused = pytest.raises(DatabaseError, match="not begun in this transaction")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('opsadmin.act', %s, true)", [copied])
            cursor.execute("INSERT INTO customers_region (code, name) VALUES ('X', 'X')")

    def test_what_is_written_names_the_signed_actor_whatever_the_settings_say(self, actor, customer):
        with change_set(actor=actor, door="form", reason="Mine") as act, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('opsadmin.rows', '99', true)")
            cursor.execute("SELECT set_config('opsadmin.story', '{\"actor\": 1, \"started\": 0}', true)")
            Customer.objects.filter(pk=customer.pk).update(city="Lund")
        written = ChangeSet.objects.get(pk=act.id)
        assert written.actor == actor
        assert customer.history.first().history_user_id == actor.pk

    def test_an_act_that_nobody_ended_is_complete_when_its_transaction_ends(self, customer):
        with transaction.atomic(), connection.cursor() as cursor:
            act = begin()
            cursor.execute(WRITE)
            once = ChangeSet.objects.get(pk=act)
            assert once.finished_at is not None and once.rows == Customer.objects.count()
            cursor.execute("INSERT INTO customers_region (code, name) VALUES ('X', 'X')")
            assert ChangeSet.objects.get(pk=act).finished_at is None
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        written = ChangeSet.objects.get(pk=act)
        assert written.finished_at > once.finished_at and written.rows == Customer.objects.count() + 1

    def test_an_act_whose_rows_are_said_to_be_counted_is_written_all_the_same(self, actor, customer):
        with transaction.atomic(), connection.cursor() as cursor:
            act = begin()
            cursor.execute("SELECT set_config('opsadmin.rows', '99', true)")
            cursor.execute(WRITE)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert ChangeSet.objects.get(pk=act).finished_at is not None
        assert customer.history.first().change_set_id == act

    def test_other_sessions_of_the_role_do_not_find_claims(self):
        begin()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%\"door\"%%' AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] == 0

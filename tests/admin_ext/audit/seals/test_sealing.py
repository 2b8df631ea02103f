"""Everything that was committed is sealed exactly once, whoever else writes meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.db import connection

from admin_ext.audit.context import change_set, finish_change_set, open_change_set
from admin_ext.audit.models import Block, ChangeSet, Leaf
from admin_ext.audit.seals.following import follow
from admin_ext.audit.seals.keys import KeyIsThere, make_key, read_key
from admin_ext.audit.seals.publishing import PublishedDiffers
from admin_ext.audit.seals.sealing import AnotherSealer, NewEpochNeeded
from admin_ext.audit.seals.sources import sources
from admin_ext.audit.seals.standing import seal_lag
from apps.customers.models import Region
from benchmarks.sealing import race
from opsadmin.database import APP, OWNER, SEALER
from tests import databases
from tests.factories import RegionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def rows_of_the_record() -> int:
    with connection.cursor() as cursor:
        counts = " UNION ALL ".join(
            f"SELECT count(*) AS n FROM {source.table} r WHERE {source.complete}" for source in sources().values()
        )
        cursor.execute(f"SELECT sum(n) FROM ({counts}) c")
        return int(cursor.fetchone()[0])


class TestSealing:
    def test_every_row_gets_one_leaf_without_a_gap(self, record, seal):
        assert seal() == rows_of_the_record() == Leaf.objects.count()
        assert list(Leaf.objects.order_by("seq").values_list("seq", flat=True)) == list(
            range(1, Leaf.objects.count() + 1)
        )
        assert Block.objects.count() >= 5
        assert sum(Block.objects.values_list("size", flat=True)) == Leaf.objects.count()

    def test_an_empty_round_writes_nothing(self, record, seal):
        seal()
        blocks = Block.objects.count()
        assert seal(wait=False) == seal(wait=False) == 0
        assert Block.objects.count() == blocks

    def test_only_what_is_new_is_sealed_next(self, record, seal):
        seal()
        with change_set(actor=None, door="shell"):
            record[0].delete()
        before = Leaf.objects.count()
        added = seal()
        assert added > 1
        assert before + added == Leaf.objects.count() == rows_of_the_record()

    def test_a_transaction_that_is_open_holds_back_what_came_after_it(self, record, seal):
        """Its row has the lower id and becomes visible later: a cursor over ids would lose it."""
        seal()
        with databases.owner_connection() as slow:
            slow.execute("UPDATE customers_region SET name = 'Slow'")
            RegionFactory(name="Quick")
            assert seal(wait=False) == 0
            slow.commit()
        seal()
        assert Leaf.objects.count() == rows_of_the_record()

    def test_what_was_rolled_back_leaves_no_leaf(self, record, seal, check):
        seal()
        with databases.owner_connection() as other:
            other.execute("UPDATE customers_region SET name = 'Never'")
            other.rollback()
        RegionFactory()
        seal()
        assert Leaf.objects.count() == rows_of_the_record()
        assert check().intact

    def test_the_change_set_of_a_job_is_sealed_when_the_job_has_ended(self, record, seal, check):
        job = open_change_set(actor=None, door="import", verb="tests.long")
        seal()
        assert not Leaf.objects.filter(source__name="audit_changeset", row_id=job.pk).exists()
        assert check().intact
        finish_change_set(job, rows=0, counts={})
        seal()
        assert Leaf.objects.filter(source__name="audit_changeset", row_id=job.pk).exists()
        assert check().intact
        assert ChangeSet.objects.get(pk=job.pk).finished_at

    def test_two_sealers_do_not_work_at_once(self, record, open_sealer):
        open_sealer().take_up()
        with pytest.raises(AnotherSealer):
            open_sealer().take_up()


class TestManyWriters:
    def test_while_they_write_and_roll_back_nothing_is_missed_or_twice(self, record, tmp_path):
        """The whole of it, with 200,000 events and two minutes: `./dev bench seal`."""
        result = race(
            sealer_login=databases.connection_as(SEALER, autocommit=True),
            owner_login=databases.connection_as(OWNER, autocommit=True),
            directory=tmp_path / "race",
            events=2_000,
            writers=8,
            open_seconds=2,
        )
        assert result["events"] >= 2_000
        assert (result["missed"], result["twice"], result["gaps"]) == (0, 0, 0)
        assert result["leaves"] == result["rows"]
        # The race was one: who trusts the order of ids loses rows.
        assert result["naive_cursor_missed"] > 0


class TestPublishing:
    def test_a_sealer_that_was_killed_before_it_published_catches_up(self, record, open_sealer, publisher, check):
        killed = open_sealer()
        killed.take_up()
        killed.publisher = Forgetful()
        killed.round()
        killed.connection.close()
        assert publisher.newest() is None
        open_sealer().take_up()
        assert publisher.newest().block == Block.objects.latest().number
        assert publisher.count() == Leaf.objects.count()
        assert check().intact

    def test_checkpoints_are_kept_by_number_at_most_once_a_minute(self, record, open_sealer, publisher):
        sealer = open_sealer()
        sealer.take_up()
        for _ in range(3):
            sealer.round()
            RegionFactory()
        assert len(list(publisher.directory.glob("checkpoint-*.txt"))) == 1
        sealer.publisher.flush()
        assert (publisher.directory / f"checkpoint-{Block.objects.latest().number}.txt").exists()

    def test_a_changed_copy_stops_the_sealer(self, record, seal, open_sealer, publisher):
        seal()
        leaves = publisher.directory / "leaves-0000.bin"
        leaves.write_bytes(leaves.read_bytes() + bytes(32))
        RegionFactory()
        with pytest.raises(PublishedDiffers, match="published otherwise"):
            seal()

    def test_a_changed_chain_stops_the_sealer(self, record, seal):
        seal()
        with databases.connection_as(None, autocommit=True) as root:
            root.execute("ALTER TABLE audit_block DISABLE TRIGGER ALL")
            root.execute(
                "UPDATE audit_block SET horizon = horizon + 5 WHERE number = (SELECT max(number) FROM audit_block)"
            )
        RegionFactory()
        with pytest.raises(PublishedDiffers, match="not the one that was published"):
            seal()


class Forgetful:
    """Stands for a sealer that was killed between commit and publishing."""

    def newest(self):
        return None

    def publish(self, cursor, headers):
        pass


class TestRestore:
    @pytest.fixture
    def restored(self, record, seal):
        """The record as it was before the last blocks, as a restore leaves it."""
        seal()
        kept = Block.objects.latest()
        for _ in range(3):
            RegionFactory()
            seal()
        lost = Block.objects.latest()
        with databases.connection_as(None, autocommit=True) as root:
            root.execute("ALTER TABLE audit_block DISABLE TRIGGER ALL")
            root.execute("ALTER TABLE audit_leaf DISABLE TRIGGER ALL")
            root.execute("DELETE FROM audit_block WHERE number > %s", [kept.number])
            root.execute("DELETE FROM audit_leaf WHERE seq >= %s", [kept.first_seq + kept.size])
            for name in ("audit_block", "audit_leaf"):
                for (trigger,) in root.execute(
                    "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass", [name]
                ).fetchall():
                    root.execute(f'ALTER TABLE {name} ENABLE ALWAYS TRIGGER "{trigger}"')
        return kept, lost

    def test_the_lost_range_is_reported_exactly(self, restored, check):
        kept, lost = restored
        report = check()
        (cut,) = [each for each in report.findings if each.kind == "tail_cut"]
        assert cut.seq == kept.first_seq + kept.size
        assert f"blocks {kept.number + 1} to {lost.number}" in cut.detail
        assert f"leaves {cut.seq} to {lost.first_seq + lost.size - 1}" in cut.detail

    def test_the_sealer_goes_on_only_in_a_new_epoch_that_says_why(self, restored, open_sealer, check):
        kept, lost = restored
        sealer = open_sealer()
        with pytest.raises(NewEpochNeeded, match="restored from a backup"):
            sealer.round()
        header = sealer.new_epoch("Restored the backup of Monday")
        assert (header.epoch, header.number, header.first_seq) == (2, lost.number + 1, lost.first_seq + lost.size)
        sealer.round()
        report = check()
        assert report.findings == []
        (note,) = [each for each in report.notes if "Monday" in each]
        assert f"lost: blocks {kept.number + 1} to {lost.number}" in note
        assert Leaf.objects.count() == rows_of_the_record()

    def test_another_server_needs_a_new_epoch_too(self, record, seal, open_sealer, publisher):
        seal()
        with databases.connection_as(None, autocommit=True) as root:
            root.execute("ALTER TABLE audit_block DISABLE TRIGGER ALL")
            root.execute("UPDATE audit_block SET cluster = cluster + 1")
        (publisher.directory / "latest.txt").unlink()
        with pytest.raises(NewEpochNeeded, match="not the server"):
            open_sealer().round()


class TestLag:
    def test_is_the_age_of_the_oldest_row_without_a_seal(self, record, seal):
        assert 0 < seal_lag() < 120
        seal()
        assert seal_lag() == 0
        with databases.owner_connection() as slow:
            slow.execute("UPDATE customers_region SET name = 'Slow'")
            RegionFactory()
            seal(wait=False)
            assert seal_lag() > 0


class TestFollowing:
    def test_seals_until_it_is_told_to_stop(self, record, open_sealer, publisher):
        stop = threading.Event()
        running = threading.Thread(target=follow, args=[open_sealer], kwargs={"every": 0.05, "stop": stop})
        running.start()
        RegionFactory(name="While it runs")
        deadline = threading.Event()
        for _ in range(600):
            if Leaf.objects.count() == rows_of_the_record():
                break
            deadline.wait(0.1)
        stop.set()
        running.join(timeout=10)
        assert not running.is_alive()
        assert Leaf.objects.count() == rows_of_the_record()
        assert (publisher.directory / f"checkpoint-{Block.objects.latest().number}.txt").exists()


class TestKey:
    def test_is_readable_by_its_account_alone_and_never_overwritten(self, tmp_path: Path):
        key = make_key(tmp_path / "a" / "sealing.pem")
        assert (tmp_path / "a" / "sealing.pem").stat().st_mode & 0o777 == 0o600
        assert read_key(tmp_path / "a" / "sealing.pem").private_bytes_raw() == key.private_bytes_raw()
        with pytest.raises(KeyIsThere):
            make_key(tmp_path / "a" / "sealing.pem")


# What each role tries; nothing of it may succeed.
ATTACKS = {
    APP: [
        "INSERT INTO audit_leaf (seq, source_id, row_id, hash) VALUES (999, 1, 1, '\\x00')",
        "UPDATE audit_leaf SET salt = NULL",
        "UPDATE audit_leaf SET hash = '\\x00'",
        "DELETE FROM audit_leaf",
        "TRUNCATE audit_leaf",
        "INSERT INTO audit_block SELECT * FROM audit_block",
        "UPDATE audit_block SET note = 'x'",
        "DELETE FROM audit_block",
        "TRUNCATE audit_block",
        "INSERT INTO audit_sealedtable (name) VALUES ('x')",
        "UPDATE audit_sealedtable SET name = 'x'",
        "DELETE FROM audit_sealedtable",
        "UPDATE audit_recordedcolumn SET uniform = false",
        "INSERT INTO audit_recordedcolumn (table_name, \"column\", after, uniform, xid) VALUES ('x', 'y', 1, false, 1)",
        "INSERT INTO audit_tombstone (kind) VALUES ('erasure')",
        "ALTER TABLE audit_leaf DISABLE TRIGGER ALL",
        "DROP TABLE audit_block",
        "SET ROLE opsadmin_sealer",
    ],
    SEALER: [
        "UPDATE audit_leaf SET salt = NULL",
        "UPDATE audit_leaf SET hash = '\\x00'",
        "DELETE FROM audit_leaf",
        "TRUNCATE audit_leaf",
        "UPDATE audit_block SET note = 'x'",
        "DELETE FROM audit_block",
        "UPDATE customers_region SET name = 'x'",
        "INSERT INTO audit_accessevent (kind) VALUES ('view')",
        "UPDATE customers_historicalregion SET name = 'x'",
        "DELETE FROM customers_historicalregion",
        "INSERT INTO audit_tombstone (kind) VALUES ('erasure')",
        "INSERT INTO audit_sealedtable (name) VALUES ('x')",
        "SELECT * FROM customers_region",
        "SELECT password FROM accounts_user",
        "SELECT * FROM audit_contextkey",
        "SELECT opsadmin_begin('{}', '\\x00')",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "SET ROLE opsadmin_owner",
        "SET session_replication_role = replica",
    ],
    OWNER: [
        "UPDATE audit_leaf SET salt = NULL",
        "UPDATE audit_leaf SET hash = '\\x00'",
        "DELETE FROM audit_leaf",
        "TRUNCATE audit_leaf CASCADE",
        "UPDATE audit_block SET note = 'x'",
        "DELETE FROM audit_block",
        "TRUNCATE audit_block",
        "UPDATE audit_sealedtable SET name = 'x'",
        "DELETE FROM audit_recordedcolumn",
        "UPDATE customers_historicalregion SET name = 'x'",
        "DELETE FROM customers_historicalregion",
        # The event trigger that a superuser installed.
        "ALTER TABLE customers_region DISABLE TRIGGER ALL",
        "ALTER TABLE customers_region DISABLE TRIGGER USER",
        "ALTER TABLE customers_historicalregion DISABLE TRIGGER USER",
        "ALTER TABLE audit_changeset ENABLE REPLICA TRIGGER acts_end",
        "ALTER TABLE audit_leaf DISABLE TRIGGER USER",
        "DROP EVENT TRIGGER opsadmin_guard_triggers",
        "CREATE OR REPLACE FUNCTION public.opsadmin_guard_triggers() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    ],
}


@pytest.mark.usefixtures("record")
class TestNobodyElseTouchesSeals:
    @pytest.mark.parametrize("role", ATTACKS)
    def test_no_attack_succeeds(self, role, seal):
        seal()
        before = (Leaf.objects.count(), Block.objects.count(), Region.history.count())
        with databases.connection_as(role, autocommit=True) as attacker:
            for attack in ATTACKS[role]:
                with pytest.raises(Exception, match=r"permission denied|append-only|stay|must be") as caught:
                    attacker.execute(attack)
                assert type(caught.value).__module__ == "psycopg.errors", attack
        assert (Leaf.objects.count(), Block.objects.count(), Region.history.count()) == before

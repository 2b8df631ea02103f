"""Under a published checkpoint nothing can be changed unseen, even by a superuser, as long as he has not the key."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from admin_ext.audit.seals.findings import Finding, Report, Tampering
from admin_ext.audit.seals.verifying import examine
from tests import databases
from tests.admin_ext.audit.seals.tampering import Deed, NotPossible, Tamperer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("record")
class TestTampering:
    def test_is_found_and_located(self, seal, check, keys, publisher):
        campaign(seal, check, keys, publisher, deeds=120, seed=1)

    @pytest.mark.tamper
    @pytest.mark.parametrize("seed", [2, 3])
    def test_is_found_and_located_a_thousand_times(self, seal, check, keys, publisher, seed):
        campaign(seal, check, keys, publisher, deeds=500, seed=seed)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", [4, 5])
    def test_is_found_and_located_five_thousand_times(self, seal, check, keys, publisher, seed):
        campaign(seal, check, keys, publisher, deeds=2_500, seed=seed)

    @pytest.mark.tamper
    def test_a_hundred_clean_runs_raise_no_alarm(self, seal, check):
        from tests.admin_ext.audit.seals.conftest import write_something

        for run in range(100):
            if run % 10 == 0:
                write_something(2)
            seal()
            assert check().findings == []
        print("\n100 clean runs: 0 false alarms")


def campaign(seal: Any, check: Any, keys: Any, publisher: Any, *, deeds: int, seed: int) -> None:
    seal()
    assert check().findings == []
    dice = random.Random(seed)
    done, located, unseen, unplaced = Counter[str](), 0, [], []
    began = time.monotonic()
    while done.total() < deeds:
        # A transaction that is open for long would hold back whoever else tests sealing on this server.
        with databases.connection_as(None) as root, root.cursor() as cursor:
            tamperer = Tamperer(cursor, dice)
            for deed, findings in tamper(tamperer, min(100, deeds - done.total()), keys, publisher):
                done[deed.what.split()[0]] += 1
                if not findings:
                    unseen.append(deed.what)
                elif not is_located(deed, findings):
                    unplaced.append((deed, [str(each) for each in findings[:3]]))
                else:
                    located += 1
            root.rollback()
    assert check().findings == []
    seconds = time.monotonic() - began
    print(
        f"\n{deeds:,} tamperings ({', '.join(f'{n} {what}' for what, n in sorted(done.items()))}): "
        f"{deeds - len(unseen):,} detected, {located:,} located; {seconds / deeds * 1000:.0f} ms each"
    )
    assert unseen == []
    assert located >= 0.99 * deeds, unplaced[:5]


def tamper(tamperer: Tamperer, deeds: int, keys: Any, publisher: Any) -> Iterator[tuple[Deed, list[Finding]]]:
    """So many deeds, one after the other on the record as it was sealed, and what was found."""
    cursor = tamperer.cursor
    while deeds:
        cursor.execute("SAVEPOINT clean")
        try:
            deed = tamperer.do_something()
            report = examine(cursor, keys=keys, published=publisher, newest=publisher.newest())
        except (NotPossible, psycopg.errors.IntegrityError, psycopg.errors.DataError):
            continue
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT clean")
        deeds -= 1
        # The triggers are off because the tamperer switched them off: that alone must not be what gives it away.
        yield deed, [each for each in report.findings if each.kind != Tampering.TRIGGER_OFF]
    report = examine(cursor, keys=keys, published=publisher, newest=publisher.newest())
    assert set(report.counts) <= {Tampering.TRIGGER_OFF}


def is_located(deed: Deed, findings: list[Finding]) -> bool:
    if deed.first_missing is not None:
        return any(each.kind == Tampering.TAIL_CUT and each.seq == deed.first_missing for each in findings)
    return any((each.table, each.row) in deed.places for each in findings)


def test_the_report_tells_what_it_found():
    report = Report(last_block=3)
    report.add(Tampering.ALTERED, "orders_historicalorder", 17, block=2, seq=40)
    report.add(Tampering.DELETED, "orders_historicalorder", 17)
    assert not report.intact
    assert [str(each) for each in report.findings] == ["altered: orders_historicalorder row 17 (block 2, leaf 40)"]
    assert report.verdict() == "Not intact: 1 × altered."

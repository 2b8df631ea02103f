"""`bench seal`: writers, roll-backs and one transaction that stays open, while the sealer works. Is a row missed or twice?

Beside the sealer walks what one would write at first, a cursor over the rows' ids: how many it loses is printed too.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import database

TABLE = "customers_historicalcustomer"
LONGEST_WAIT = 120.0
"""Seconds that one side of the race waits for the other at most."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench seal", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--open-seconds", type=float, default=120.0, help="how long one transaction stays open")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    database.set_up()
    from admin_ext.audit.seals.sources import connect
    from opsadmin.database import OWNER, SEALER

    try:
        with tempfile.TemporaryDirectory(prefix="opsadmin-bench-") as folder:
            result = race(
                sealer_login=connect(user=SEALER),
                owner_login=connect(user=OWNER),
                directory=Path(folder),
                events=options.events,
                writers=options.writers,
                open_seconds=options.open_seconds,
            )
    finally:
        database.drop()
    print(json.dumps(result) if options.json else told(result))
    return 0


def race(
    *, sealer_login: Any, owner_login: Any, directory: Path, events: int, writers: int, open_seconds: float
) -> dict[str, Any]:
    """Let writers write `events` rows of history, with roll-backs and a transaction open for `open_seconds`, while a
    sealer seals; then count. The two logins are psycopg connections, and are closed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from admin_ext.audit.seals.publishing import Publisher
    from admin_ext.audit.seals.sealing import Sealer

    began, lags = time.monotonic(), []
    key = Ed25519PrivateKey.generate()
    sealer = Sealer(sealer_login, key=key, publisher=Publisher(directory, key=key))
    sealer.take_up()
    naive, done = _Cursor(owner_login), threading.Event()
    naive.walk()
    opened, overtaken = threading.Event(), threading.Event()
    share = -(-events // writers)
    threads = [threading.Thread(target=_write, args=(n, share, opened)) for n in range(writers)]
    threads.append(threading.Thread(target=_stay_open, args=(open_seconds, opened, overtaken)))
    for thread in threads:
        thread.start()
    threading.Thread(target=lambda: [thread.join() for thread in threads] and done.set(), daemon=True).start()
    rounds = 0
    while not done.wait(0.2):
        started = time.monotonic()
        rounds += bool(sealer.round().leaves)
        lags.append(time.monotonic() - started)
        if naive.walk():
            overtaken.set()
    _wait_for_others(sealer_login)
    sealer.round()
    naive.walk()
    result = {
        **_count(owner_login),
        "naive_cursor_missed": naive.missed(),
        "rounds": rounds,
        "slowest_round_s": round(max(lags), 2),
        "seconds": round(time.monotonic() - began, 1),
    }
    sealer_login.close()
    owner_login.close()
    return result


def _write(number: int, rows: int, opened: threading.Event) -> None:
    """One writer: transactions of 1 to 80 rows, a tenth of them rolled back. It begins once the slow one has written."""
    from django.db import connection

    from admin_ext.audit.context import change_set
    from apps.customers.models import Customer

    dice, written = random.Random(number), 0
    opened.wait(LONGEST_WAIT)
    try:
        while written < rows:
            size = min(dice.choice([1, 5, 40, 80]), rows - written)
            codes = [f"W{number}-{written + n}" for n in range(size)]
            try:
                with change_set(actor=None, door="task", verb="bench.write"):
                    Customer.objects.bulk_create(Customer(code=code, name="Bench") for code in codes)
                    if dice.random() < 0.1:
                        raise _RolledBack
            except _RolledBack:
                continue
            written += size
    finally:
        connection.close()


class _RolledBack(Exception):
    """The writer thought better of it."""


def _stay_open(seconds: float, opened: threading.Event, overtaken: threading.Event) -> None:
    """Write a row first and commit it late, once later ones were seen: its id is low and it becomes visible last."""
    from django.db import connection

    from admin_ext.audit.context import change_set
    from apps.customers.models import Customer

    try:
        with change_set(actor=None, door="task", verb="bench.slow"):
            Customer.objects.create(code="SLOW", name="Bench")
            opened.set()
            time.sleep(seconds)
            overtaken.wait(LONGEST_WAIT)
    finally:
        connection.close()


class _Cursor:
    """A sealer as one would write it at first: everything with an id above the last one seen."""

    def __init__(self, login: Any) -> None:
        self.login, self.last, self.seen = login, 0, 0

    def walk(self) -> int:
        """How many rows it has seen that it had not seen before."""
        count, last = self.login.execute(
            f"SELECT count(*), max(history_id) FROM {TABLE} WHERE history_id > %s", [self.last]
        ).fetchone()
        self.seen += count
        self.last = last or self.last
        return count

    def missed(self) -> int:
        return self.login.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0] - self.seen


def _wait_for_others(login: Any) -> None:
    begun = login.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())").fetchone()
    while not login.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s", begun).fetchone()[0]:
        time.sleep(0.05)


def _count(login: Any) -> dict[str, int]:
    from admin_ext.audit.seals.sources import numbered_sources

    with login.cursor() as cursor:
        rows = missed = 0
        for number, source in numbered_sources(cursor).items():
            cursor.execute(
                f"SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE "
                f'l.source_id = {number} AND l.row_id = r."{source.key}")) FROM {source.table} r '
                f"WHERE {source.complete}"
            )
            here, without = cursor.fetchone()
            rows, missed = rows + here, missed + without
        cursor.execute("SELECT count(*), count(DISTINCT (source_id, row_id)), coalesce(max(seq), 0) FROM audit_leaf")
        leaves, distinct, last = cursor.fetchone()
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        return {
            "events": cursor.fetchone()[0],
            "rows": rows,
            "leaves": leaves,
            "missed": missed,
            "twice": leaves - distinct,
            "gaps": last - leaves,
        }


def told(result: dict[str, Any]) -> str:
    return (
        f"{result['events']:,} events ({result['rows']:,} rows of the record with their change sets) in "
        f"{result['seconds']} s: sealer missed {result['missed']}, twice {result['twice']}, gaps {result['gaps']}, "
        f"{result['rounds']} rounds, slowest {result['slowest_round_s']} s; "
        f"a cursor over ids would have missed {result['naive_cursor_missed']:,}"
    )

"""Whatever mix of statements ran, folding the record gives the live tables; and the record tells no change twice.

Several tables, cascades, upserts, MERGE, CTEs, COPY, functions, failing statements, savepoints and rollbacks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from admin_ext.audit.context import change_set
from apps.customers.models import Contact, Customer, Region
from tests.factories import ContactFactory, CustomerFactory, RegionFactory

MODELS = (Region, Customer, Contact)
CUSTOMER = (
    "code, name, status, tax_number, credit_limit, currency, payment_terms_days, contact_name, contact_title, email, "
    "phone, fax, street, city, state, postal_code, country, brought_in"
)
BLANK = "'active', '', 100, 'EUR', 30, '', '', '', '', '', '', {city}, '', '', '', false"

values = st.integers(0, 3)
STATEMENTS: dict[str, str] = {
    "rename regions": "UPDATE customers_region SET name = 'N{a}' WHERE id %% 2 = {b} %% 2",
    "change nothing": "UPDATE customers_customer SET name = name",
    "touch the version by hand": "UPDATE customers_customer SET version = 99, updated_at = now()",
    "raise limits": "UPDATE customers_customer SET credit_limit = credit_limit + {a} WHERE id %% 3 = {b} %% 3",
    "move to a city or to none": "UPDATE customers_customer SET city = nullif('C{a}', 'C0') || '' WHERE id %% 2 = {b} %% 2",
    "change contacts": "UPDATE customers_contact SET name = 'P{a}' WHERE id %% 2 = {b} %% 2",
    "insert": f"INSERT INTO customers_customer ({CUSTOMER}) SELECT 'I' || n, 'n', {BLANK.format(city='chr(65 + n)')} "
    "FROM generate_series({a}, {a} + {b}) n",
    "insert or leave": f"INSERT INTO customers_customer ({CUSTOMER}) SELECT 'I' || n, 'x', {BLANK.format(city='chr(66)')} "
    "FROM generate_series(0, {a}) n ON CONFLICT (code) DO NOTHING",
    "insert or update": f"INSERT INTO customers_customer ({CUSTOMER}) SELECT 'I' || n, 'u{{a}}', "
    f"{BLANK.format(city='chr(67)')} FROM generate_series(0, {{b}}) n ON CONFLICT (code) DO UPDATE SET name = excluded.name",
    "delete contacts": "DELETE FROM customers_contact WHERE id %% 2 = {a} %% 2",
    "delete customers": "DELETE FROM customers_customer WHERE code LIKE 'I%%' AND id %% 2 = {a} %% 2",
    "delete customers with contacts": "DELETE FROM customers_customer WHERE id %% 3 = {a} %% 3",
    "delete and update at once": "WITH gone AS (DELETE FROM customers_contact WHERE id %% 2 = {a} %% 2 RETURNING customer_id) "
    "UPDATE customers_customer SET state = 'S{b}' WHERE id IN (SELECT customer_id FROM gone)",
    "update twice at once": "WITH one AS (UPDATE customers_region SET name = 'T{a}' WHERE id %% 2 = 0 RETURNING id) "
    "UPDATE customers_region SET name = 'T{b}' WHERE id %% 2 = 1",
    "merge": "MERGE INTO customers_customer c USING (SELECT 'I' || n AS code FROM generate_series(0, {a}) n) v "
    "ON c.code = v.code WHEN MATCHED AND c.id %% 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET state = 'M{b}'",
    "a function": "DO $$ BEGIN UPDATE customers_customer SET fax = 'F{a}'; UPDATE customers_customer SET fax = 'F{b}'; END $$",
    "a statement that fails": "UPDATE customers_customer SET code = 'same'",
    "savepoint": "SAVEPOINT mine",
    "roll back": "ROLLBACK TO SAVEPOINT mine",
    "another act": "",
}
mixes = st.lists(st.tuples(st.sampled_from(sorted(STATEMENTS)), values, values), min_size=1, max_size=10)


@pytest.fixture
def world(db):
    regions = [RegionFactory() for _ in range(3)]
    for n in range(6):
        ContactFactory(customer=CustomerFactory(region=regions[n % 3]))


ran: Counter[str] = Counter()


class _Undone(Exception):
    """Ends a mix: the next one begins from the same world."""


def run(mix) -> None:
    """Run a mix of statements in one or several acts and check the record, then undo all of it."""
    acts: list[list[Any]] = [[]]
    for step in mix:
        if step[0] == "another act":
            acts.append([])
        else:
            acts[-1].append(step)
    try:
        with transaction.atomic():
            for act in acts:
                with change_set(actor=None, door="shell", verb="tests.mix", reason="Mixed"):
                    _run_act(act)
            check()
            raise _Undone
    except _Undone:
        pass


def _run_act(steps) -> None:
    open_savepoint = False
    with connection.cursor() as cursor:
        for name, a, b in steps:
            if name == "savepoint":
                cursor.execute("SAVEPOINT mine")
                open_savepoint = True
            elif name == "roll back":
                if open_savepoint:
                    cursor.execute("ROLLBACK TO SAVEPOINT mine")
            else:
                cursor.execute("SAVEPOINT step")
                try:
                    cursor.execute(STATEMENTS[name].format(a=a, b=b).replace("%%", "%"))
                    ran[name] += cursor.rowcount != 0
                    cursor.execute("RELEASE SAVEPOINT step")
                except DatabaseError:
                    cursor.execute("ROLLBACK TO SAVEPOINT step")


def check() -> None:
    """Fold every history from its first row; compare with the live table; no row is told twice."""
    for model in MODELS:
        columns = [field.column for field in model._meta.concrete_fields if field.column in _kept(model)]
        names = ", ".join(f'"{column}"' for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT {names} FROM "{model._meta.db_table}"')
            live = {row[columns.index("id")]: row for row in cursor.fetchall()}
            cursor.execute(
                f'SELECT history_type, changed, {names} FROM "{model.history.model._meta.db_table}" ORDER BY history_id'
            )
            lives = defaultdict(list)
            for kind, changed, *row in cursor.fetchall():
                lives[row[columns.index("id")]].append((kind, changed, tuple(row)))
        folded = {key: rows[-1][2] for key, rows in lives.items() if rows[-1][0] != "-"}
        assert folded == live, model._meta.label
        for rows in lives.values():
            _is_one_life(rows, columns)


def _is_one_life(rows, columns) -> None:
    """Made once, changed really each time and as it says, gone at the end or not at all."""
    assert rows[0][0] == "+" and all(kind == "~" for kind, _, _ in rows[1:-1])
    following = {"version", "created_at", "updated_at"}
    for (_, _, before), (kind, changed, after) in pairwise(rows):
        moved = {c for c, old, new in zip(columns, before, after, strict=True) if old != new} - following
        if kind == "~":
            assert moved == set(changed) and moved
        else:
            assert not moved


def _kept(model) -> set[str]:
    return {field.column for field in model.history.model._meta.concrete_fields}


BASE = settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink]
)


@given(mixes)
@settings(BASE, max_examples=150)
def test_folding_the_record_gives_the_live_tables(world, mix):
    run(mix)


def test_every_statement_of_the_mixes_does_something(world):
    """Else the mixes would prove nothing."""
    ran.clear()
    for name in STATEMENTS:
        for a in range(4):
            run([("insert", 1, 2), (name, a, 1)])
    idle = {name for name in STATEMENTS if not ran[name]} - {"savepoint", "roll back", "another act"}
    assert idle == {"a statement that fails"}


@pytest.mark.parametrize(
    ("half", "count"),
    [
        *(pytest.param(half, 1_000, marks=pytest.mark.matrix) for half in (1, 2)),
        *(pytest.param(half, 5_000, marks=pytest.mark.long) for half in (3, 4)),
    ],
)
def test_folding_the_record_gives_the_live_tables_many_times(world, half, count):
    @seed(half)
    @given(mixes)
    @settings(BASE, max_examples=count)
    def fold(mix):
        run(mix)

    fold()

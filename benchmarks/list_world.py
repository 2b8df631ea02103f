"""Ten million orders to list: made by the database itself, and kept for the next run when asked to."""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks import database

FIRST_NAMES = [
    "Anna",
    "Åsa",
    "Björn",
    "Carl",
    "Dağ",
    "Émile",
    "Eva",
    "Frida",
    "Göran",
    "Hanna",
    "Ida",
    "Jörg",
    "Karin",
    "Lena",
    "Måns",
    "Nils",
    "Olga",
    "Per",
    "Ronja",
    "Sven",
]
LAST_NAMES = [
    "Andersson",
    "Berg",
    "Öberg",
    "Carlsson",
    "Dahl",
    "Ek",
    "Falk",
    "Gustafsson",
    "Holm",
    "Isaksson",
    "Jonsson",
    "Koch",
    "Lind",
    "Müller",
    "Nilsson",
]


def fill(orders: int, customers: int) -> None:
    """An order's day follows its number, and orders lie in the table as they came in; regions, warehouses, customers and names are spread evenly by hashes.

    History is not written: no list reads it, and it would double the time. Half of the regions lie below "North".
    """
    with psycopg.connect(database.url(), autocommit=True) as login:
        login.execute("SET synchronous_commit = off")
        login.execute("SET maintenance_work_mem = '1GB'")
        login.execute("SET work_mem = '1GB'")
        login.execute("INSERT INTO customers_region (code, name) VALUES ('NORTH', 'North'), ('SOUTH', 'South')")
        login.execute(
            "INSERT INTO customers_region (code, name, parent_id) SELECT 'R' || n, 'Region ' || n, (SELECT id FROM "
            "customers_region WHERE code = CASE WHEN n <= 25 THEN 'NORTH' ELSE 'SOUTH' END) FROM generate_series(1, 50) n"
        )
        login.execute(
            "INSERT INTO inventory_warehouse (code, name, is_active, street, city, state, postal_code, country) "
            "SELECT 'W' || n, 'Warehouse ' || n, true, '', '', '', '', 'NO' FROM generate_series(1, 20) n"
        )
        login.execute(
            "INSERT INTO customers_customer (code, name, status, tax_number, credit_limit, currency, "
            "payment_terms_days, contact_name, contact_title, email, phone, fax, street, city, state, postal_code, "
            "country, brought_in, region_id) SELECT 'C' || lpad(n::text, 7, '0'), 'Customer ' || n, 'active', '', 100, "
            "'EUR', 30, '', '', '', '', '', '', 'City', '', '', 'NO', false, r.ids[1 + (hashint4(n) & 2147483647) %% 50] FROM "
            "generate_series(1, %s) n, (SELECT array_agg(id) ids FROM customers_region WHERE parent_id IS NOT NULL) r",
            [customers],
        )
        login.execute("ANALYZE customers_customer")
        kept = _without_indexes(login)
        # Only a superuser can do this; the database's own guard is against everybody else.
        guards = [row[0] for row in login.execute("SELECT evtname FROM pg_event_trigger").fetchall()]
        for guard in guards:
            login.execute(f"ALTER EVENT TRIGGER {guard} DISABLE")
        login.execute("ALTER TABLE orders_order DISABLE TRIGGER ALL")
        login.execute(
            f"""
            INSERT INTO orders_order (number, state, ordered_on, required_on, shipped_on, customer_reference,
                ship_to_name, ship_to_street, ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier,
                freight, currency, gross_total, net_total, brought_in, customer_id, warehouse_id, region_id)
            SELECT 'SO-' || lpad(o.n::text, 9, '0'), o.state, o.day, o.day + 14,
                CASE WHEN o.state IN ('shipped', 'closed') THEN o.day + 3 END,
                CASE WHEN o.n %% 10 = 0 THEN 'PO' || (hashint4(o.n + 3) & 2147483647) ELSE '' END,
                (%s::text[])[1 + (hashint4(o.n + 1) & 2147483647) %% {len(FIRST_NAMES)}] || ' ' ||
                (%s::text[])[1 + (hashint4(o.n + 2) & 2147483647) %% {len(LAST_NAMES)}] || ' ' || ((hashint4(o.n + 4) & 2147483647) %% 50000),
                'Storgatan 1', 'Lund', '', '22100', 'SE', 'DHL', 12.50, 'EUR',
                (o.n %% 9000)::numeric, (o.n %% 9000)::numeric, false, c.id,
                w.ids[1 + (hashint4(o.n + 7) & 2147483647) %% 20], c.region_id
            FROM (
                SELECT n, date '2026-11-01' - ((%s - n)::bigint * 1800 / %s)::int AS day,
                    (ARRAY['draft', 'confirmed', 'confirmed', 'allocated', 'cancelled', 'shipped', 'shipped', 'closed',
                        'closed', 'closed', 'closed', 'closed', 'closed', 'closed', 'closed', 'closed', 'closed', 'closed',
                        'closed', 'closed'])[1 + (hashint4(n + 5) & 2147483647) %% 20] AS state
                FROM generate_series(1, %s) n
            ) o
            JOIN (SELECT id, region_id, row_number() OVER (ORDER BY id) - 1 AS place FROM customers_customer) c
                ON c.place = (hashint4(o.n) & 2147483647) %% %s,
            (SELECT array_agg(id) ids FROM inventory_warehouse) w
            ORDER BY o.n
            """,
            [FIRST_NAMES, LAST_NAMES, orders, orders, orders, customers],
        )
        login.execute("ALTER TABLE orders_order ENABLE TRIGGER ALL")
        login.execute(
            "DO $$ DECLARE t name; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'orders_order'::regclass "
            "AND NOT tgisinternal LOOP EXECUTE format('ALTER TABLE orders_order ENABLE ALWAYS TRIGGER %I', t); END LOOP; END $$"
        )
        for guard in guards:
            login.execute(f"ALTER EVENT TRIGGER {guard} ENABLE")
        for definition in kept:
            login.execute(definition)
        login.execute("VACUUM ANALYZE")


def _without_indexes(login: Any) -> list[str]:
    """Drop what constraints do not need; returns the statements that make them again."""
    found = login.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = "
        "'orders_order'::regclass AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)"
    ).fetchall()
    for name, _ in found:
        login.execute(f"DROP INDEX {name}")
    return [definition for _, definition in found]

"""`bench timeline`: the pages of the auditors' desk on millions of history rows, measured through the whole page.

A million small acts and a few imports of a million rows each, over the customers' and the orders' history. Each page is
asked for many times by an auditor through the product's own request handling; printed are the median and the 95th
percentile of the whole response, and how many queries it cost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from typing import Any

from benchmarks import database


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench timeline", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="history rows in all")
    parser.add_argument("--requests", type=int, default=60, help="requests of each page")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "opsadmin.settings.test"
    database.set_up()
    try:
        _fill(options.rows)
        result = _measure(options.requests)
    finally:
        from django.db import connection

        connection.close()
        database.drop()
    print(json.dumps(result, indent=2) if options.json else _told(result))
    return 0


def _fill(rows: int) -> None:
    """A fifth of the rows in acts of one row each, the rest in imports."""
    acts, imports = rows // 5, 4
    each = (rows - acts) // imports
    with database.owner() as owner:
        owner.execute("SET synchronous_commit = off")
        owner.execute(
            "INSERT INTO accounts_user (username, password, is_superuser, first_name, last_name, email, is_staff, "
            "is_active, date_joined, time_zone) SELECT 'person' || n, '', false, 'P' || n, 'Q', '', true, true, now(), "
            "'UTC' FROM generate_series(1, 200) n"
        )
        owner.execute(
            "INSERT INTO customers_customer (code, name, status, tax_number, credit_limit, currency, "
            "payment_terms_days, contact_name, contact_title, email, phone, fax, street, city, state, postal_code, "
            "country, brought_in) SELECT 'C' || n, 'Customer ' || n, 'active', '', 100, 'EUR', 30, '', '', '', '', "
            "'', '', '', '', '', 'NO', false FROM generate_series(1, 20000) n"
        )
        (users,) = owner.execute("SELECT array_agg(id) FROM accounts_user WHERE username LIKE 'person%'").fetchone()
        (first,) = owner.execute("SELECT min(id) FROM customers_customer").fetchone()
        owner.execute(
            "INSERT INTO audit_changeset (id, actor_id, door, verb, reason, ticket, file_sha256, rows, counts, db_user, "
            "lasting, asks_reason, started_at, finished_at, xid) SELECT 1000 + n, (%s::bigint[])[1 + n %% 200], "
            "CASE WHEN n %% 50 = 0 THEN 'bulk' ELSE 'form' END, CASE WHEN n %% 7 = 0 THEN 'customers.change_credit_limit' "
            "ELSE 'customers.change_customer' END, CASE WHEN n %% 7 = 0 THEN 'Case ' || n ELSE '' END, '', '', 1, '{}', "
            "'opsadmin_app', false, false, now() - interval '1 second' * (%s - n) * 30, "
            "now() - interval '1 second' * (%s - n) * 30, 700 FROM generate_series(1, %s) n",
            [users, acts, acts, acts],
        )
        owner.execute(
            "INSERT INTO customers_historicalcustomer (id, code, name, status, credit_limit, currency, city, version, "
            "history_date, history_type, change_set_id, history_user_id, xid, db_user, changed) "
            "SELECT %s + n %% 20000, 'C' || n %% 20000, 'Customer', 'active', n, 'EUR', 'City ' || n, 2 + n / 20000, "
            "now() - interval '1 second' * (%s - n) * 30, '~', 1000 + n, (%s::bigint[])[1 + n %% 200], 700, 'opsadmin_app', "
            "CASE WHEN n %% 7 = 0 THEN ARRAY['credit_limit'] ELSE ARRAY['city'] END FROM generate_series(1, %s) n",
            [first, acts, users, acts],
        )
        for number in range(imports):
            act = 1000 + acts * (number + 1) // (imports + 1)
            owner.execute(
                "INSERT INTO orders_historicalorder (id, number, version, history_date, history_type, change_set_id, "
                "history_user_id, xid, db_user) SELECT n, 'N' || n, 1, now() - interval '1 day', '+', %s, %s, 700, "
                "'opsadmin_app' FROM generate_series(1, %s) n",
                [act, users[0], each],
            )
        owner.execute("VACUUM ANALYZE")


def _measure(requests: int) -> dict[str, dict[str, float]]:
    from django.contrib.auth import get_user_model
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from apps.customers.models import Customer
    from tests.factories import give_role

    auditor = give_role(
        get_user_model().objects.get(username="person1"),
        "audit.view_changeset", "customers.view_customer", "customers.access_all_region", "orders.view_order",
    )  # fmt: skip
    client = Client(headers={"host": "localhost"})
    client.force_login(auditor, backend="admin_ext.access.backends.RoleBackend")
    timeline = "/audit/changeset/timeline/"
    first = Customer.objects.order_by("id").values_list("pk", flat=True)
    pages: dict[str, Any] = {
        "timeline, first page": lambda n: timeline,
        "timeline, what one person did": lambda n: f"{timeline}?who={auditor.pk + 1 + n % 100}",
        "timeline, one kind of record": lambda n: f"{timeline}?model=customers.Customer",
        "timeline, one kind with imports": lambda n: f"{timeline}?model=orders.Order",
        "timeline, one field": lambda n: f"{timeline}?model=customers.Customer&field=credit_limit",
        "timeline, one door": lambda n: f"{timeline}?door=bulk",
        "timeline, days of last year": lambda n: f"{timeline}?since=2026-0{1 + n % 8}-01&until=2026-0{1 + n % 8}-28",
        "row page": lambda n: f"/customers/customer/{first[n * 37 % 20000]}/history/",
        "row page, one field": lambda n: f"/customers/customer/{first[n * 37 % 20000]}/history/?field=credit_limit",
        "act of one row": lambda n: f"/audit/changeset/{1003 + n}/change/",
    }
    result = {}
    for name, address in pages.items():
        took, queries = [], set()
        for n in range(requests + 2):
            url = address(n)
            reset_queries()
            with CaptureQueriesContext(connection) as captured:
                began = time.perf_counter()
                response = client.get(url)
                seconds = time.perf_counter() - began
            assert response.status_code == 200, (name, response.status_code)
            if n >= 2:  # the first ones fill the caches of templates and content types
                took.append(seconds * 1000)
                queries.add(len(captured))
        took.sort()
        result[name] = {
            "median_ms": round(statistics.median(took), 1),
            "p95_ms": round(took[int(len(took) * 0.95) - 1], 1),
            "queries_least": min(queries),
            "queries_most": max(queries),
        }
    return result


def _told(result: dict[str, dict[str, float]]) -> str:
    lines = [f"  {'page':36} {'median':>9} {'p95':>9}  queries"]
    for name, row in result.items():
        queries = f"{row['queries_least']:.0f} to {row['queries_most']:.0f}"
        lines.append(f"  {name:36} {row['median_ms']:6.0f} ms {row['p95_ms']:6.0f} ms  {queries}")
    return "\n".join(lines)

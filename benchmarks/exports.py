"""Exports: ours with rights, snapshot and ledger; `psql \\copy` of the same query; bare XlsxWriter; the stock packages.

One server, one run, the same columns of the same orders. Ours and `psql` take turns. Told are medians, in rows per
second, and what comes of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import database
from benchmarks.export_worker import COLUMNS

CUSTOMERS = 2_000
WAREHOUSES = 20
PARTS = ("csv", "xlsx", "ndjson", "xlsxwriter", "stock")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench exports", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of ours and of psql")
    parser.add_argument("--bare-rows", type=int, default=100_000, help="of XlsxWriter and of the stock packages")
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours and of psql")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of it")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "opsadmin.settings.test"
    with tempfile.TemporaryDirectory(prefix="opsadmin-bench-") as folder:
        os.environ.setdefault("OPSADMIN_DATA", folder)
        database.set_up()
        try:
            result = _measure(Path(folder), options)
        finally:
            _close()
            database.drop()
            database.drop(f"{database.NAME}_stock")
    for line in _told(result):
        print(line)
    if options.json:
        print(json.dumps(result))
    return 0


def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    _say(f"making {options.rows:,} orders")
    _make_world(options.rows)
    result: dict[str, Any] = {"rows": options.rows, "bare_rows": options.bare_rows}
    query = _query()
    runs: dict[str, list[dict[str, float]]] = {}
    copies = []
    for _ in range(options.repeat):
        if "csv" in options.only:
            _say("psql")
            copies.append(_psql(query, folder / "orders.csv"))
        for format in ("csv", "xlsx", "ndjson"):
            if format in options.only:
                _say(format)
                runs.setdefault(format, []).append(_ours(format))
    if copies:
        result["psql"] = options.rows / statistics.median(copies)
    for format, each in runs.items():
        result[format] = options.rows / statistics.median(run["seconds"] for run in each)
        result[f"{format}_progress"] = max(run["progress"] for run in each)
        result[f"{format}_memory"] = max(run["memory"] for run in each)
        result[f"{format}_mb"] = each[0]["bytes"] / 1e6
    if "xlsxwriter" in options.only:
        _say("bare XlsxWriter")
        result["xlsxwriter"] = options.bare_rows / _bare(folder / "bare.xlsx", options.bare_rows)
    if "stock" in options.only:
        for format in ("csv", "xlsx"):
            _say(f"django-import-export, {format}")
            result[f"stock_{format}"] = options.bare_rows / _stock(format, options.bare_rows)
    return result


def _make_world(orders: int) -> None:
    from django.contrib.auth.models import Permission

    from admin_ext.audit.context import change_set
    from apps.accounts.models import Membership, Role, RolePermission, User
    from apps.customers.models import Customer, Region
    from apps.inventory.models import Warehouse

    with change_set(actor=None, door="command", verb="bench.arrange"):
        region = Region.objects.create(code="R", name="Region")
        Customer.objects.bulk_create(
            Customer(code=f"C-{n:05}", name=f"Customer {n}", region=region) for n in range(CUSTOMERS)
        )
        for n in range(WAREHOUSES):
            Warehouse.objects.create(code=f"W{n}", name=f"Warehouse {n}")
        role = Role.objects.create(name="Analyst")
        rights = ["view_order", "export_order", "view_customer", "view_warehouse"]
        rights += ["access_all_region", "access_all_warehouse"]
        RolePermission.objects.bulk_create(
            RolePermission(group_id=role.pk, permission=permission)
            for permission in Permission.objects.filter(codename__in=rights)
        )
        actor = User.objects.create(username="analyst", is_staff=True)
        Membership.objects.create(user=actor, group_id=role.pk)
    with database.owner() as owner:
        owner.execute("SET synchronous_commit = off")
        owner.execute(
            "INSERT INTO orders_order (state, ordered_on, required_on, customer_reference, ship_to_name, ship_to_street, "
            "ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier, freight, currency, brought_in, "
            "customer_id, warehouse_id, region_id) SELECT 'draft', date '2026-01-01' - n %% 500, "
            "date '2026-01-01' - n %% 500 + n %% 14, 'PO ' || n, 'Customer ' || n * 7 %% %s, '', "
            "CASE n %% 3 WHEN 0 THEN 'Örebro' ELSE 'Lund' END, '', '', 'SE', CASE n %% 50 WHEN 0 THEN 'Fast & Sons' "
            "ELSE 'PostNord' END, n %% 90 + 0.50, 'EUR', false, c.first + n * 7 %% %s, w.first + n %% %s, r.id "
            "FROM generate_series(1, %s) n, (SELECT min(id) AS first FROM customers_customer) c, "
            "(SELECT min(id) AS first FROM inventory_warehouse) w, customers_region r",
            [CUSTOMERS, CUSTOMERS, WAREHOUSES, orders],
        )
        owner.execute("VACUUM ANALYZE")


def _query() -> str:
    """The query of the export, with related rows by their keys, as `psql` may run it: what no formatting was done to."""
    from django.db import connection

    from admin_ext.filtering.selection import Selection
    from admin_ext.transfers.export_columns import query_of
    from admin_ext.transfers.resources import resource_for
    from apps.accounts.models import User

    actor = User.objects.get(username="analyst")
    rows = Selection(model="orders.Order").resolve(actor=actor, action="export")
    query = query_of(rows, resource_for("orders.Order"), COLUMNS, actor)
    with connection.cursor() as cursor:
        return str(cursor.mogrify(query.sql, query.parameters))


def _psql(query: str, path: Path) -> float:
    command = ["psql", "-q", "-d", database.url(), "-c", f"\\copy ({query}) TO '{path}' WITH (FORMAT csv, HEADER)"]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def _ours(format: str) -> dict[str, float]:
    """By a worker: a process of its own."""
    return json.loads(_run([sys.executable, "-m", "benchmarks.export_worker", format], os.environ))


def _bare(path: Path, rows: int) -> float:
    """The same cells, typed, as they come from the driver."""
    import psycopg
    import xlsxwriter

    began = time.perf_counter()
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("orders")
    sheet.write_row(0, 0, COLUMNS)
    with psycopg.connect(database.url()) as connection, connection.cursor(name="rows") as cursor:
        cursor.itersize = 2000
        cursor.execute(f"{_query()} LIMIT {rows}")
        for line, row in enumerate(cursor, start=1):
            for column, value in enumerate(row):
                if column in (3, 4):
                    sheet.write_datetime(line, column, value, day)
                elif column == 10:
                    sheet.write_number(line, column, value)
                else:
                    sheet.write_string(line, column, value)
    book.close()
    return time.perf_counter() - began


def _stock(format: str, rows: int) -> float:
    """The stock packages in a process of their own, on a database of their own on the same server."""
    name = f"{database.NAME}_stock"
    database.create(name)
    environment = {**os.environ, "DATABASE_URL": database.url(name)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    return float(_run([sys.executable, "-m", "benchmarks.stock.export", format, str(rows)], environment))


def _run(command: list[str], environment: Any) -> str:
    """The last line that a process prints."""
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"{' '.join(command[2:])} failed:\n{finished.stderr}")
    return finished.stdout.strip().splitlines()[-1]


def _told(result: dict[str, Any]) -> list[str]:
    """The figures that there are, and their ratios."""
    lines = ["", f"Export of {result['rows']:,} orders, {len(COLUMNS)} columns, rows per second"]
    few = f"; {result['bare_rows']:,} rows"
    for name, label in (
        ("csv", "opsadmin, CSV: rights, snapshot, neutralised, hashed, in the ledger"),
        ("psql", "psql \\copy of the same query"),
        ("stock_csv", f"django-import-export, CSV{few}"),
        ("xlsx", "opsadmin, XLSX"),
        ("xlsxwriter", f"bare XlsxWriter, constant_memory{few}"),
        ("stock_xlsx", f"django-import-export, XLSX{few}"),
        ("ndjson", "opsadmin, NDJSON"),
    ):
        if name in result:
            lines.append(f"  {result[name]:>10,.0f}  {label}")
    for format in ("csv", "xlsx", "ndjson"):
        if format in result:
            memory, progress = result[f"{format}_memory"], result[f"{format}_progress"]
            lines.append(
                f"  {memory:>7,.0f} MB  peak memory of the worker, {format} of {result[f'{format}_mb']:,.0f} MB"
            )
            lines.append(f"  {progress * 1000:>7,.0f} ms  until progress is told, {format}")
    for over, under, label in (
        ("csv", "psql", "x psql \\copy"),
        ("csv", "stock_csv", "x django-import-export, CSV"),
        ("xlsx", "xlsxwriter", "x bare XlsxWriter"),
        ("xlsx", "stock_xlsx", "x django-import-export, XLSX"),
    ):
        if over in result and under in result:
            lines.append(f"  {result[over] / result[under]:>10.2f}  {label}")
    return lines


def _say(what: str) -> None:
    print(f"measuring {what} …", file=sys.stderr, flush=True)


def _close() -> None:
    from django.db import connection

    connection.close()

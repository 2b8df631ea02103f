"""Imports: ours with checks, plan, rights and history; the stock packages with history; bare `COPY`.

One server, one run, files of the same orders. Ours and COPY take turns, and each fills a table that it filled before:
both meet the same weather and the same size. Told are medians, in rows per second, and what comes of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks import database
from benchmarks.web import serving

CUSTOMERS = 2_000
WAREHOUSES = 5
HEADER = (
    "number",
    "customer",
    "warehouse",
    "ordered_on",
    "required_on",
    "customer_reference",
    "ship_to_name",
    "ship_to_city",
    "ship_to_country",
    "carrier",
    "freight",
    "currency",
)


PARTS = ("ours", "copy", "upsert", "web", "stock")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench import", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of ours and of COPY")
    parser.add_argument("--stock-rows", type=int, default=20_000, help="of the stock packages, which run once")
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours and of COPY")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of it")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "opsadmin.settings.test"
    with tempfile.TemporaryDirectory(prefix="opsadmin-bench-") as folder:
        os.environ.setdefault("OPSADMIN_DATA", folder)  # what one process puts there the others find
        path = Path(folder) / "orders.csv"
        database.set_up()
        try:
            result = _measure(path, options)
        finally:
            _close()
            database.drop()
            database.drop(f"{database.NAME}_stock")
    for line in _told(result):
        print(line)
    if options.json:
        print(json.dumps(result))
    return 0


def _measure(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    actor, rows, only = _make_world(), options.rows, options.only
    ours, copies = [], []
    for run in range(options.repeat if {"ours", "copy"} & set(only) else 0):
        _write_file(path, rows, run)
        if "copy" in only:
            _say("bare COPY")
            copies.append(_copy(path))
        if "ours" in only:
            _say("ours")
            ours.append(_ours(path, {"create": rows}))
    result: dict[str, Any] = {"rows": rows}
    if ours:
        result |= _medians(ours, rows)
    if copies:
        result["copy"] = rows / statistics.median(copies)
    if "upsert" in only:
        _say("the last file again with every tenth row changed")
        if not ours:
            _write_file(path, rows, 0)
            _ours(path, {"create": rows})
        _write_file(path, rows, max(len(ours) - 1, 0), changed=True)
        again = _ours(path, {"update": -(-rows // 10), "unchanged": rows - -(-rows // 10)})
        result |= {"upsert": rows / again["seconds"], "upsert_memory": again["memory"]}
    if "web" in only:
        result |= _web(path, actor, rows)
    if "stock" in only:
        result |= _stocks(path, options.stock_rows)
    return result


def _medians(runs: list[dict[str, float]], rows: int) -> dict[str, float]:
    middle = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
    return {
        "ours": rows / middle["seconds"],
        "ours_plan": rows / middle["making"],
        "ours_apply": rows / middle["applying"],
        "memory": max(each["memory"] for each in runs),
    }


def _web(path: Path, actor: Any, rows: int) -> dict[str, float]:
    """What the list of orders takes while nothing goes on, and while a file is imported."""
    _say("the list of orders, while nothing goes on and during an import")
    _write_file(path, rows, 900)
    with serving(actor, "/orders/order/") as page:
        idle = page.p95(seconds=15)
        with page.asked_meanwhile() as during:
            _ours(path, {"create": rows})
    return {"web_idle": idle, "web_during": during[0]}


def _stocks(path: Path, rows: int) -> dict[str, float]:
    _write_file(path, rows, 0)
    result: dict[str, float] = {"stock_rows": rows}
    for mode in ("bulk", "bulk_cached", "bulk_checked", "default"):
        _say(f"django-import-export with history, {mode.replace('_', ' ')}")
        result[f"stock_{mode}"] = rows / _stock(path, mode)
    return result


def _write_file(path: Path, rows: int, run: int, *, changed: bool = False) -> None:
    """The orders of a run; when `changed`, the freight of every tenth is another."""
    begin = date(2025, 1, 1)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(rows):
            day = begin + timedelta(days=n % 500)
            writer.writerow(
                (
                    f"B{run}-{n:08}",
                    f"C-{n * 7 % CUSTOMERS:05}",
                    f"W{n % WAREHOUSES}",
                    day,
                    day + timedelta(days=n % 14),
                    f"PO {n}",
                    f"Customer {n * 7 % CUSTOMERS}",
                    "Lund",
                    "SE",
                    "PostNord",
                    f"{n % 90}.{75 if changed and n % 10 == 0 else 50}",
                    "EUR",
                )
            )


def _make_world() -> Any:
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
        rights = [f"{right}_order" for right in ("view", "add", "change", "import")]
        rights += ["view_customer", "view_warehouse", "access_all_region", "access_all_warehouse"]
        RolePermission.objects.bulk_create(
            RolePermission(group_id=role.pk, permission=permission)
            for permission in Permission.objects.filter(codename__in=rights)
        )
        actor = User.objects.create(username="analyst", is_staff=True)
        Membership.objects.create(user=actor, group_id=role.pk)
    return User.objects.get(pk=actor.pk)


def _ours(path: Path, expected: dict[str, int]) -> dict[str, float]:
    """Planned and applied by a worker: a process of its own."""
    command = [sys.executable, "-m", "benchmarks.import_worker", str(path), json.dumps(expected)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"The import failed:\n{finished.stderr}")
    return json.loads(finished.stdout.strip().splitlines()[-1])


def _copy(path: Path) -> float:
    """The same rows, keys resolved beforehand, into a table like ours with its indexes but without triggers."""
    with database.owner() as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bench_order (LIKE orders_order INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
            "INCLUDING INDEXES INCLUDING GENERATED INCLUDING IDENTITY)"
        )
        customers = dict(connection.execute("SELECT code, id FROM customers_customer").fetchall())
        warehouses = dict(connection.execute("SELECT code, id FROM inventory_warehouse").fetchall())
        with path.open(encoding="utf-8", newline="") as file:
            rows = [list(row) for row in csv.reader(file)][1:]
        for row in rows:
            row[1], row[2] = customers[row[1]], warehouses[row[2]]
        columns = [*HEADER[:1], "customer_id", "warehouse_id", *HEADER[3:]]
        filled = {
            "state": "confirmed",
            "ship_to_street": "",
            "ship_to_state": "",
            "ship_to_postal_code": "",
            "brought_in": True,
        }
        names = ", ".join([*columns, *filled])
        began = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(f"COPY bench_order ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([*row, *filled.values()])
        return time.perf_counter() - began


def _stock(path: Path, mode: str) -> float:
    """The stock packages in a process of their own, on a database of their own on the same server."""
    name = f"{database.NAME}_stock"
    database.create(name)
    command = [sys.executable, "-m", "benchmarks.stock.run", str(path), mode]
    environment = {**os.environ, "DATABASE_URL": database.url(name)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"The stock packages failed:\n{finished.stderr}")
    return float(finished.stdout.strip().splitlines()[-1])


def _told(result: dict[str, Any]) -> list[str]:
    """The figures that there are, and their ratios."""
    lines = ["", f"Import of {result['rows']:,} orders, rows per second"]
    for name, label in (
        ("ours", "opsadmin: checks, plan, rights, history"),
        ("ours_plan", "   of it the plan"),
        ("ours_apply", "   of it the apply"),
        ("upsert", "the same rows again, one in ten changed"),
        ("copy", "bare COPY, no checks, no history"),
        ("stock_default", f"django-import-export with history, default; {result.get('stock_rows', 0):,} rows"),
        ("stock_bulk_checked", "its use_bulk made to write history, keys cached, rows checked as ours are"),
        ("stock_bulk", "its use_bulk made to write history, no checks"),
        ("stock_bulk_cached", "the same with cached foreign keys: what it does at most"),
    ):
        if name in result:
            lines.append(f"  {result[name]:>10,.0f}  {label}")
    for name, label in (("memory", "insert"), ("upsert_memory", "upsert")):
        if name in result:
            lines.append(f"  {result[name]:>7,.0f} MB  peak memory of the worker, {label}")
    for name, label in (("web_idle", "nothing goes on"), ("web_during", "a file is imported")):
        if name in result:
            lines.append(f"  {result[name] * 1000:>7,.0f} ms  the list of orders while {label}, 95th percentile")
    for over, under, label in (
        ("ours", "stock_default", "x the default"),
        ("ours", "stock_bulk_checked", "x bulk with history and checks"),
        ("ours", "stock_bulk", "x bulk with history"),
        ("ours", "stock_bulk_cached", "x bulk with history and cached keys"),
        ("ours", "copy", "x COPY"),
        ("upsert", "ours", "x the insert, by the upsert"),
        ("web_during", "web_idle", "x an idle web, during the import"),
    ):
        if over in result and under in result:
            lines.append(f"  {result[over] / result[under]:>10.2f}  {label}")
    return lines


def _say(what: str) -> None:
    print(f"measuring {what} …", file=sys.stderr, flush=True)


def _close() -> None:
    from django.db import connection

    connection.close()

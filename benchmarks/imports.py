"""Imports: ours with checks, plan, rights and history; the stock packages with history; bare `COPY`.

One file of orders, one server, one run. Medians of `--repeat` runs, in rows per second.
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench import", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours and of COPY; the stock packages run once")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="opsadmin-bench-") as folder:
        path = Path(folder) / "orders.csv"
        database.set_up()
        try:
            result = _measure(path, options)
        finally:
            _close()
            database.drop()
            database.drop(f"{database.NAME}_stock")
    _print(result)
    if options.json:
        print(json.dumps(result))
    return 0


def _measure(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    actor = _make_world()
    _say("ours")
    ours = []
    for run in range(options.repeat):
        _write_file(path, options.rows, run)
        ours.append(_ours(path, actor, options.rows))
    _say("bare COPY")
    copies = [_copy(path) for _ in range(options.repeat)]
    _say("django-import-export, bulk mode made to write history")
    bulk = _stock(path, "bulk")
    _say("django-import-export, default, with history")
    default = _stock(path, "default")
    rate = lambda seconds: round(options.rows / seconds, 1)  # noqa: E731
    return {
        "rows": options.rows,
        "ours": rate(statistics.median(sum(each) for each in ours)),
        "ours_plan": rate(statistics.median(each[0] for each in ours)),
        "ours_apply": rate(statistics.median(each[1] for each in ours)),
        "stock_default": rate(default),
        "stock_bulk_history": rate(bulk),
        "copy": rate(statistics.median(copies)),
    }


def _write_file(path: Path, rows: int, run: int) -> None:
    """Orders that no earlier run has made."""
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
                    f"{n % 90}.50",
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
        actor = User.objects.create(username="analyst")
        Membership.objects.create(user=actor, group_id=role.pk)
    return User.objects.get(pk=actor.pk)


def _ours(path: Path, actor: Any, rows: int) -> tuple[float, float]:
    """Seconds to make the plan, and to apply it; with a worker's code, in this process."""
    from django.core.files import File

    from admin_ext.jobs import services
    from admin_ext.jobs.running import run_job
    from admin_ext.plans.applying import apply_plan
    from admin_ext.transfers.importing import submit_import
    from apps.orders.models import Order

    services.wake = lambda job_id: None  # the worker is this process
    with path.open("rb") as source:
        plan = submit_import(actor=actor, source=File(source, name=path.name), name=path.name, resource="orders.Order")
    began = time.perf_counter()
    run_job(plan.making_id)
    planned = time.perf_counter()
    plan.refresh_from_db()
    assert plan.counts == {"create": rows}, plan.counts
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good")
    began_apply = time.perf_counter()
    run_job(plan.applying_id)
    done = time.perf_counter()
    plan.refresh_from_db()
    assert plan.counts == {"create": rows}, (plan.counts, plan.applying.error)
    assert Order.history.filter(change_set=plan.applying.change_set).count() == rows
    return planned - began, done - began_apply


def _copy(path: Path) -> float:
    """The same rows, keys resolved beforehand, into a table like ours with its indexes but without triggers."""
    with database.owner() as connection:
        connection.execute("DROP TABLE IF EXISTS bench_order")
        connection.execute(
            "CREATE TABLE bench_order (LIKE orders_order INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
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


def _print(result: dict[str, Any]) -> None:
    print(f"\nImport of {result['rows']:,} orders, rows per second")
    for name, label in (
        ("ours", "opsadmin: checks, plan, rights, history"),
        ("ours_plan", "   of it the plan"),
        ("ours_apply", "   of it the apply"),
        ("stock_default", "django-import-export with history, default"),
        ("stock_bulk_history", "django-import-export, use_bulk made to write history"),
        ("copy", "bare COPY, no checks, no history"),
    ):
        print(f"  {result[name]:>10,.0f}  {label}")
    print(
        f"  ours is {result['ours'] / result['stock_default']:.1f} x the default, "
        f"{result['ours'] / result['stock_bulk_history']:.2f} x bulk with history, "
        f"{result['ours'] / result['copy']:.2f} x COPY"
    )


def _say(what: str) -> None:
    print(f"measuring {what} …", file=sys.stderr, flush=True)


def _close() -> None:
    from django.db import connection

    connection.close()

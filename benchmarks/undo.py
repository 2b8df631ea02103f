"""Undo: an import of orders, some of which others have changed since, taken back with plan, rights and history.

Says how many rows are back as they were and how many are named as kept, and the time of the undo over the time of the
import. A second undo, of the undo, brings the orders back.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import database
from benchmarks.imports import _make_world, _write_file
from benchmarks.memory import peak_memory


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench undo", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--edited", type=int, default=500, help="orders that others change after the import")
    parser.add_argument("--again", action="store_true", help="undo the undo, too")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="opsadmin-bench-") as folder:
        database.set_up()
        try:
            result = _measure(Path(folder) / "orders.csv", options)
        finally:
            from django.db import connection

            connection.close()
            database.drop()
    _print(result)
    if options.json:
        print(json.dumps(result))
    return 0


def _measure(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    from admin_ext.jobs import services
    from apps.orders.models import Order

    services.wake = lambda job_id: None  # the worker is this process
    actor = _make_world()
    _allow_deletion(actor)
    _write_file(path, options.rows, 0)
    _say("the import")
    imported, import_plan, import_apply = _import(path, actor)
    _edit(options.edited)
    _say("the undo")
    undo, undo_plan, undo_apply = _undo(actor, imported)
    kept = undo.rows.filter(action="drifted")
    result = {
        "rows": options.rows,
        "import_plan_s": round(import_plan, 2),
        "import_apply_s": round(import_apply, 2),
        "undo_plan_s": round(undo_plan, 2),
        "undo_apply_s": round(undo_apply, 2),
        "ratio": round((undo_plan + undo_apply) / (import_plan + import_apply), 2),
        "restored": options.rows - Order.objects.count(),
        "left": Order.objects.count(),
        "named": sum("colleague" in row.errors[0]["message"] for row in kept.iterator()),
        "rss_mb": round(peak_memory()),
    }
    if options.again:
        _say("the undo of the undo")
        _, plan_s, apply_s = _undo(actor, undo.applying.change_set)
        result |= {
            "again_plan_s": round(plan_s, 2),
            "again_apply_s": round(apply_s, 2),
            "there_again": Order.objects.count(),
        }
    return result


def _allow_deletion(actor: Any) -> None:
    from django.contrib.auth.models import Permission

    from admin_ext.audit.context import change_set
    from apps.accounts.models import RolePermission

    with change_set(actor=None, door="command", verb="bench.arrange"):
        permission = Permission.objects.get(codename="delete_order")
        RolePermission.objects.create(group_id=actor.groups.get().pk, permission=permission)


def _import(path: Path, actor: Any) -> tuple[Any, float, float]:
    from django.core.files import File

    from admin_ext.transfers.importing import submit_import

    with path.open("rb") as source:
        plan = submit_import(actor=actor, source=File(source, name=path.name), name=path.name, resource="orders.Order")
    plan, made, applied = _run(plan, actor)
    return plan.applying.change_set, made, applied


def _undo(actor: Any, change_set: Any) -> tuple[Any, float, float]:
    from admin_ext.plans.undoing import undo_change_set

    return _run(undo_change_set(actor=actor, change_set=change_set, reason="The wrong file"), actor)


def _run(plan: Any, actor: Any) -> tuple[Any, float, float]:
    """The plan, with the seconds to make it and to apply it."""
    from admin_ext.jobs.running import run_job
    from admin_ext.plans.applying import apply_plan

    began = time.perf_counter()
    run_job(plan.making_id)
    made = time.perf_counter() - began
    plan.refresh_from_db()
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good")
    began = time.perf_counter()
    run_job(plan.applying_id)
    applied = time.perf_counter() - began
    plan.refresh_from_db()
    assert plan.state == "applied", (plan.counts, plan.applying.error)
    return plan, made, applied


def _edit(number: int) -> None:
    """Somebody else changes every n-th order, one by one as people do."""
    from admin_ext.audit.context import change_set
    from apps.accounts.models import User
    from apps.orders.models import Order

    with change_set(actor=None, door="command", verb="bench.arrange"):
        colleague = User.objects.create(username="colleague")
    keys = list(Order.objects.order_by("pk").values_list("pk", flat=True))
    for key in keys[:: max(1, len(keys) // number)][:number]:
        with change_set(actor=colleague, door="form", verb="orders.change_order"):
            Order.objects.filter(pk=key).update(customer_reference="Changed since")


def _print(result: dict[str, Any]) -> None:
    print(f"\nUndo of an import of {result['rows']:,} orders")
    print(f"  import  {result['import_plan_s']:8.2f} s plan  {result['import_apply_s']:8.2f} s apply")
    print(f"  undo    {result['undo_plan_s']:8.2f} s plan  {result['undo_apply_s']:8.2f} s apply")
    print(f"  undo / import: {result['ratio']:.2f} x; peak memory {result['rss_mb']} MB")
    print(
        f"  {result['restored']:,} rows as before, {result['left']:,} kept, {result['named']:,} of them named with by whom"
    )
    if "there_again" in result:
        print(
            f"  undo of the undo {result['again_plan_s']:.2f} s plan, {result['again_apply_s']:.2f} s apply: "
            f"{result['there_again']:,} orders there again"
        )


def _say(what: str) -> None:
    print(f"measuring {what} …", file=sys.stderr, flush=True)

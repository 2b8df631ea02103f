"""`bench verify`: how long it takes to verify a record, and how much memory; at a tenth of the size and at full size."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import database

# Runs a management command and says the most memory that it held, in MB. (The figure of getrusage would be the parent's.)
MEASURED = """
import re, sys
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", *sys.argv[1:]])
finally:
    print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024, file=sys.stderr)
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench verify", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="opsadmin-bench-") as folder:
        os.environ["OPSADMIN_DATA"] = folder
        database.set_up()
        try:
            results = [_measure(events) for events in (options.events // 10, options.events)]
        finally:
            from django.db import connection

            connection.close()
            database.drop()
    print(json.dumps(results) if options.json else "\n".join(map(_told, results)))
    return 0


def _measure(events: int) -> dict[str, Any]:
    _write(events)
    sealing, _, _ = _run("seal_audit")
    verifying, said, memory = _run("verify_audit", "--json")
    report = json.loads(said)
    assert report["intact"], report["verdict"]
    return {
        "leaves": report["leaves"],
        "blocks": report["blocks"],
        "seal_s": round(sealing, 1),
        "verify_s": round(verifying, 1),
        "verify_mb": memory,
    }


def _write(events: int) -> None:
    """Fill history up to so many rows: records, and changes of all of them."""
    from django.db.models import F

    from admin_ext.audit.context import change_set
    from apps.customers.models import Customer

    records = events // 10
    with change_set(actor=None, door="task", verb="bench.write"):
        there = Customer.objects.count()
        new = (Customer(code=f"V{n}", name=f"Customer {n}", city="Lund") for n in range(there, records))
        Customer.objects.bulk_create(new, batch_size=5_000)
    while Customer.history.count() < events:
        with change_set(actor=None, door="task", verb="bench.change"):
            Customer.objects.update(payment_terms_days=F("payment_terms_days") + 1)


def _run(*command: str) -> tuple[float, str, int]:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - began, done.stdout, int(done.stderr.splitlines()[-1])


def _told(result: dict[str, Any]) -> str:
    return (
        f"{result['leaves']:,} rows in {result['blocks']} blocks: sealed in {result['seal_s']} s, verified in "
        f"{result['verify_s']} s with {result['verify_mb']} MB at most"
    )

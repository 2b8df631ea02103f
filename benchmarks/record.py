"""`bench record`: what the record costs, and which writes each kind of record sees.

The same table three times in one database and one process: without history, on our record (triggers, version, signed
change set), and with stock django-simple-history. First the ways to write, with how many of the changed rows each
recorded; then the cost of single saves, of `COPY` and of `QuerySet.update`, interleaved, as medians and ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks import database

COLUMNS = (
    "number, customer_id, warehouse_id, ordered_on, required_on, customer_reference, ship_to_name, ship_to_city, "
    "ship_to_country, carrier, freight, currency"
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench record", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of a COPY and of an update")
    parser.add_argument("--saves", type=int, default=600, help="single saves of each kind")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    database.set_up(run_syncdb=True)
    try:
        _install_triggers()
        result = {
            "paths": _paths(),
            "cost": _costs(rows=options.rows, saves=options.saves, repeat=options.repeat),
        }
    finally:
        from django.db import connection

        connection.close()
        database.drop()
    print(json.dumps(result, indent=2) if options.json else _told(result))
    return 0


def _install_triggers() -> None:
    """Our triggers on the benchmarks' table, as the owner; the product's own come with its migrations."""
    import pgtrigger

    with database.owner() as owner:
        for model, trigger in pgtrigger.registered():
            if model._meta.app_label == "recordings":
                owner.execute(str(trigger.compile(model).install_sql))
        # simple-history writes its table itself.
        owner.execute("GRANT INSERT ON recordings_historicalstockorder TO opsadmin_app")


# -- which writes are seen ---------------------------------------------------------------------------


def _paths() -> dict[str, dict[str, list[int]]]:
    """For each way to write and each kind of record: rows changed, rows recorded, of these with actor, with change set."""
    from django.contrib.auth import get_user_model
    from django.db import transaction

    from admin_ext.audit.context import change_set
    from benchmarks.recordings.models import RecordedOrder, StockOrder

    with change_set(actor=None, door="command", verb="bench.arrange"):
        actor = get_user_model().objects.create(username="bench")
    table: dict[str, dict[str, list[int]]] = {}
    for name, (changed, write) in WRITES.items():
        table[name] = {}
        for kind, model in (("ours", RecordedOrder), ("stock", StockOrder)):
            with _stock_writers(kind == "stock"), _acting(actor, "arrange"):
                model.objects.all().delete()
                model.objects.bulk_create([model(**_values(n)) for n in range(3)])
            before = model.history.count()
            # Stock fails on some of these ways: then neither the change nor its record is there.
            failing = contextlib.suppress(Exception) if kind == "stock" else contextlib.nullcontext()
            with _stock_writers(kind == "stock"), _acting(actor, name), failing, transaction.atomic():
                write(model)
            rows = list(model.history.order_by("history_id")[before:])
            with_actor = sum(1 for row in rows if row.history_user_id)
            with_act = sum(1 for row in rows if getattr(row, "change_set_id", None))
            table[name][kind] = [changed, len(rows), with_actor, with_act]
    return table


@contextlib.contextmanager
def _stock_writers(on: bool) -> Any:
    """simple-history's signal writers are off in the product; its own table is measured with them on."""
    from django.conf import settings

    settings.SIMPLE_HISTORY_ENABLED = on
    try:
        yield
    finally:
        settings.SIMPLE_HISTORY_ENABLED = False


@contextlib.contextmanager
def _acting(actor: Any, verb: str) -> Any:
    """Who acts, told to both: our change set, and the request in which stock simple-history looks for its user."""
    from types import SimpleNamespace

    from simple_history.models import HistoricalRecords

    from admin_ext.audit.context import change_set

    HistoricalRecords.context.request = SimpleNamespace(user=actor)
    try:
        with change_set(actor=actor, door="shell", verb=f"bench.{verb}"):
            yield
    finally:
        del HistoricalRecords.context.request


def _values(n: int, prefix: str = "A") -> dict[str, Any]:
    return {
        "number": f"{prefix}{n}",
        "customer_id": n % 500,
        "warehouse_id": n % 7,
        "ordered_on": datetime.date(2026, 1, 1),
        "required_on": datetime.date(2026, 2, 1),
        "customer_reference": f"Ref {n}",
        "ship_to_name": f"Name {n} of the consignee",
        "ship_to_city": "Göteborg",
        "ship_to_country": "SE",
        "carrier": "PostNord",
        "freight": n % 100,
        "currency": "EUR",
    }


def _execute(sql: str, *params: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _table(model: Any) -> str:
    return f'"{model._meta.db_table}"'


def _first(model: Any) -> Any:
    return model.objects.order_by("id").first()


def _save(model: Any, **values: Any) -> None:
    row = _first(model)
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def _bulk_update(model: Any) -> None:
    rows = list(model.objects.all())
    for row in rows:
        row.carrier = "DHL"
    model.objects.bulk_update(rows, ["carrier"])


def _upsert(model: Any) -> None:
    model.objects.bulk_create(
        [model(**{**_values(n), "carrier": "DHL"}) for n in range(3)],
        update_conflicts=True, unique_fields=["number"], update_fields=["carrier"],
    )  # fmt: skip


def _copy(model: Any, count: int = 3, prefix: str = "C") -> None:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY {_table(model)} ({COLUMNS}) FROM STDIN") as copy:
        copy.write(_copy_text(count, prefix))


def _copy_text(count: int, prefix: str) -> str:
    text = io.StringIO()
    for n in range(count):
        text.write("\t".join(str(value) for value in _values(n, prefix).values()) + "\n")
    return text.getvalue()


def _loaddata(model: Any) -> None:
    from django.core import serializers

    row = _first(model)
    row.carrier = "DHL"
    for loaded in serializers.deserialize("json", serializers.serialize("json", [row])):
        loaded.save()


def _function(model: Any) -> None:
    _execute(f"DO $$ BEGIN UPDATE {_table(model)} SET carrier = 'DHL'; END $$")


def _f() -> Any:
    from django.db.models import F

    return F("freight") + 1


WRITES: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "save()": (1, lambda m: _save(m, carrier="DHL")),
    "save() with F()": (1, lambda m: _save(m, freight=_f())),
    "save(update_fields)": (1, lambda m: setattr(r := _first(m), "carrier", "DHL") or r.save(update_fields=["carrier"])),
    "create()": (1, lambda m: m.objects.create(**_values(9))),
    "get_or_create()": (1, lambda m: m.objects.get_or_create(number="G", defaults=_values(9) | {"number": "G"})),
    "update_or_create()": (1, lambda m: m.objects.update_or_create(number="A1", defaults={"carrier": "DHL"})),
    "delete()": (1, lambda m: _first(m).delete()),
    "QuerySet.delete()": (3, lambda m: m.objects.all().delete()),
    "QuerySet._raw_delete()": (3, lambda m: m.objects.all()._raw_delete("default")),
    "QuerySet.update()": (3, lambda m: m.objects.update(carrier="DHL")),
    "QuerySet.update(F())": (3, lambda m: m.objects.update(freight=_f())),
    "bulk_create()": (3, lambda m: m.objects.bulk_create([m(**_values(n, "B")) for n in range(3)])),
    "bulk_create(ignore_conflicts)": (
        1, lambda m: m.objects.bulk_create([m(**_values(n)) for n in range(4)], ignore_conflicts=True),
    ),
    "bulk_create(update_conflicts)": (3, _upsert),
    "bulk_update()": (3, _bulk_update),
    "raw UPDATE": (3, lambda m: _execute(f"UPDATE {_table(m)} SET carrier = 'DHL'")),
    "raw INSERT … SELECT": (
        3, lambda m: _execute(f"INSERT INTO {_table(m)} ({COLUMNS}) SELECT 'I' || {COLUMNS} FROM {_table(m)}"),
    ),
    "raw DELETE": (3, lambda m: _execute(f"DELETE FROM {_table(m)}")),
    "data-modifying CTE": (
        3, lambda m: _execute(
            f"WITH gone AS (DELETE FROM {_table(m)} WHERE number = 'A0' RETURNING id) "
            f"UPDATE {_table(m)} SET carrier = 'DHL' WHERE number <> 'A0'"
        ),
    ),
    "MERGE": (
        2, lambda m: _execute(
            f"MERGE INTO {_table(m)} t USING (VALUES ('A0'), ('A1')) v(number) ON t.number = v.number "
            "WHEN MATCHED THEN UPDATE SET carrier = 'DHL'"
        ),
    ),
    "a function that writes": (3, _function),
    "COPY": (3, _copy),
    "loaddata": (1, _loaddata),
}  # fmt: skip


# -- what it costs -----------------------------------------------------------------------------------


def _costs(*, rows: int, saves: int, repeat: int) -> dict[str, dict[str, float]]:
    """Seconds by kind of write and kind of record, medians of `repeat` interleaved runs; single saves in ms."""
    from django.db import connection

    from benchmarks.recordings.models import PlainOrder, RecordedOrder, StockOrder

    kinds = {"none": PlainOrder, "ours": RecordedOrder, "stock": StockOrder}
    text = _copy_text(rows, "X")
    found: dict[str, dict[str, list[float]]] = {
        name: {kind: [] for kind in kinds} for name in ("single save, ms", "COPY, s", "update, s")
    }
    for _ in range(repeat):
        for kind, model in kinds.items():
            _empty(model)
            began = time.perf_counter()
            copying = f"COPY {_table(model)} ({COLUMNS}) FROM STDIN"
            with _writing(kind), connection.cursor() as cursor, cursor.copy(copying) as copy:
                copy.write(text)
            found["COPY, s"][kind].append(time.perf_counter() - began)
        for kind, model in kinds.items():
            began = time.perf_counter()
            with _writing(kind):
                model.objects.update(carrier="DHL")
            found["update, s"][kind].append(time.perf_counter() - began)
    found["single save, ms"] = _single_saves(kinds, saves)
    return {name: {k: round(statistics.median(v), 3) for k, v in each.items()} for name, each in found.items()}


def _single_saves(kinds: dict[str, Any], saves: int) -> dict[str, list[float]]:
    """One row changed and saved in one explicit transaction, by turns, so that all meet the same weather."""
    rows = {kind: list(model.objects.order_by("id")[:saves]) for kind, model in kinds.items()}
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for n in range(saves):
        for kind in kinds:
            row = rows[kind][n]
            row.carrier = "UPS"
            with _stock_writers(kind == "stock"):
                began = time.perf_counter()
                with _writing(kind):
                    row.save()
                took[kind].append((time.perf_counter() - began) * 1000)
    return took


def _writing(kind: str) -> Any:
    from django.db import transaction

    from admin_ext.audit.context import change_set

    return change_set(actor=None, door="command", verb="bench.write") if kind == "ours" else transaction.atomic()


def _empty(model: Any) -> None:
    with _writing("ours"):
        _execute(f"DELETE FROM {_table(model)}")
    with database.owner() as owner:
        owner.execute(f"VACUUM ANALYZE {_table(model)}")


def _told(result: dict[str, Any]) -> str:
    lines = ["Rows recorded (of these with actor, with change set), by way to write:", ""]
    totals = {"ours": [0, 0, 0, 0], "stock": [0, 0, 0, 0]}
    for name, kinds in result["paths"].items():
        cells = []
        for kind in ("ours", "stock"):
            changed, recorded, actor, act = kinds[kind]
            totals[kind] = [a + b for a, b in zip(totals[kind], kinds[kind], strict=True)]
            cells.append(f"{kind} {recorded} of {changed} ({actor}, {act})")
        lines.append(f"  {name:32} {cells[0]:24} {cells[1]}")
    for kind, (changed, recorded, actor, act) in totals.items():
        lines.append(
            f"  {kind:6} recorded {recorded / changed:.0%}, with actor {actor / changed:.0%}, with change set {act / changed:.0%}"
        )
    lines += ["", "Cost, medians:", ""]
    for name, kinds in result["cost"].items():
        base = kinds["none"]
        lines.append(
            f"  {name:16} " + "  ".join(f"{kind} {value:.3f} ({value / base:.2f} x)" for kind, value in kinds.items())
        )
    lines.append("  (stock sees no row of a COPY or an update: those figures are of writes without a record)")
    return "\n".join(lines)

"""`python -m benchmarks.stock.export csv|xlsx ROWS`: export orders with the stock packages, print the seconds."""

from __future__ import annotations

import os
import sys
import tempfile
import time

from benchmarks.stock.run import configure


def main() -> None:
    format, rows = sys.argv[1], int(sys.argv[2])
    configure()
    from django.core.management import call_command
    from import_export import fields, resources, widgets
    from import_export.formats import base_formats

    from benchmarks.stock.models import Customer, Order, Warehouse

    call_command("migrate", run_syncdb=True, verbosity=0)
    _fill(rows)

    class OrderResource(resources.ModelResource):
        customer = fields.Field("customer", "customer", widgets.ForeignKeyWidget(Customer, "code"))
        warehouse = fields.Field("warehouse", "warehouse", widgets.ForeignKeyWidget(Warehouse, "code"))

        class Meta:
            model = Order
            exclude = ("id",)

    began = time.perf_counter()
    found = OrderResource().export(Order.objects.select_related("customer", "warehouse").order_by("id"))
    made = {"csv": base_formats.CSV, "xlsx": base_formats.XLSX}[format]().export_data(found)
    with tempfile.NamedTemporaryFile() as file:
        file.write(made if isinstance(made, bytes) else made.encode())
        seconds = time.perf_counter() - began
        assert os.path.getsize(file.name)
    assert len(found) == rows
    print(seconds)


def _fill(rows: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stock_customer (code, name) SELECT 'C' || n, 'Name' FROM generate_series(1, 2000) n"
        )
        cursor.execute("INSERT INTO stock_warehouse (code) SELECT 'W' || n FROM generate_series(1, 20) n")
        cursor.execute(
            "INSERT INTO stock_order (number, customer_id, warehouse_id, ordered_on, required_on, customer_reference, "
            "ship_to_name, ship_to_city, ship_to_country, carrier, freight, currency) SELECT 'SO-' || n, "
            "1 + n * 7 %% 2000, 1 + n %% 20, date '2026-01-01' - n %% 500, date '2026-01-01', 'PO ' || n, "
            "'Customer ' || n, 'Lund', 'SE', 'PostNord', n %% 90 + 0.50, 'EUR' FROM generate_series(1, %s) n",
            [rows],
        )


if __name__ == "__main__":
    main()

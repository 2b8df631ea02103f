"""`python -m benchmarks.stock.run FILE MODE`: import the file with the stock packages, print the seconds.

- `default`: row by row, with `full_clean` and history.
- `bulk`: `use_bulk` with `bulk_create_with_history` in place of its `bulk_create`; nothing is checked.
- `bulk_cached`: that, and `CachedForeignKeyWidget`: no row asks the database anything.
- `bulk_checked`: that, with `full_clean` of every row, as the default has it.
"""

from __future__ import annotations

import csv
import os
import sys
import time

import environ


def main() -> None:
    path, mode = sys.argv[1:3]
    configure()
    from django.core.management import call_command
    from django.db import connection
    from import_export import fields, resources, widgets
    from import_export.instance_loaders import CachedInstanceLoader, ModelInstanceLoader
    from simple_history.utils import bulk_create_with_history
    from tablib import Dataset

    from benchmarks.stock.models import Customer, Order, Warehouse

    call_command("migrate", run_syncdb=True, verbosity=0)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    Customer.objects.bulk_create(Customer(code=c, name=c) for c in sorted({row["customer"] for row in rows}))
    Warehouse.objects.bulk_create(Warehouse(code=c) for c in sorted({row["warehouse"] for row in rows}))

    bulk = mode != "default"
    by_code = widgets.CachedForeignKeyWidget if mode in ("bulk_cached", "bulk_checked") else widgets.ForeignKeyWidget

    class OrderResource(resources.ModelResource):
        customer = fields.Field("customer", "customer", by_code(Customer, "code"))
        warehouse = fields.Field("warehouse", "warehouse", by_code(Warehouse, "code"))

        class Meta:
            model = Order
            import_id_fields = ("number",)
            exclude = ("id",)
            clean_model_instances = mode in ("default", "bulk_checked")
            instance_loader_class = CachedInstanceLoader if bulk else ModelInstanceLoader
            use_bulk = bulk
            batch_size = 1000
            skip_diff = bulk

        def bulk_create(self, using_transactions, dry_run, raise_errors, batch_size=None, result=None):  # type: ignore[no-untyped-def]
            bulk_create_with_history(self.create_instances, Order, batch_size=batch_size)
            self.create_instances.clear()

    began = time.perf_counter()
    with open(path, encoding="utf-8", newline="") as file:
        dataset = Dataset().load(file.read(), format="csv")
    result = OrderResource().import_data(dataset, raise_errors=True, use_transactions=True)
    seconds = time.perf_counter() - began
    assert not result.has_errors()
    assert not result.has_validation_errors()
    assert Order.objects.count() == Order.history.count() == len(rows), "a row or its history is missing"
    connection.close()
    print(seconds)


def configure() -> None:
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.admin",
            "django.contrib.messages",
            "simple_history",
            "import_export",
            "benchmarks.stock",
        ],
        USE_TZ=True,
        MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "admin")),
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


if __name__ == "__main__":
    main()

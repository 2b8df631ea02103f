"""The series from which documents get their numbers; the tables' defaults draw from them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = []

    operations = [
        migrations.RunSQL(f"CREATE SEQUENCE {series} START 100001", f"DROP SEQUENCE {series}")
        for series in ("orders_order_number", "orders_shipment_number", "orders_return_number")
    ]

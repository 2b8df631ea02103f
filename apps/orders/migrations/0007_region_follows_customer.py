"""Orders follow their customer's region; those that are there already are filled in, some thousands at a time."""

from django.db import migrations

from admin_ext.access.scope_keys import fill_scope_key, pass_on_scope_key


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0006_region")]

    operations = [
        pass_on_scope_key(
            name="orders_follow_region",
            table="orders_order",
            column="region_id",
            through="customer_id",
            source="customers_customer.region_id",
        ),
        fill_scope_key(
            table="orders_order", column="region_id", reason="The region of an order is kept in the order's own table."
        ),
    ]

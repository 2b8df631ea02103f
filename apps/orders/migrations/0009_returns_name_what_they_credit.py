"""Returns that are there already get the customer and currency of their order; their lines a number, the product and the
price of the line that came back. Some thousands at a time."""

from typing import Any

from django.db import migrations

from admin_ext.access.scope_keys import pass_on_scope_key

REASON = "A return keeps its customer, and its lines what they credit."
ROWS = 20_000
RETURNS = """
    UPDATE public.orders_return r SET customer_id = o.customer_id, currency = o.currency
    FROM public.orders_order o
    WHERE o.id = r.order_id AND r.id BETWEEN %s AND %s AND r.customer_id IS NULL
"""
LINES = """
    UPDATE public.orders_returnline t
    SET number = n.number, product_id = l.product_id, unit_price = l.unit_price, discount = l.discount
    FROM (
        SELECT id, row_number() OVER (PARTITION BY goods_return_id ORDER BY id) AS number
        FROM public.orders_returnline WHERE goods_return_id BETWEEN %s AND %s
    ) n, public.orders_orderline l
    WHERE n.id = t.id AND l.id = t.order_line_id AND t.product_id IS NULL
"""


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT min(id), max(id) FROM public.orders_return")
        first, last = cursor.fetchone()
        for begin in range(first or 0, (last or -1) + 1, ROWS):
            cursor.execute("BEGIN")
            cursor.execute("SELECT set_config('opsadmin.reason', %s, true)", [REASON])
            for statement in (RETURNS, LINES):
                cursor.execute(statement, [begin, begin + ROWS - 1])
            cursor.execute("COMMIT")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0008_returns_as_credits")]

    operations = [
        pass_on_scope_key(
            name="returns_follow_region",
            table="orders_return",
            column="region_id",
            through="customer_id",
            source="customers_customer.region_id",
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]

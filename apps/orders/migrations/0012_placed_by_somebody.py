"""The index of who placed an order holds only orders that somebody placed. The new one is built beside the work, the old
one goes when it is there."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("orders", "0011_scope_keys_for_whole_statements"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                condition=models.Q(("placed_by__isnull", False)), fields=["placed_by"], name="order_placed_by"
            ),
        ),
        # Not by AlterField alone, which would make the foreign key anew and read the whole table for it.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'DROP INDEX CONCURRENTLY IF EXISTS "orders_order_placed_by_id_fb0fe558"',
                    'CREATE INDEX CONCURRENTLY "orders_order_placed_by_id_fb0fe558" ON "orders_order" ("placed_by_id")',
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="order",
                    name="placed_by",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="Who took the order.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="placed_orders",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]

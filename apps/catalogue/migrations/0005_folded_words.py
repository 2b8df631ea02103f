"""The words that a search looks into are folded: the new index is made beside the old one, without locking the table."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations

import admin_ext.lookups


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalogue", "0004_reveal"), ("admin_ext", "0003_folded_words")]

    operations = [
        AddIndexConcurrently(
            model_name="supplier",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector(admin_ext.lookups.Folded("name"), config="simple"),
                name="supplier_folded_words",
            ),
        ),
        RemoveIndexConcurrently(model_name="supplier", name="supplier_words"),
        AddIndexConcurrently(
            model_name="product",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector(admin_ext.lookups.Folded("name"), config="simple"),
                name="product_folded_words",
            ),
        ),
        RemoveIndexConcurrently(model_name="product", name="product_words"),
    ]

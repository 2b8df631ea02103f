"""Migrations never take a column from history: what was sealed with it could no longer be verified."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.migrations import Migration
from django.db.migrations import operations as ops
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from admin_ext.audit.seals.columns import find_lost_columns

OURS = ("admin_ext", "apps")


def test_no_migration_loses_a_column_of_history():
    loader = MigrationLoader(None, ignore_no_migrations=True)
    order, seen = [], set()
    for target in loader.graph.leaf_nodes():
        for key in loader.graph.forwards_plan(target):
            if key not in seen:
                seen.add(key)
                order.append(loader.graph.nodes[key])
    state, found = ProjectState(), []
    for migration in order:
        lost = find_lost_columns(state, migration)
        found += lost if type(migration).__module__.startswith(OURS) else []
    assert found == []
    assert any("historicalcustomer" in name for _, name in state.models)


PLANTED = {
    "removed": ops.RemoveField("historicalthing", "name"),
    "renamed": ops.RenameField("historicalthing", "name", "title"),
    "retyped": ops.AlterField("historicalthing", "name", models.IntegerField(null=True)),
    "rescaled": ops.AlterField(
        "historicalthing", "price", models.DecimalField(max_digits=14, decimal_places=4, null=True)
    ),
    "deleted": ops.DeleteModel("HistoricalThing"),
    "model renamed": ops.RenameModel("HistoricalThing", "HistoricalOther"),
    "moved": ops.AlterModelTable("historicalthing", "elsewhere"),
}
HARMLESS = {
    "longer": ops.AlterField("historicalthing", "name", models.CharField(max_length=200, null=True)),
    "wider": ops.AlterField(
        "historicalthing", "price", models.DecimalField(max_digits=20, decimal_places=2, null=True)
    ),
    "added": ops.AddField("historicalthing", "city", models.CharField(max_length=20, null=True)),
    "another table": ops.RemoveField("thing", "name"),
}


@pytest.fixture
def state():
    fields = {"name": models.CharField(max_length=20), "price": models.DecimalField(max_digits=12, decimal_places=2)}
    history = {"history_id": models.BigAutoField(primary_key=True), **fields}
    known = ProjectState()
    known.add_model(ModelState("things", "Thing", {"id": models.BigAutoField(primary_key=True), **fields}))
    known.add_model(ModelState("things", "HistoricalThing", history))
    return known


@pytest.mark.parametrize("breach", PLANTED)
def test_a_planted_breach_is_found(state, breach):
    migration = Migration("0002_planted", "things")
    migration.operations = [PLANTED[breach]]
    (said,) = find_lost_columns(state, migration)
    assert said.startswith("things.0002_planted: ")


@pytest.mark.parametrize("change", HARMLESS)
def test_what_keeps_the_text_of_old_rows_passes(state, change):
    migration = Migration("0002_harmless", "things")
    migration.operations = [HARMLESS[change]]
    assert find_lost_columns(state, migration) == []

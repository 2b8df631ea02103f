"""Times that name no zone are those of the person whose plan it is, in a worker as in a request."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from admin_ext.jobs.running import run_job
from admin_ext.plans.correcting import submit_recheck
from admin_ext.plans.making import Source, sources, submit_plan
from admin_ext.plans.models import Action, Plan
from admin_ext.plans.rows import DraftRow, problem
from admin_ext.transfers.importing import submit_import
from apps.customers.models import Customer
from apps.inventory.models import StockMovement
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import WarehouseFactory
from tests.contracts.world import everywhere, rights_on
from tests.factories import UserFactory, give_role

pytestmark = pytest.mark.django_db


class Clock(Source):
    name = "clock"

    def draft(self, plan, run):
        plan.notes = [timezone.get_current_timezone_name()]
        yield [failed(1, "not checked again")]

    def recheck(self, plan, rows, actor):
        return [failed(row.number, timezone.get_current_timezone_name()) for row in rows]


def failed(number, key):
    errors = [problem("It is not a time.")]
    return DraftRow(number=number, line=2, action=Action.INVALID, key=key, raw=["noon"], errors=errors)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_a_plan_is_made_in_the_zone_of_who_asked_for_it(monkeypatch, zone):
    monkeypatch.setitem(sources, "clock", Clock())
    actor = UserFactory(time_zone=zone)
    plan = submit_plan(actor=actor, source="clock", title="What time is it?", model="customers.Customer")
    here = timezone.get_current_timezone_name()
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert (plan.state, plan.notes) == (Plan.State.READY, [zone])
    assert timezone.get_current_timezone_name() == here


def test_a_row_is_checked_again_in_the_zone_that_it_was_read_in(monkeypatch):
    monkeypatch.setitem(sources, "clock", Clock())
    actor = give_role(UserFactory(time_zone="Asia/Tokyo"), *rights_on(Customer), *everywhere(Customer))
    plan = submit_plan(actor=actor, source="clock", title="What time is it?", model="customers.Customer")
    run_job(plan.making_id)
    plan.refresh_from_db()
    plan = submit_recheck(actor=actor, plan=plan)
    run_job(plan.making_id)
    assert plan.rows.get().key == "Asia/Tokyo"


def test_a_file_is_read_ahead_in_the_zone_of_who_brings_it():
    rights = [*rights_on(StockMovement), *everywhere(StockMovement), "catalogue.view_product"]
    actor = give_role(UserFactory(time_zone="Asia/Tokyo"), *rights, "inventory.view_warehouse")
    warehouse, product = WarehouseFactory(), ProductFactory()
    cells = f"M-1,receive,{warehouse.code},{product.sku},5,2026-03-01 14:05\n"
    plan = submit_import(
        actor=actor,
        source=ContentFile(f"number,kind,warehouse,product,quantity,moved_at\n{cells}".encode()),
        name="moves.csv",
        resource="inventory.StockMovement",
    )
    run_job(plan.making_id)
    row = plan.rows.get()
    assert row.after, row.errors
    assert datetime.fromisoformat(row.after["moved_at"]) == datetime.fromisoformat("2026-03-01T14:05+09:00")

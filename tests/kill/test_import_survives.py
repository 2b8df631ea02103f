"""A worker killed at any point of an import leaves, once another has come, one complete application and no more."""

from __future__ import annotations

import random

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from admin_ext.jobs.models import Job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan, PlanRow
from admin_ext.transfers.importing import submit_import
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, give_role
from tests.integration_servers import BROKERS, kill, until, worker

ROWS = 40_000
EXISTING = 300


@pytest.fixture
def analyst(transactional_db):
    return give_role(person_for(Customer), "customers.view_region")


@pytest.fixture
def world(analyst):
    region = RegionFactory(code="NORD")
    for n in range(EXISTING):
        CustomerFactory(code=f"K{n}", name="Before", region=region)


def text():
    return "code,name,region,credit_limit\n" + "".join(f"K{n},Name {n},NORD,{n}\n" for n in range(ROWS))


def check_applied_once(plan):
    plan.refresh_from_db()
    assert plan.state == Plan.State.APPLIED, plan.applying.error
    assert plan.counts == {"create": ROWS - EXISTING, "update": EXISTING}
    assert Customer.objects.count() == ROWS
    job = Job.objects.select_related("change_set").get(pk=plan.applying_id)
    written = Customer.history.filter(change_set=job.change_set)
    assert written.count() == ROWS == written.values("id").distinct().count()
    assert job.change_set.rows == ROWS and job.change_set.counts == plan.counts
    assert not PlanRow.objects.filter(plan=plan).exclude(outcome="").exists(), "a row did not go as planned"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer WHERE name <> 'Name ' || substr(code, 2)")
        assert cursor.fetchone()[0] == 0


def import_under_fire(actor, tmp_path, *, kills, seed, broker="atomicfs://localhost"):
    """Import with workers that are killed at random moments, each followed by a fresh one."""
    chance = random.Random(seed)
    data = tmp_path / "data"

    def run(job_id, kills):
        def ended():
            return Job.objects.get(pk=job_id).has_ended

        for _ in range(kills):
            with worker(data, broker=broker) as process:
                until(lambda: ended() or Job.objects.get(pk=job_id).state == "running")
                pause = chance.uniform(0.0, 0.8)
                try:
                    until(ended, seconds=pause, every=0.02)
                    return
                except AssertionError:
                    kill(process)
        with worker(data, broker=broker):
            until(ended, seconds=120)

    plan = submit_import(actor=actor, source=ContentFile(text().encode()), name="k.csv", resource="customers.Customer")
    run(plan.making_id, kills)
    plan.refresh_from_db()
    assert plan.counts == {"create": ROWS - EXISTING, "update": EXISTING}
    assert plan.rows.count() == ROWS
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good", reason="credit limits of the new year")
    run(plan.applying_id, kills)
    return plan


@pytest.mark.kill
@pytest.mark.parametrize("seed", range(2))
def test_killed_workers_leave_one_complete_application(analyst, world, tmp_path, seed):
    plan = import_under_fire(analyst, tmp_path, kills=2, seed=seed)
    check_applied_once(plan)
    attempts = Job.objects.get(pk=plan.making_id).attempts + Job.objects.get(pk=plan.applying_id).attempts
    assert attempts > 2, "nobody was killed at work"


@pytest.mark.integration
@pytest.mark.parametrize("name", ["redis", "rabbitmq"])
def test_on_real_brokers_a_killed_worker_leaves_one_complete_application(analyst, world, tmp_path, name):
    if name not in BROKERS:
        pytest.skip(f"no {name} here: OPSADMIN_TEST_{name.upper()} names none")
    check_applied_once(import_under_fire(analyst, tmp_path, kills=1, seed=7, broker=BROKERS[name]))

"""Chunks of an apply: wherever the good rows of a plan stand, each is written once, and none is passed over."""

from __future__ import annotations

import pytest

from admin_ext.plans import applying
from admin_ext.plans.writing import SetBased
from apps.customers.models import Customer
from tests.admin_ext.plans.test_import import HEADER, applied, planned
from tests.contracts.world import person_for
from tests.factories import RegionFactory, give_role

pytestmark = pytest.mark.django_db
# Numbers of good rows among sixty.
SPREADS = {
    "all": range(1, 61),
    "every seventh": range(7, 61, 7),
    "at both ends": [1, 2, 3, 58, 59, 60],
    "together at the end": range(50, 61),
    "one, last": [60],
    "one, first": [1],
}


@pytest.mark.parametrize("spread", SPREADS)
def test_every_good_row_is_written_once(spread, monkeypatch):
    analyst = give_role(person_for(Customer), "customers.view_region")
    RegionFactory(code="NORD")
    good = set(SPREADS[spread])
    lines = (f"C{n},Name {n},NORD,{1 if n in good else 'x'}\n" for n in range(1, 61))
    plan = planned(analyst, HEADER + "".join(lines))
    assert plan.counts["create"] == len(good)

    monkeypatch.setattr(SetBased, "size", 2)
    chunks = []
    monkeypatch.setattr(
        applying, "_applied", lambda run, plan, apply, rows: chunks.append(rows) or apply(rows, run.actor)
    )
    plan = applied(analyst, plan)

    assert plan.state == plan.State.APPLIED and plan.counts["create"] == len(good)
    assert [row.number for chunk in chunks for row in chunk] == sorted(good)
    assert max(map(len, chunks)) <= 2
    assert set(Customer.objects.values_list("code", flat=True)) == {f"C{n}" for n in good}

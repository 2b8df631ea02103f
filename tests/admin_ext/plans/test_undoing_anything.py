"""Whatever an act does to rows of three models that name each other, its undo gives back the state before."""

from __future__ import annotations

import contextlib

import pytest
from django.db import transaction
from django.db.models import ProtectedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.customers.models import Contact, Customer, Region
from tests.admin_ext.plans.undos import act, said, undone
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, give_role

pytestmark = pytest.mark.django_db
MODELS = (Region, Customer, Contact)

# What is done, to which row of those that are there, and with which value.
steps = st.lists(
    st.tuples(
        st.sampled_from(["make", "edit", "move", "delete"]),
        st.sampled_from(MODELS),
        st.integers(0, 20),
        st.text("abcåÄ 1", min_size=1, max_size=8).map(lambda text: f"x{text.strip()}"),
    ),
    min_size=1,
    max_size=25,
)


def state():
    """All rows of the models, without what says when and how often they were written."""
    return {
        (model.__name__, row["id"]): {
            name: value for name, value in row.items() if name not in ("version", "updated_at")
        }
        for model in MODELS
        for row in model.objects.values()
    }


class Writer:
    """Does steps, as far as foreign keys let it; names are never used twice, as they are unique."""

    def __init__(self):
        self.made = 0

    def do(self, verb, model, which, text):
        rows = list(model.objects.order_by("pk"))
        row = rows[which % len(rows)] if rows else None
        self.made += 1
        if verb == "make":
            self.make(model, which)
        elif row is not None and verb == "edit":
            model.objects.filter(pk=row.pk).update(name=f"{text} {self.made}")
        elif row is not None and verb == "move":
            self.move(row, which)
        elif row is not None and verb == "delete":
            self.delete(row)

    def make(self, model, which):
        if model is Region:
            RegionFactory(code=f"NEW{self.made}", parent=self.one(Region, which))
        elif model is Customer:
            CustomerFactory(code=f"NEW{self.made}", region=self.one(Region, which))
        elif customer := self.one(Customer, which):
            ContactFactory(customer=customer, name=f"new {self.made}")

    def move(self, row, which):
        if isinstance(row, Customer):
            Customer.objects.filter(pk=row.pk).update(region=self.one(Region, which + 1))
        elif isinstance(row, Contact):
            Contact.objects.filter(pk=row.pk).update(customer=self.one(Customer, which + 1))

    def delete(self, row):
        with contextlib.suppress(ProtectedError):
            row.delete()

    def one(self, model, which):
        rows = list(model.objects.order_by("pk"))
        return rows[which % len(rows)] if rows else None


class TestAnyAct:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps)
    def test_and_its_undo_and_the_undo_of_that(self, todo):
        with transaction.atomic():
            self.check(todo)
            transaction.set_rollback(True)

    def check(self, todo):
        person = give_role(person_for(Customer), *person_for(Region).get_all_permissions(), "audit.view_changeset")
        person = User.objects.get(pk=person.pk)
        regions = [RegionFactory() for _ in range(2)]
        customers = [CustomerFactory(region=region) for region in regions * 2]
        for customer in customers:
            ContactFactory(customer=customer)
        before = state()
        writer = Writer()
        with act(always=True) as over:
            for step in todo:
                writer.do(*step)
        after = state()
        if before == after:
            return
        plan = undone(person, over[0])
        assert not plan.bad, said(plan)
        assert state() == before
        plan = undone(person, plan.applying.change_set)
        assert not plan.bad, said(plan)
        assert state() == after

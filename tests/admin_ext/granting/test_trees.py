"""The database keeps trees trees, however many steps and people it would take to close a circle."""

from __future__ import annotations

import threading

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from admin_ext.access.trees import TreeTrigger
from admin_ext.audit.context import change_set
from admin_ext.models import Record
from apps.catalogue.models import Category
from apps.customers.models import Region
from apps.inventory.models import Warehouse
from tests.contracts.world import make
from tests.factories import RegionFactory


def trees():
    """Every record with a parent of its own kind."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, Record)
        and any(field.name == "parent" and field.related_model is model for field in model._meta.fields)
    ]


def test_every_tree_is_kept():
    assert {Region, Warehouse, Category} <= set(trees())
    assert [m for m in trees() if not any(isinstance(t, TreeTrigger) for t in m._meta.triggers)] == []


@pytest.mark.django_db
@pytest.mark.parametrize("model", trees(), ids=lambda m: m._meta.label)
class TestTrees:
    def chain(self, model):
        first, second, third = (make(model) for _ in range(3))
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            model.objects.filter(pk=second.pk).update(parent=first)
            model.objects.filter(pk=third.pk).update(parent=second)
        return first, second, third

    def test_a_circle_of_three_is_refused(self, model):
        first, _, third = self.chain(model)
        refused = pytest.raises(IntegrityError, match="below itself")
        with refused, change_set(actor=None, door="shell", verb="tests.move"):
            model.objects.filter(pk=first.pk).update(parent=third)

    def test_a_circle_closed_by_one_statement_is_refused(self, model):
        first, second, third = self.chain(model)
        refused = pytest.raises(IntegrityError, match="below itself")
        with refused, change_set(actor=None, door="shell", verb="tests.move"):
            turned = models.Case(
                *(
                    models.When(pk=row.pk, then=models.Value(below.pk))
                    for row, below in ((first, third), (third, second))
                ),
                default="parent_id",
                output_field=models.BigIntegerField(),
            )
            model.objects.filter(pk__in=[first.pk, second.pk, third.pk]).update(parent=turned)

    def test_a_branch_is_moved(self, model):
        first, second, third = self.chain(model)
        with change_set(actor=None, door="shell", verb="tests.move"):
            model.objects.filter(pk=third.pk).update(parent=first)
            model.objects.filter(pk=second.pk).update(parent=third)
        assert model.objects.get(pk=second.pk).parent_id == third.pk


@pytest.mark.django_db(transaction=True)
def test_two_people_close_no_circle_together():
    """Each move alone is fine; the second waits for the first and is refused."""
    left, right = RegionFactory(), RegionFactory()
    errors = []

    def second():
        try:
            with change_set(actor=None, door="shell", verb="tests.move"):
                Region.objects.filter(pk=right.pk).update(parent=left)
        except IntegrityError as error:
            errors.append(str(error))
        finally:
            connection.close()

    with transaction.atomic(), change_set(actor=None, door="shell", verb="tests.move"):
        Region.objects.filter(pk=left.pk).update(parent=right)
        other = threading.Thread(target=second)
        other.start()
        other.join(0.5)
        assert other.is_alive()  # it waits
    other.join(10)
    assert len(errors) == 1 and "below itself" in errors[0]

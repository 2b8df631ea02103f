"""Before and after: the rows beside each row are those beside it in the list, whatever it is sorted by."""

from __future__ import annotations

import pytest
from django.db.models import F, Value
from django.db.models.functions import Lower
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_ext.filtering.neighbours import OrderNotKnown, neighbours
from apps.customers.models import Customer
from tests.factories import CustomerFactory, RegionFactory

ORDERS = ("code", "name", "city", "credit_limit", "region", "region__code", "region_id", "pk", "updated_at", "status")


@pytest.mark.django_db
class TestNeighbours:
    @pytest.fixture
    def rows(self, act):
        places = [None, RegionFactory(), RegionFactory()]
        for n in range(9):
            CustomerFactory(region=places[n % 3], city=["Lund", "", "Åbo"][n % 3], credit_limit=[0, 5, 5, 10][n % 4])

    @given(st.lists(st.tuples(st.sampled_from(ORDERS), st.booleans()), max_size=3))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_are_those_of_the_list(self, rows, ordering):
        asked = [f"-{path}" if down else path for path, down in ordering]
        listed = Customer.objects.order_by(*asked, "pk")
        keys = list(listed.values_list("pk", flat=True))
        for position, key in enumerate(keys):
            before = keys[position - 1] if position else None
            after = keys[position + 1] if position + 1 < len(keys) else None
            assert neighbours(listed, key) == (before, after), asked

    def test_a_row_outside_of_the_list_has_none(self, rows):
        outside = Customer.objects.filter(region=None).first()
        assert neighbours(Customer.objects.exclude(region=None), outside.pk) == (None, None)

    def test_by_what_a_list_adds(self, rows):
        listed = Customer.objects.annotate(small=Lower("city")).order_by(F("small").desc(), "code")
        keys = list(listed.values_list("pk", flat=True))
        assert neighbours(listed, keys[3]) == (keys[2], keys[4])

    def test_two_queries(self, rows, django_assert_num_queries):
        key = Customer.objects.first().pk
        with django_assert_num_queries(2):
            neighbours(Customer.objects.order_by("name"), key)

    @pytest.mark.parametrize("order", ["?", Lower("city").desc(), F("city").desc(nulls_last=True), Value(1)])
    def test_some_orders_cannot_be_compared(self, order):
        with pytest.raises(OrderNotKnown):
            neighbours(Customer.objects.order_by(order), 1)

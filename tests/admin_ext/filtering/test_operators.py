"""What a filter may ask beside what it asks by itself, in addresses, selections and words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from admin_ext.audit.context import change_set
from admin_ext.filtering.days import WORDS, days_meant
from admin_ext.filtering.filterset import FilterSet, as_querydict, filterset_for
from admin_ext.filtering.operators import listed_in
from admin_ext.filtering.selection import Selection, UnknownFilter
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.apps.orders.factories import OrderFactory
from tests.factories import CustomerFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return UserFactory(is_superuser=True)


def found(root, model, **filters):
    chosen = {name: value if isinstance(value, list) else [value] for name, value in filters.items()}
    selection = Selection(model=model._meta.label, filters=chosen)
    return {str(row) for row in selection.resolve(actor=root, action="view")}


def chips(root, model, **filters):
    class Request:
        user, GET = root, {}

    data = as_querydict({name: value if isinstance(value, list) else [value] for name, value in filters.items()})
    filterset: FilterSet = filterset_for(model)(data, queryset=model.objects.all(), request=Request())
    return [(label, value) for _, label, value in filterset.described()]


class TestTexts:
    @pytest.fixture(autouse=True)
    def towns(self):
        for code, city in (("A", "Oslo"), ("B", "Oslo Nord"), ("C", ""), ("D", "Bergen")):
            CustomerFactory(code=code, name=code, city=city)

    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            ("", "oslo", "AB"),
            ("is", "Oslo", "A"),
            ("not", "Oslo", "BCD"),
            ("starts", "Oslo", "AB"),
            ("lacks", "oslo", "CD"),
            ("empty", "", "C"),
            ("filled", "Oslo", "ABD"),
            ("in", "Oslo\nBergen\nRoma", "AD"),
            ("in", "Oslo, Bergen", "AD"),
            ("not_in", "Oslo;Bergen", "BC"),
            ("is", "", "ABCD"),
        ],
    )
    def test_each_operator(self, root, operator, value, expected):
        told = found(root, Customer, city=value, city_op=operator)
        assert {name.split()[0] for name in told} == set(expected)

    def test_an_operator_that_there_is_not_shows_nothing(self, root):
        with pytest.raises(UnknownFilter, match="city_op"):
            found(root, Customer, city="Oslo", city_op="like")
        with pytest.raises(UnknownFilter, match="have no filter hold_op"):
            found(root, Customer, hold_op="not")

    def test_are_told_in_words(self, root):
        assert chips(root, Customer, city="Oslo", city_op="lacks") == [("City", "does not contain Oslo")]
        assert chips(root, Customer, city_op="empty") == [("City", "is empty")]
        assert chips(root, Customer, city_op="is") == []


class TestOthers:
    def test_choices_related_rows_and_ranges_can_be_turned_round(self, root):
        one = CustomerFactory(status="active", credit_limit=10)
        two = CustomerFactory(status="on_hold", credit_limit=500, region=None)
        assert found(root, Customer, status=["active"], status_op="not") == {str(two)}
        assert found(root, Customer, region=[str(one.region_id)], region_op="not") == {str(two)}
        assert found(root, Customer, region_op="empty") == {str(two)}
        assert found(root, Customer, region_op="filled") == {str(one)}
        assert found(root, Customer, credit_limit_min="1", credit_limit_max="20", credit_limit_op="not") == {str(two)}

    def test_days_are_words_that_move(self, root):
        today = timezone.localdate()
        CustomerFactory()
        for number, days in (("N1", 0), ("N2", 6), ("N3", 7), ("N4", -1)):
            OrderFactory(number=number, ordered_on=today - timedelta(days=days))
        assert found(root, Order, ordered_on_op="last_7_days") == {"N1", "N2"}
        assert found(root, Order, ordered_on_op="tomorrow") == {"N4"}
        assert found(root, Order, ordered_on_op="past") == {"N2", "N3"}
        assert chips(root, Order, ordered_on_op="last_7_days") == [("Ordered on", "is in the last 7 days")]

    def test_who_changed_it_and_when(self, root):
        ann = UserFactory()
        with change_set(actor=ann, door="shell", verb="tests.write"):
            hers = CustomerFactory()
        with change_set(actor=root, door="shell", verb="tests.write"):
            his = CustomerFactory()
        assert found(root, Customer, changed_by=[str(ann.pk)]) == {str(hers)}
        assert found(root, Customer, changed_by=[str(ann.pk)], changed_on_op="today") == {str(hers)}
        assert found(root, Customer, changed_by=[str(ann.pk)], changed_on_op="last_week") == set()
        assert {str(hers), str(his)} <= found(root, Customer, changed_on_op="today")
        assert found(root, Customer, changed_on_op="yesterday") == set()

    def test_who_sees_no_people_is_not_asked_who_changed_it(self):
        person = give_role(UserFactory(), "customers.view_customer")
        assert "changed_by" not in filterset_for(Customer).parameters(person)
        assert "changed_on_op" in filterset_for(Customer).parameters(person)


class TestTheList:
    def test_offers_operators_and_shows_what_is_active(self, root, client):
        CustomerFactory(code="A1", city="Oslo")
        client.force_login(root)
        page = client.get(reverse("admin:customers_customer_changelist"), {"city": "Oslo", "city_op": "not"})
        assert '<option value="not" selected>is not</option>' in page.text
        [chip] = page.context["cl"].chips
        assert (chip["label"], chip["value"], chip["without"]) == ("City", "is not Oslo", "?")
        assert page.context["cl"].result_count == 0


class TestDays:
    @pytest.mark.parametrize(
        ("word", "first", "last"),
        [
            ("today", "2026-05-14", "2026-05-14"),
            ("yesterday", "2026-05-13", "2026-05-13"),
            ("last_7_days", "2026-05-08", "2026-05-14"),
            ("next_30_days", "2026-05-15", "2026-06-13"),
            ("this_week", "2026-05-11", "2026-05-17"),
            ("last_week", "2026-05-04", "2026-05-10"),
            ("this_month", "2026-05-01", "2026-05-31"),
            ("last_month", "2026-04-01", "2026-04-30"),
            ("this_quarter", "2026-04-01", "2026-06-30"),
            ("last_quarter", "2026-01-01", "2026-03-31"),
            ("this_year", "2026-01-01", "2026-12-31"),
            ("last_year", "2025-01-01", "2025-12-31"),
        ],
    )
    def test_each_word(self, word, first, last):
        meant = days_meant(word, date(2026, 5, 14))
        assert (str(meant.start), str(meant.stop)) == (first, last)

    @given(st.sampled_from(sorted(WORDS)), st.dates(date(1990, 1, 1), date(2090, 1, 1)))
    def test_periods_follow_each_other(self, word, today):
        meant = days_meant(word, today)
        assert meant.start is None or meant.stop is None or meant.start <= meant.stop
        if word.startswith("last_") and not word.endswith("_days"):
            this = days_meant(word.replace("last_", "this_"), today)
            assert meant.stop + timedelta(days=1) == this.start and this.start <= today <= this.stop


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A1\r\nB 2\n\nA1", ["A1", "B 2"]),
        ("A1 B2", ["A1", "B2"]),
        ("New York", ["New York"]),
        ("Oslo, New York", ["Oslo", "New York"]),
        ("a;b\tc", ["a", "b", "c"]),
        (" , ", []),
    ],
)
def test_a_pasted_list_is_taken_apart(text, expected):
    assert listed_in(text) == expected

"""Searches: the reference first, then words; accents and capitals do not matter; nothing is found by what is hidden."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_ext.access.rights import restrict
from admin_ext.filtering import few
from admin_ext.filtering.search import best_matches, folded, search
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.contracts.world import make, person_for
from tests.factories import CustomerFactory, UserFactory, give_role, grant, police

pytestmark = pytest.mark.django_db


def found(term, person=None, model=Customer):
    return {str(row.pk) for row in search(model.objects.all(), term, person or person_for(model))}


@pytest.mark.parametrize("term", ["asa", "ÅSA", "Åsa Öb", "öberg åsa", "oberg", "  oberg  ", "a\u030asa", "asa\0"])
def test_accents_and_capitals_do_not_matter(term):
    customer = CustomerFactory(name="Åsa Öberg")
    CustomerFactory(name="Someone Else")
    assert found(term) == {str(customer.pk)}


@pytest.mark.parametrize("term", ["berg", "asa berg", "sa"])
def test_words_are_found_by_their_beginning_alone(term):
    CustomerFactory(name="Åsa Öberg")
    assert not found(term)


@pytest.mark.parametrize("term", ["'", "\\", "a & b", "!", ":*", "a:*|b", "()", "%", "_", "\0", "\ud7ff", "x" * 3000])
def test_any_text_can_be_searched_for(term):
    CustomerFactory(name="Åsa Öberg")
    found(term)


def test_percent_and_underscore_are_letters():
    CustomerFactory(code="A1")
    assert not found("%") and not found("A_")


def test_a_masked_reference_finds_nothing():
    customer = CustomerFactory(code="ZZ1", name="Åsa")
    person = police(person_for(Customer), "customers.Customer:code", "masked")
    assert not found("ZZ", person) and found("asa", person) == {str(customer.pk)}


def test_a_masked_name_finds_nothing():
    customer = CustomerFactory(code="ZZ1", name="Åsa")
    person = police(person_for(Customer), "customers.Customer:name", "masked")
    assert not found("asa", person) and found("zz", person) == {str(customer.pk)}


def test_of_several_columns_only_those_that_may_be_read_are_asked(monkeypatch):
    monkeypatch.setattr(Customer, "search_words", ("name", "city"))
    here, there = CustomerFactory(name="Lund", city="Rome"), CustomerFactory(name="Rome", city="Lund")
    person = police(person_for(Customer), "customers.Customer:city", "hidden")
    assert found("lund") == {str(here.pk), str(there.pk)}
    assert found("lund", person) == {str(here.pk)}
    assert found("lund rome") == {str(here.pk), str(there.pk)} and not found("lund rome", person)


def test_references_come_first_and_the_exact_one_before_all():
    longer, exact = CustomerFactory(code="AB10", name="x"), CustomerFactory(code="AB1")
    words = CustomerFactory(code="ZZ", name="ab1 y q")
    person, everybody = person_for(Customer), Customer.objects.all()
    assert [row.pk for row in best_matches(everybody, "ab1", person, 8)] == [exact.pk, longer.pk]
    assert [row.pk for row in best_matches(everybody, "ab1", person, 1)] == [exact.pk]
    assert [row.pk for row in best_matches(everybody, "q", person, 8)] == [words.pk]


@pytest.mark.parametrize(("most", "worth_asking", "asked"), [(20_000, 1_000, True), (20_000, 0, True), (1, 0, False)])
def test_rare_words_are_asked_of_the_index_and_find_the_same(monkeypatch, most, worth_asking, asked):
    """As it goes with a big table, on a small one."""
    monkeypatch.setattr(few, "BIG", -2)
    cache.clear()
    monkeypatch.setattr(few, "FEW", most)
    monkeypatch.setattr(few, "WORTH_ASKING", worth_asking)
    wanted = {str(CustomerFactory(name=name).pk) for name in ("Åsa Öberg", "Asa")}
    by_code = CustomerFactory(code="ASA-1", name="Someone Else")
    person = person_for(Customer)
    with CaptureQueriesContext(connection) as queries:
        assert found("asa", person) == {*wanted, str(by_code.pk)}
    assert any("ANY(" in each["sql"] for each in queries) is asked
    assert not found("nobody", person)
    elsewhere = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", by_code.region)
    assert list(search(restrict(Customer.objects.all(), elsewhere), "asa", elsewhere)) == [by_code]
    assert not search(restrict(Customer.objects.all(), UserFactory()), "asa", person)
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone()[0] == "on"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0", max_codepoint=0x24FF), max_size=20)
)
def test_the_database_folds_as_we_do(db, text):
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.opsadmin_folded(%s)", [text])
        assert folded(cursor.fetchone()[0]) == folded(folded(text))


def test_the_index_answers():
    """Where the planner may not read the whole table, it does not need to."""
    make(Order, ship_to_name="Åsa Öberg")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = search(Order.objects.order_by(), "asa", person_for(Order)).explain()
    assert "order_folded_words" in plan and "order_customer_reference" in plan

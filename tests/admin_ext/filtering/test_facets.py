"""Beside each choice of a filter stands how many rows it would leave: of what the person sees, and never by a scan."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.filtering import counting
from apps.catalogue.models import Product
from apps.customers.models import Customer
from tests.apps.catalogue.factories import ProductFactory
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, UserFactory, give_role, grant, police

pytestmark = pytest.mark.django_db


@pytest.fixture
def customers():
    return [
        *CustomerFactory.create_batch(3, status="active", city="Lund"),
        *CustomerFactory.create_batch(2, status="on_hold", city="Lund"),
        CustomerFactory(status="on_hold", city="Oslo", name="Berg & Dal"),
    ]


def asked(client, query="", model=Customer):
    answer = client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_facets") + query)
    assert answer.status_code == 200
    return answer.json()


def test_each_choice_tells_what_it_would_leave(client, customers):
    client.force_login(person_for(Customer))
    assert asked(client)["status"] | {"closed": "0"} == {"active": "3", "on_hold": "3", "closed": "0"}
    # What the others ask holds; what the filter itself asks is what its choices would replace.
    assert asked(client, "?city=lund&status=active")["status"]["on_hold"] == "2"
    assert asked(client, "?q=berg")["status"] == {**asked(client)["status"], "active": "0", "on_hold": "1"}


def test_rows_elsewhere_are_not_counted(client, customers):
    person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", customers[0].region)
    client.force_login(person)
    assert asked(client)["status"]["active"] == "1" and asked(client)["status"]["on_hold"] == "0"
    assert client.get(reverse("admin:catalogue_product_facets")).status_code == 403


def test_what_is_hidden_is_not_told_by_counts(client, customers):
    person = person_for(Customer)
    person = police(person, "customers.Customer:status", "hidden")
    client.force_login(person)
    assert "status" not in asked(client)


@pytest.mark.parametrize("query", ["?status=nonsense", "?nonsense=1", "?credit_limit_min=soon"])
def test_a_question_that_is_not_understood_has_no_counts(client, customers, query):
    client.force_login(person_for(Customer))
    counts = asked(client, query)
    assert all(number == "0" for choices in counts.values() for number in choices.values())


def test_many_rows_are_not_counted_one_by_one(client, customers, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(counting, "CAP", 2)
    client.force_login(person_for(Customer))
    with django_assert_max_num_queries(30):
        told = asked(client)["status"]
    assert told["active"].startswith("about ")


def test_yes_and_no_are_told_too(client):
    ProductFactory.create_batch(2)
    client.force_login(person_for(Product))
    for name, told in asked(client, model=Product).items():
        if set(told) == {"true", "false"}:
            assert int(told["true"]) + int(told["false"]) == 2, name


def test_the_filters_of_a_list_know_where_their_counts_are(client, customers):
    client.force_login(person_for(Customer))
    listed = client.get(reverse("admin:customers_customer_changelist") + "?status=active")
    assert 'data-facets-at="facets/?status=active"' in listed.text

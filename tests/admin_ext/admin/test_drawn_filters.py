"""Filters of which none is asked are drawn once, for all who have the same; what somebody finds in them stays theirs."""

from __future__ import annotations

import re

import pytest
from django import forms
from django.urls import reverse

from admin_ext.access.models import FieldPolicy
from admin_ext.admin import changelist
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, RoleFactory, give_role, police

pytestmark = pytest.mark.django_db
CUSTOMERS = "admin:customers_customer_changelist"


@pytest.fixture(autouse=True)
def _nothing_is_drawn_yet(monkeypatch):
    monkeypatch.setattr(changelist, "_drawn", {})


@pytest.fixture
def made(monkeypatch):
    """How many forms of filters were made."""
    forms_made = []

    def styled(form: forms.Form) -> forms.Form:
        forms_made.append(form)
        return styling(form)

    styling = changelist.styled
    monkeypatch.setattr(changelist, "styled", styled)
    return forms_made


def filters(client, address: str, query: str = "") -> str:
    """The filters of a list, without the address of their counts."""
    page = client.get(reverse(address) + query).text
    found = page[page.index("data-facets-at") :]
    return re.sub(r'data-facets-at="[^"]*"', "", found[: found.index("</form>")])


def test_nobodys_question_is_drawn_once_and_for_all_who_have_the_same(client, made):
    client.force_login(person_for(Customer))
    first = filters(client, CUSTOMERS)
    assert 'name="status"' in first and len(made) == 1
    assert filters(client, CUSTOMERS) == first and len(made) == 1
    client.force_login(person_for(Customer))
    assert filters(client, CUSTOMERS, "?q=berg") == first and len(made) == 1


def test_a_question_is_drawn_with_its_answer(client, made):
    client.force_login(give_role(person_for(Customer), "customers.view_region"))
    first = filters(client, CUSTOMERS)
    assert re.search(r'<option value="on_hold"[^>]* selected', filters(client, CUSTOMERS, "?status=on_hold"))
    region = RegionFactory(name="Norrland")
    assert "Norrland" in filters(client, CUSTOMERS, f"?region={region.pk}")
    assert filters(client, CUSTOMERS) == first
    assert len(made) == 3


def test_who_has_fewer_filters_is_shown_fewer(client):
    client.force_login(person_for(Customer))
    assert 'name="credit_limit_min"' in filters(client, CUSTOMERS)
    client.force_login(police(person_for(Customer), "customers.Customer:credit_limit", "hidden"))
    assert 'name="credit_limit_min"' not in filters(client, CUSTOMERS)


def test_what_a_function_finds_is_found_each_time(client, made):
    address = "admin:access_fieldpolicy_changelist"
    client.force_login(person_for(FieldPolicy))
    assert "Night shift" not in filters(client, address)
    RoleFactory(name="Night shift")
    assert "Night shift" in filters(client, address) and len(made) == 2


@pytest.mark.parametrize(("query", "found"), [("", 2), ("?status=on_hold", 1), ("?q=Nobody", 0)])
def test_rows_are_narrowed_as_asked(client, query, found):
    CustomerFactory(status="active"), CustomerFactory(status="on_hold")
    client.force_login(person_for(Customer))
    assert len(client.get(reverse(CUSTOMERS) + query).context["cl"].result_list) == found

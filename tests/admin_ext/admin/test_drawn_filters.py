"""Filters of which none is asked are drawn once, for all who have the same; what somebody finds in them stays theirs."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from admin_ext.access.models import FieldPolicy
from admin_ext.admin import filter_panel
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, RoleFactory, give_role, police

pytestmark = pytest.mark.django_db
CUSTOMERS = "admin:customers_customer_changelist"


@pytest.fixture(autouse=True)
def _nothing_is_drawn_yet(monkeypatch):
    monkeypatch.setattr(filter_panel, "_drawn", {})


@pytest.fixture
def drawn(monkeypatch):
    """The filters that were drawn, by name."""
    found = []
    drawing = filter_panel.FilterSetSpec._draw
    monkeypatch.setattr(
        filter_panel.FilterSetSpec,
        "_draw",
        lambda spec, changelist, name: found.append(name) or drawing(spec, changelist, name),
    )
    return found


def filters(client, address: str, query: str = "") -> str:
    """The filters of a list, without the address of their counts."""
    page = client.get(reverse(address) + query).text
    found = page[page.index("data-facets-at") :]
    return re.sub(r'data-facets-at="[^"]*"', "", found[: found.index("</form>")])


def test_nobodys_question_is_drawn_once_and_for_all_who_have_the_same(client, drawn):
    client.force_login(person_for(Customer))
    first = filters(client, CUSTOMERS)
    once = len(drawn)
    assert 'name="status"' in first and once == len(set(drawn)) > 5
    assert filters(client, CUSTOMERS) == first
    client.force_login(person_for(Customer))
    assert filters(client, CUSTOMERS, "?q=berg") == first and len(drawn) == once


def test_a_question_is_drawn_with_its_answer(client, drawn):
    client.force_login(give_role(person_for(Customer), "customers.view_region"))
    first = filters(client, CUSTOMERS)
    drawn.clear()
    assert re.search(r'<option value="on_hold"[^>]* selected', filters(client, CUSTOMERS, "?status=on_hold"))
    region = RegionFactory(name="Norrland")
    assert "Norrland" in filters(client, CUSTOMERS, f"?region={region.pk}")
    assert 'value="7"' in filters(client, CUSTOMERS, "?credit_limit_max=7")
    assert "Enter a number" in filters(client, CUSTOMERS, "?credit_limit_min=soon")
    assert filters(client, CUSTOMERS) == first
    assert drawn == ["status", "region", "credit_limit", "credit_limit"]


def test_who_has_fewer_filters_is_shown_fewer(client):
    client.force_login(person_for(Customer))
    assert 'name="credit_limit_min"' in filters(client, CUSTOMERS)
    client.force_login(police(person_for(Customer), "customers.Customer:credit_limit", "hidden"))
    assert 'name="credit_limit_min"' not in filters(client, CUSTOMERS)


def test_what_a_function_finds_is_found_each_time(client, drawn):
    address = "admin:access_fieldpolicy_changelist"
    client.force_login(person_for(FieldPolicy))
    assert "Night shift" not in filters(client, address)
    RoleFactory(name="Night shift")
    assert "Night shift" in filters(client, address) and drawn.count("role") == 2 and drawn.count("kind") == 1


@pytest.mark.parametrize(("query", "found"), [("", 2), ("?status=on_hold", 1), ("?q=Nobody", 0)])
def test_rows_are_narrowed_as_asked(client, query, found):
    CustomerFactory(status="active"), CustomerFactory(status="on_hold")
    client.force_login(person_for(Customer))
    assert len(client.get(reverse(CUSTOMERS) + query).context["cl"].result_list) == found

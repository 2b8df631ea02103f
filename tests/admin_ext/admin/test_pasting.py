"""A pasted list of references becomes a selection; what it does not name, or may not be named, is told alike."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.admin.kept_selections import LONGEST
from admin_ext.filtering.pasting import TooManyReferences, match_references
from admin_ext.jobs.running import run_job
from admin_ext.plans.models import Plan
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.contracts.world import make, person_for
from tests.factories import CustomerFactory, UserFactory, give_role, grant, police

pytestmark = pytest.mark.django_db


def test_matches_within_what_the_person_sees():
    mine, theirs = CustomerFactory(code="A1"), CustomerFactory(code="A2")
    person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", mine.region)
    pasted = match_references(Customer, 'a1\n"A1", A2; ZZ\tA1', actor=person)
    assert (pasted.keys, pasted.unmatched, pasted.repeated) == ([mine.pk], ["A2", "ZZ"], 2)
    assert theirs.pk not in pasted.keys


def test_a_reference_of_several_rows_means_none():
    orders = [make(Order), *(make(Order, customer_reference="PO-7") for _ in range(2))]
    pasted = match_references(Order, f"PO-7\n{orders[0].number}", actor=person_for(Order))
    assert (pasted.keys, pasted.ambiguous) == ([orders[0].pk], ["PO-7"])


def test_nothing_is_found_by_what_the_person_may_not_read():
    customer = CustomerFactory(code="A1")
    person = police(person_for(Customer), "customers.Customer:code", "masked")
    assert customer.pk not in match_references(Customer, "A1", actor=person).keys


def test_more_than_is_taken_is_refused():
    with pytest.raises(TooManyReferences):
        match_references(Customer, "\n".join(f"A{n}" for n in range(20_001)), actor=person_for(Customer))


def test_the_list_shows_them_and_all_of_them_are_changed(client):
    products = [make(Product, sku=f"P-{n}", list_price="10.00") for n in range(3)]
    client.force_login(person_for(Product))
    page = client.post(reverse("admin:catalogue_product_paste"), {"references": "P-0\nP-1\nP-9"})
    assert page.context["pasted"].unmatched == ["P-9"]
    listed = client.get(page.context["list"])
    assert {row.pk for row in listed.context["cl"].result_list} == {products[0].pk, products[1].pk}
    everything = {"action": "edit", "_selected_action": [products[0].pk], "select_across": "1"}
    address = client.post(page.context["list"], everything).url
    asked = client.get(address)
    posted = {"selection": asked.context["selection"], "_go": "1", "do-list_price": "amount", "value-list_price": "1"}
    client.post(address, {**posted, "reason": "Spring"})
    plan = Plan.objects.get()
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.counts == {"update": 2}


def test_five_thousand_are_too_long_for_an_address_and_go_all_the_same(client):
    some = make(Product)
    client.force_login(person_for(Product))
    session = client.session
    keys = [some.pk, *range(10**9, 10**9 + 5000)]
    session["kept_selections"] = {"t": {"model": "catalogue.Product", "keys": keys}}
    session.save()
    everything = {"action": "edit", "_selected_action": [some.pk], "select_across": "1"}
    response = client.post(reverse("admin:catalogue_product_changelist") + "?pasted=t", everything)
    assert response.status_code == 302 and len(response.url) < LONGEST
    assert client.get(response.url).status_code == 200


def test_another_sessions_list_shows_nothing(client):
    make(Product)
    client.force_login(person_for(Product))
    listed = client.get(reverse("admin:catalogue_product_changelist") + "?pasted=unknown")
    assert not listed.context["cl"].result_list and "not kept any more" in listed.text

"""The dashboard: each figure is the length of the list that it leads to, within the person's scope."""

from __future__ import annotations

import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from admin_ext.audit.context import change_set
from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.views import save_view
from apps.accounts.models import Membership
from apps.customers.models import Customer
from apps.orders.models import Order
from apps.orders.services import confirm_order
from tests.apps.inventory.factories import StockLevelFactory
from tests.apps.orders.factories import order_with_stock
from tests.factories import ChangeSetFactory, CustomerFactory, JobFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

RIGHTS = [
    "orders.view_order",
    "orders.confirm_order",
    "customers.view_customer",
    "inventory.view_stocklevel",
    "inventory.view_warehouse",
    "catalogue.view_product",
]
CUSTOMERS = "/customers/customer/"
EVERYWHERE = ["customers.access_all_region", "inventory.access_all_warehouse"]


@pytest.fixture
def dashboard(client):
    def visit(person):
        client.force_login(person)
        return client.get(reverse("admin:index"))

    return visit


def make_orders(person, **place):
    """Orders of several ages and states, one of them late."""
    today = timezone.localdate()
    for days in (0, 6, 7, 29, 30, 90):
        day = today - datetime.timedelta(days=days)
        order = order_with_stock(1, ordered_on=day, required_on=day + datetime.timedelta(days=10), **place)
        if days % 2 == 0:
            confirm_order(actor=person, order=order)


@pytest.fixture
def everyone():
    return give_role(UserFactory(), *RIGHTS, *EVERYWHERE)


def figures(response):
    """(number, address) of every figure on the page that leads to a list."""
    tiles = [(figure.number, figure.url) for figure in response.context["figures"]]
    cells = re.findall(r'<a href="([^"]+)" class="text-link">([\d,]+)</a>', response.text)
    return tiles + [(int(number.replace(",", "")), address.replace("&amp;", "&")) for address, number in cells]


def test_each_figure_is_the_length_of_the_list_it_leads_to(client, dashboard, everyone):
    make_orders(everyone)
    StockLevelFactory(reorder_level=5)
    StockLevelFactory(on_hand=9, reorder_level=5)
    JobFactory(requested_by=everyone)
    JobFactory(requested_by=everyone, state="failed", finished_at=timezone.now())
    old = timezone.now() - datetime.timedelta(days=8)
    JobFactory(requested_by=everyone, state="failed", queued_at=old, finished_at=old)
    JobFactory()
    response = dashboard(everyone)
    found = figures(response)
    assert [figure.number for figure in response.context["figures"]] == [6, 2, 1, 1, 1]
    assert len(found) == 5 + 2 * 4
    for number, address in found:
        assert client.get(address).context["cl"].result_count == number, address


def test_figures_are_those_of_the_persons_own_places(dashboard, everyone):
    make_orders(everyone, customer=CustomerFactory(name="Zanzibar Traders"))
    StockLevelFactory(reorder_level=5)
    own = order_with_stock(1)
    person = grant(give_role(UserFactory(), *RIGHTS), "access_region", own.customer.region)
    response = dashboard(grant(person, "access_warehouse", own.warehouse))
    assert [figure.number for figure in response.context["figures"]] == [1, 0, 0, 0, 0]
    assert "Zanzibar" not in response.text
    assert sum(number for number, _ in figures(response)) == 1 + 2


def test_what_one_may_not_list_is_not_counted(dashboard):
    make_orders(give_role(UserFactory(), *RIGHTS, *EVERYWHERE))
    response = dashboard(UserFactory())
    assert {figure.label for figure in response.context["figures"]} == {"Jobs at work", "Jobs failed this week"}
    assert "Open orders" not in response.text


def test_recent_changes_are_ones_own_or_all_for_those_who_may_see_all(client, dashboard):
    person, auditor = UserFactory(), give_role(UserFactory(), "audit.view_changeset")
    own, foreign = ChangeSetFactory(actor=person), ChangeSetFactory()
    shown = dashboard(person).text
    assert own.verb in shown
    assert foreign.verb not in shown
    assert client.get(reverse("admin:audit_changeset_change", args=[own.pk])).status_code == 200
    assert client.get(reverse("admin:audit_changeset_change", args=[foreign.pk])).status_code == 302
    assert foreign.verb in dashboard(auditor).text


def test_costs_the_same_queries_for_few_rows_and_many(dashboard, everyone):
    counts = []
    for _ in range(2):
        make_orders(everyone)
        StockLevelFactory(reorder_level=5)
        JobFactory(requested_by=everyone)
        dashboard(everyone)
        with CaptureQueriesContext(connection) as queries:
            dashboard(everyone)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert Order.objects.count() == 12


def test_has_words_for_having_nothing(dashboard, everyone):
    shown = dashboard(everyone).text
    assert "No order is open." in shown
    assert "Nothing is late." in shown
    assert "Everything is there." in shown


def test_ones_own_views_are_tiles_whose_counts_come_after_the_page(client, dashboard):
    person = give_role(UserFactory(), "customers.view_customer", "customers.access_all_region")
    CustomerFactory.create_batch(2, city="Lund")
    view = save_view(
        actor=person, model=Customer, state=ListState(filters={"city": ["Lund"]}), columns=[], sortable=[], name="Lund"
    )
    shown = dashboard(person)
    assert [(tile.label, tile.url) for tile in shown.context["tiles"]] == [("Lund", f"{CUSTOMERS}?view={view.pk}")]
    counts_at = re.search(rf'data-view-count="{view.pk}" data-counts-at="([^"]+)">…', shown.text)[1]
    assert client.get(counts_at).json() == {str(view.pk): "2"}
    assert dashboard(give_role(UserFactory(), "customers.view_customer")).context["tiles"] == []
    # Where the list is lost, so is the tile.
    with change_set(actor=None, door="shell"):
        Membership.objects.filter(user=person).delete()
    assert dashboard(type(person).objects.get(pk=person.pk)).context["tiles"] == []

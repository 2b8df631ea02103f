"""What an operator does with orders on the pages, and what one of another region sees: nothing."""

from __future__ import annotations

import datetime
import re

import pytest
from django.urls import reverse

from apps.orders.admin import OrderAdmin
from apps.orders.models import Order, Return, Shipment, State
from tests.apps.catalogue.factories import PriceFactory, ProductFactory
from tests.apps.inventory.factories import WarehouseFactory
from tests.apps.orders.factories import OrderFactory, ShipmentLineFactory, order_with_stock
from tests.factories import CustomerFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db

VERBS = ["confirm", "reopen", "allocate", "ship", "cancel", "return", "close"]
RIGHTS = [
    *(f"orders.{right}_order" for right in ("view", "add", "change", *VERBS)),
    "orders.view_shipment",
    "orders.view_return",
    "customers.view_customer",
    "customers.view_region",
    "inventory.view_warehouse",
    "catalogue.view_product",
]


def operator_at(order):
    """Somebody with every right on orders, in the order's region and warehouse alone."""
    person = grant(give_role(UserFactory(), *RIGHTS), "access_region", order.customer.region)
    return grant(person, "access_warehouse", order.warehouse)


@pytest.fixture
def order():
    return order_with_stock(2, 3, customer_reference="PO-4711")


@pytest.fixture
def operator(client, order):
    person = operator_at(order)
    client.force_login(person)
    return person


def page(order, name="change", *args):
    return reverse(f"admin:orders_order_{name}", args=[order.pk, *args])


def buttons(client, order):
    return set(re.findall(rf"/orders/order/{order.pk}/do/(\w+)/", client.get(page(order)).text))


def do(client, order, verb, **data):
    response = client.post(page(order, "do", verb), data)
    order.refresh_from_db()
    return response


class TestTheWayOfAnOrder:
    def test_goes_by_buttons_from_draft_to_closed(self, client, operator, order):
        assert buttons(client, order) == {"confirm", "cancel"}
        do(client, order, "confirm")
        assert buttons(client, order) == {"allocate", "reopen", "cancel"}
        do(client, order, "allocate")
        assert buttons(client, order) == {"ship", "release", "cancel"}
        do(client, order, "ship", carrier="PostNord", tracking_number="T-1", shipped_on="2026-05-06")
        shipment = Shipment.objects.get()
        assert (shipment.carrier, shipment.tracking_number, str(shipment.shipped_on)) == (
            "PostNord", "T-1", "2026-05-06",
        )  # fmt: skip
        assert buttons(client, order) == {"close", "return"}
        do(client, order, "close")
        assert (order.state, buttons(client, order)) == (State.CLOSED, {"return"})

    def test_tells_why_a_verb_was_refused(self, client, operator, order):
        do(client, order, "confirm")
        short = order_with_stock(11, stock=10, customer=order.customer, warehouse=order.warehouse)
        do(client, short, "confirm")
        response = do(client, short, "allocate")
        assert "11 wanted, 10 available" in response.text
        assert short.state == State.CONFIRMED

    def test_takes_goods_back_line_by_line(self, client, operator, order):
        for verb in ("confirm", "allocate"):
            do(client, order, verb)
        do(client, order, "ship", shipped_on="2026-05-06")
        refused = do(client, order, "return", reason="Damaged", returned_on="2026-05-09")
        assert "at least one line" in refused.text
        do(client, order, "return", line_2="1", reason="Damaged", returned_on="2026-05-09")
        assert [(line.order_line.number, line.quantity) for line in Return.objects.get().lines.all()] == [(2, 1)]
        assert Return.objects.get().number in client.get(page(order)).text

    def test_a_button_that_is_not_offered_does_nothing(self, client, operator, order):
        assert do(client, order, "ship", shipped_on="2026-05-06").status_code == 403
        assert order.state == State.DRAFT


class TestTheForm:
    def post(self, client, order, **data):
        lines = {f"lines-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}
        other = {f"{each}-{name}_FORMS": 0 for each in ("shipments", "returns") for name in ("TOTAL", "INITIAL")}
        address = page(order) if order else reverse("admin:orders_order_add")
        return client.post(address, {**lines, **other, **data})

    def test_prices_a_line_as_of_the_day_of_the_order(self, client, operator, order):
        product = ProductFactory(list_price=99)
        PriceFactory(product=product, amount="7.50", valid_from=datetime.date(2026, 5, 1))
        fields = {
            "customer": order.customer_id,
            "warehouse": order.warehouse_id,
            "ordered_on": "04/05/2026",
            "currency": "EUR",
            "freight": "0",
            "lines-TOTAL_FORMS": 1,
            "lines-0-product": product.pk,
            "lines-0-quantity": 4,
            "lines-0-discount": "0",
        }
        assert self.post(client, None, **fields).status_code == 302
        made = Order.objects.exclude(pk=order.pk).get()
        assert (made.number[:3], made.net_total, made.lines.get().unit_price) == ("SO-", 30, 7.5)
        fields["currency"] = "SEK"
        assert "has no price in SEK" in self.post(client, None, **fields).text

    def test_what_is_settled_is_shown_and_stays(self, client, operator, order):
        do(client, order, "confirm")
        shown = client.get(page(order)).text
        assert 'name="lines-0-quantity"' not in shown
        assert 'name="customer"' not in shown
        fields = {"warehouse": order.warehouse_id, "ordered_on": "04/05/2026", "freight": "3", "carrier": "DHL"}
        fields["record_version"] = order.version
        assert self.post(client, order, **fields).status_code == 302
        order.refresh_from_db()
        assert (order.carrier, order.freight, order.lines.count()) == ("DHL", 3, 2)


class TestBulk:
    @pytest.mark.parametrize("verb", ["confirm", "allocate", "ship", "cancel"])
    def test_is_offered_for_what_is_done_to_many(self, client, operator, order, verb):
        assert f'value="{verb}"' in client.get(reverse("admin:orders_order_changelist")).text

    def test_asks_no_tracking_number_for_many_shipments(self):
        (ship,) = [verb for verb in OrderAdmin.verbs if verb.name == "ship"]
        assert set(ship.make_form(None, user=UserFactory()).fields) == {"carrier", "reason"}


class TestFilters:
    def listed(self, client, **parameters):
        response = client.get(reverse("admin:orders_order_changelist"), parameters)
        return set(response.context["cl"].queryset.values_list("pk", flat=True))

    def test_late_orders_are_those_promised_and_not_gone(self, client, operator, order):
        place = {"customer": order.customer, "warehouse": order.warehouse}
        late = order_with_stock(1, **place, required_on=datetime.date(2026, 5, 5))
        draft = order_with_stock(1, **place, required_on=datetime.date(2026, 5, 5))
        do(client, late, "confirm")
        assert self.listed(client, late="true") == {late.pk}
        assert self.listed(client, late="false") == {order.pk, draft.pk}
        assert re.search(r"\d+ days", client.get(reverse("admin:orders_order_changelist")).text)

    def test_finds_orders_by_product_region_and_the_customers_reference(self, client, operator, order):
        line = order.lines.first()
        other = order_with_stock(1, customer=order.customer, warehouse=order.warehouse)
        assert self.listed(client, product=line.product_id) == {order.pk}
        assert self.listed(client, customer__region=order.customer.region_id) == {order.pk, other.pk}
        assert self.listed(client, q="PO-47") == {order.pk}


class TestElsewhere:
    """Nothing of another region or warehouse shows, wherever one looks."""

    @pytest.fixture
    def foreign(self, operator):
        order = order_with_stock(1, customer=CustomerFactory(name="Zanzibar Traders"), ship_to_name="Zanzibar Dock")
        return ShipmentLineFactory(shipment__order=order, order_line=order.lines.get()).shipment

    def test_lists_filters_and_autocompletes_keep_silent(self, client, foreign):
        for name in ("order", "shipment", "return"):
            assert "Zanzibar" not in client.get(reverse(f"admin:orders_{name}_changelist")).text
        narrowed = client.get(reverse("admin:orders_order_changelist"), {"customer": foreign.order.customer_id})
        assert narrowed.context["cl"].result_count == 0
        assert "Zanzibar" not in narrowed.text
        for field in ("customer", "warehouse"):
            found = client.get(
                reverse("admin:autocomplete"),
                {"app_label": "orders", "model_name": "order", "field_name": field, "term": ""},
            )
            key = str(getattr(foreign.order, f"{field}_id"))
            assert key not in [row["id"] for row in found.json()["results"]]

    @pytest.mark.parametrize("name", ["change", "history", "pick-list", "do"])
    def test_pages_are_not_there(self, client, foreign, name):
        arguments = ["confirm"] if name == "do" else []
        response = client.get(page(foreign.order, name, *arguments))
        assert response.status_code in (302, 404)
        assert "Zanzibar" not in response.text

    def test_neither_are_printed_ones(self, client, foreign):
        assert client.get(reverse("admin:orders_shipment_packing-slip", args=[foreign.pk])).status_code == 404

    def test_a_row_granted_alone_tells_no_name_that_was_not(self, client, foreign):
        person = grant(give_role(UserFactory(), "orders.view_shipment"), "view", foreign.order)
        client.force_login(grant(person, "view", foreign))
        for address in (page(foreign.order), reverse("admin:orders_order_changelist")):
            shown = client.get(address).text
            assert foreign.order.number in shown
            assert "Zanzibar Traders" not in shown
            assert "not visible to you" in shown
        slip = client.get(reverse("admin:orders_shipment_packing-slip", args=[foreign.pk])).text
        assert "Zanzibar Dock" in slip
        assert foreign.order.lines.get().product.sku not in slip


class TestDocuments:
    def test_the_pick_list_has_what_was_allocated_in_the_order_of_the_shelves(self, client, operator, order):
        assert client.get(page(order, "pick-list")).status_code == 404
        for verb in ("confirm", "allocate"):
            do(client, order, verb)
        assert page(order, "pick-list") in client.get(page(order)).text
        shown = client.get(page(order, "pick-list")).text
        skus = [line.product.sku for line in order.lines.all()]
        assert re.findall(r"SKU-\d+", shown) == sorted(skus)
        assert re.findall(r'class="amount">(\d+)', shown) == ["2", "3"]

    def test_the_packing_slip_has_weights_rounded_half_up_and_no_prices(self, client, operator, order):
        product = ProductFactory(weight="0.125", list_price="12.34")
        line = ShipmentLineFactory(shipment__order=order, order_line__product=product, order_line__unit_price="12.34")
        shown = client.get(reverse("admin:orders_shipment_packing-slip", args=[line.shipment_id])).text
        assert "0.13 kg" in shown
        assert "12.34" not in shown
        assert line.shipment.number in shown
        assert order.number in shown


def test_a_warehouse_that_is_not_visible_has_no_name_in_the_list(client):
    order = OrderFactory(warehouse=WarehouseFactory(name="Hidden depot"))
    client.force_login(grant(UserFactory(), "view", order))
    assert "Hidden depot" not in client.get(reverse("admin:orders_order_changelist")).text

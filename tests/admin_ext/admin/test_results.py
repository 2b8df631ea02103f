"""The rows of a list: what they mean is what unfold's own mean, made once per column."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from admin_ext.admin import changelist, results
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.contracts.world import make, person_for
from tests.factories import CustomerFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db
EVIL = "<script>alert('x')</script>\"&"


def cells(page: str) -> list[list[tuple[str, str, str, str]]]:
    """Of each row: tag, field, label and the text of each cell, however it is marked up."""
    body = page[page.index('id="result_list"') :]
    body = body[body.index("</thead>") : body.index("</table>")]
    found = []
    for row in re.findall(r"<tr[^>]*data-row.*?</tr>", body, re.DOTALL):
        cells = re.findall(r'<(t[hd])[^>]*class="([^"]*)"[^>]*data-label="([^"]*)"[^>]*>(.*?)</\1>', row, re.DOTALL)
        found.append([(tag, css.split()[0], label, _text(inner)) for tag, css, label, inner in cells])
    return found


def _text(inner: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", inner).split()))


def links(page: str) -> list[str]:
    body = page[page.index('id="result_list"') :]
    return re.findall(r'<a[^>]*href="([^"]+)"', body[body.index("</thead>") : body.index("</table>")])


@pytest.mark.parametrize("path", ["", "?state=draft&o=3", "?_popup=1", "?q=SO"])
def test_the_rows_say_what_unfolds_say(client, monkeypatch, path):
    for number in range(3):
        make(Order, ship_to_name=f"Åsa {number}")
    client.force_login(give_role(person_for(Order), "orders.cancel_order"))
    address = reverse("admin:orders_order_changelist") + path
    ours = client.get(address).text
    monkeypatch.setattr(changelist, "can_show", lambda changelist: False)
    theirs = client.get(address).text
    assert cells(ours) == cells(theirs) and len(cells(ours)) > 1
    assert links(ours) == links(theirs)
    values = 'name="_selected_action" value="([^"]+)"'
    assert re.findall(values, ours) == re.findall(values, theirs)
    assert len(ours) < len(theirs)


def test_a_text_is_no_markup(client):
    customer = CustomerFactory(name=EVIL, code="E1")
    client.force_login(give_role(person_for(Customer), "customers.hold_customer"))
    page = client.get(reverse("admin:customers_customer_changelist")).text
    assert "<script>alert" not in page
    assert html.escape(EVIL) in page
    assert f'value="{customer.pk}"' in page


def test_a_row_has_a_header_and_its_checkbox_a_name(client):
    order = make(Order)
    client.force_login(give_role(person_for(Order), "orders.cancel_order"))
    page = client.get(reverse("admin:orders_order_changelist")).text
    assert re.search(rf'<th scope="row"[^>]*>\s*<a href="[^"]*/{order.pk}/change/', page)
    assert f'aria-label="Select {order.number}"' in page


def test_the_way_back_is_kept(client):
    order = make(Order)
    client.force_login(person_for(Order))
    page = client.get(reverse("admin:orders_order_changelist") + "?state=draft").text
    assert f"/{order.pk}/change/?_changelist_filters=state%3Ddraft" in page


def test_a_hidden_row_stays_unnamed(client):
    CustomerFactory(name="CANARY")
    client.force_login(give_role(UserFactory(), "customers.view_customer"))
    assert "CANARY" not in client.get(reverse("admin:customers_customer_changelist")).text


def test_an_instant_with_a_label_shows_in_each_persons_time():
    """Labels are remembered from page to page; what looks different to others is not."""

    def column(row):
        return row

    column.label = True
    instant, shown = datetime(2026, 1, 31, 23, 30, tzinfo=UTC), []
    for zone in ("UTC", "Asia/Tokyo", "UTC"):
        with timezone.override(zone):
            shown.append(results._value_shown(None, "column", column, instant, "-", {}))
    assert shown[0] == shown[2] != shown[1] and "1 Feb" in shown[1]

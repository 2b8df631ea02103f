"""An operator of the Nordic region takes an order from draft to parcel, and never hears of other regions."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.house import House
from tests.journeys.people import Person

pytestmark = pytest.mark.journey


def test_operator_confirms_allocates_and_ships_an_order(meet):
    with meet("operator") as olga:
        olga.log_in()
        olga.sees("Open orders", "Late shipments")
        olga.photograph("dashboard")

        number = open_a_draft(olga)
        olga.photograph("order")
        do(olga, "Confirm")
        olga.sees("Confirmed")
        do(olga, "Allocate")
        olga.sees("Allocated")
        olga.follow("Pick list")
        expect(olga.page.get_by_role("heading", name="Pick list")).to_be_visible()
        olga.page.go_back()
        do(olga, "Ship", tracking_number="JJ-4711")
        olga.sees("Shipped")

        olga.follow("History")
        olga.sees("Olga Lindqvist", "orders.confirm", "orders.allocate", "orders.ship")

        olga.open("Shipments")
        olga.rows.filter(has_text=number).get_by_role("link").first.click()
        olga.follow("Packing slip")
        expect(olga.page.get_by_role("heading", name="Packing slip")).to_be_visible()
        expect(olga.page.locator("body")).to_contain_text(number)
        expect(olga.page.locator("body")).to_contain_text("JJ-4711")
        assert olga.print_out().startswith(b"%PDF")


def test_operator_finds_no_trace_of_other_regions(meet, house):
    with meet("operator") as olga:
        olga.log_in()
        for name in [name for lists in olga.menu_lists().values() for name in lists]:
            olga.open(name)
            if olga.rows.count():
                olga.rows.first.get_by_role("link").first.click()
                olga.page.wait_for_load_state()

        olga.open("People")
        olga.rows.get_by_role("link", name="maria.silva").first.click()
        olga.sees("maria.silva@example.com")

        company, key = house.facts(
            "SELECT c.name, c.id FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
            " WHERE r.code = 'WEST' ORDER BY c.code LIMIT 1"
        )[0]
        beginning = " ".join(company.split()[:2])
        olga.open("Customers")
        olga.search(beginning)
        expect(olga.rows).to_have_count(0)
        olga.page.goto(f"/customers/customer/{key}/change/")
        olga.sees("Dashboard")
        for address in ("", "history/", "delete/", "do/hold/"):
            refused = olga.page.request.get(f"/customers/customer/{key}/{address}", max_redirects=0)
            assert refused.status in (302, 403, 404)
        expect(olga.ask_palette(beginning)).to_have_count(0)
        olga.leave_palette()
        expect(suggested(olga, beginning)).to_have_text(["No results found"])

    told = olga.was_told()
    assert "C-10" in told and "Nordics" in told
    assert traces(told, house) == set()


def open_a_draft(olga: Person) -> str:
    olga.open("Orders")
    olga.show_filters()
    olga.choose("State", "Draft")
    olga.press("Apply Filters")
    olga.search("SO-")
    olga.sees("State: Draft")
    draft = olga.rows.first.get_by_role("link").first
    number = draft.inner_text()
    draft.click()
    return number


def do(olga: Person, verb: str, **answers: str) -> None:
    """Press the button of a verb on the page of a record, answer what it asks, and do it."""
    olga.follow(verb)
    for name, answer in answers.items():
        olga.field(name.replace("_", " ").capitalize()).fill(answer)
    olga.press(verb)
    olga.sees(f"{verb}: ")


def suggested(olga: Person, term: str) -> Locator:
    """What the field for an order's customer offers for a term."""
    olga.open("Orders")
    olga.page.locator("a[href*='/orders/order/add/']").click()
    olga.page.locator(".field-customer .select2-selection").first.click()
    olga.page.locator(".select2-search__field").fill(term)
    return olga.page.locator(".select2-results__option:not(.loading-results)")


def traces(told: str, house: House) -> set[str]:
    """Whatever of other regions' customers, orders, shipments and places stands in a text."""
    references = house.facts(
        """
        WITH mine AS (
            SELECT c.id FROM customers_customer c JOIN customers_region r ON r.id = c.region_id WHERE r.code = 'NORDICS'
        ), mine_ordered AS (
            SELECT o.id FROM orders_order o JOIN mine ON mine.id = o.customer_id
            JOIN inventory_warehouse w ON w.id = o.warehouse_id WHERE w.code = 'STO'
        )
        SELECT code FROM customers_customer WHERE id NOT IN (SELECT id FROM mine)
        UNION ALL SELECT number FROM orders_order WHERE id NOT IN (SELECT id FROM mine_ordered)
        UNION ALL SELECT number FROM orders_shipment WHERE order_id NOT IN (SELECT id FROM mine_ordered)
        """
    )
    names = house.facts(
        """
        SELECT c.name FROM customers_customer c JOIN customers_region r ON r.id = c.region_id WHERE r.code <> 'NORDICS'
        UNION ALL SELECT name FROM customers_region WHERE code NOT IN ('NORDICS', 'EUROPE')
        UNION ALL SELECT name FROM inventory_warehouse WHERE code NOT IN ('STO', 'EU')
        """
    )
    told = re.sub(r"e\.g\. [A-Z]+-\d+|\w+/\w+", "", told)  # examples in help texts, time zones, addresses
    words = set(re.findall(r"[A-Z]+-\d+", told))
    return words & {reference for (reference,) in references} | {name for (name,) in names if name in told}

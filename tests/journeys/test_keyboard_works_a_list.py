"""Somebody who never touches the mouse works a list: searches, filters, sorts, turns pages, acts on rows, exports."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.people import Person

pytestmark = pytest.mark.journey
# A page of fifty rows has a tick and a link in each.
FAR = 220


def test_keyboard_alone_works_a_list(meet, house):
    with meet("operator") as olga:
        olga.log_in()
        olga.open("Customers")
        page, keyboard = olga.page, olga.page.keyboard

        # Search, and back to all.
        keyboard.press("/")
        expect(page.get_by_role("textbox", name="Type to search")).to_be_focused()
        keyboard.type("oy")
        keyboard.press("Enter")
        page.wait_for_url(re.compile(r"q=oy"))
        assert all("Oy" in text for text in olga.rows.all_inner_texts())

        # A filter, with the numbers beside its choices, applied and taken off by its chip.
        page.goto("/customers/customer/")
        reach(olga, page.get_by_role("button", name="Filters").or_(page.get_by_role("link", name="Filters")))
        keyboard.press("Enter")
        status = page.locator("select[name=status]")
        expect(status.locator("option").first).to_have_text(re.compile(r"\(\d+\)$"))
        reach(olga, status)
        keyboard.type("On hold")
        reach(olga, page.get_by_role("button", name="Apply Filters"))
        keyboard.press("Enter")
        page.wait_for_url(re.compile("status=on_hold"))
        held = house.facts(
            "SELECT count(*) FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
            " WHERE r.code = 'NORDICS' AND c.status = 'on_hold'"
        )[0][0]
        expect(olga.rows).to_have_count(held)
        reach(olga, olga.main.get_by_title("Remove this filter"))
        keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/customers/customer/\?(?!.*status)|/customers/customer/$"))

        # Sorted by another column, and the next page.
        reach(olga, olga.main.locator("#result_list thead").get_by_role("link", name=re.compile("^City")))
        keyboard.press("Enter")
        page.wait_for_url(re.compile("[?&]o="))
        reach(olga, page.get_by_role("link", name="Next", exact=True))
        keyboard.press("Enter")
        page.wait_for_url(re.compile("[?&]p="))
        expect(page.get_by_role("link", name="Previous", exact=True)).to_be_visible()

        # Two rows are ticked, and something is asked for them.
        page.goto("/customers/customer/")
        ticks = olga.rows.get_by_role("checkbox")
        for number in (0, 1):
            reach(olga, ticks.nth(number))
            keyboard.press("Space")
        reach(olga, page.locator("select[name=action]").locator("visible=true"))
        keyboard.type("Put on hold")
        reach(olga, page.locator("#changelist-actions-wrapper").get_by_role("button", name=re.compile("Run")))
        keyboard.press("Enter")
        olga.sees("Put on hold")
        reach(olga, olga.field("Reason"))
        keyboard.type("Only to see")
        reach(olga, olga.main.get_by_role("button", name="Show me what would change"))
        keyboard.press("Enter")
        olga.sees("Apply all, or nothing")
        reach(olga, olga.main.get_by_role("button", name="Discard"))


def test_a_number_and_enter_lead_to_a_record(meet, house):
    code, name = house.facts(
        "SELECT c.code, c.name FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
        " WHERE r.code = 'NORDICS' ORDER BY c.code DESC LIMIT 1"
    )[0]
    with meet("operator") as olga:
        olga.log_in()
        olga.page.keyboard.press("Control+k")
        expect(olga.page.locator("#search-input-command")).to_be_focused()
        olga.page.keyboard.type(code)
        olga.page.keyboard.press("Enter")
        expect(olga.page).to_have_url(re.compile("/customers/customer/[0-9]+/change/"))
        expect(olga.field("Name")).to_have_value(name)


def reach(person: Person, target: Locator) -> None:
    """Press Tab until the target has the focus: it can be come by, and in a bearable number of steps."""
    expect(target.first).to_be_attached()
    for _ in range(FAR):
        if target.first.evaluate("each => each === document.activeElement"):
            return
        person.page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by keyboard")

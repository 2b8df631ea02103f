"""Somebody who never touches the mouse logs in, finds a customer by its code, and opens it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from opsadmin.demo.people import PASSWORD

pytestmark = pytest.mark.journey


def test_keyboard_alone_logs_in_and_opens_a_customer_by_code(meet, house):
    code, name = house.facts(
        "SELECT c.code, c.name FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
        " WHERE r.code = 'NORDICS' ORDER BY c.code LIMIT 1"
    )[0]
    with meet("operator") as olga:
        keyboard = olga.page.keyboard
        olga.page.goto("/")
        username = olga.page.get_by_label("Username")
        # The page may have put the cursor there by itself.
        if not username.evaluate("field => field === document.activeElement"):
            keyboard.press("Tab")
        expect(username).to_be_focused()
        keyboard.type("operator")
        keyboard.press("Tab")
        keyboard.type(PASSWORD)
        keyboard.press("Enter")
        expect(olga.menu).to_be_visible()

        expect(olga.ask_palette(code)).to_contain_text([f"{code} {name}"])
        keyboard.press("ArrowDown")
        keyboard.press("Enter")
        expect(olga.page).to_have_url(re.compile("/customers/customer/[0-9]+/change/"))
        expect(olga.field("Name")).to_have_value(name)
        olga.photograph("customer")

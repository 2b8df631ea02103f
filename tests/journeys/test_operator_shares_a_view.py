"""Somebody keeps what a list shows as a view, shares it, and a colleague opens it: with the colleague's own rows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

NAME = "Small limits, by city"


def test_a_view_is_kept_by_keyboard_shared_and_opened_by_a_colleague(meet, house):
    with meet("operator") as olga:
        olga.log_in()
        olga.open("Customers")
        page, keyboard = olga.page, olga.page.keyboard
        # Columns, order and page size, without the mouse.
        page.locator("summary", has_text="Columns").focus()
        keyboard.press("Enter")
        page.get_by_label("Phone", exact=True).focus()
        keyboard.press("Space")
        for _ in range(3):
            page.get_by_role("button", name="Move phone up").press("Enter")
        page.get_by_label("Sorted by, number 1").select_option("city")
        page.get_by_label("Rows on a page").select_option("25")
        page.locator("form.ops-columns").get_by_role("button", name="Show").press("Enter")
        page.wait_for_url(re.compile("_sort=city"))
        headings = olga.main.locator("#result_list thead th").all_inner_texts()
        assert "Phone" in " ".join(headings) and olga.rows.count() == 25
        expect(page.get_by_role("group", name="Sorted by")).to_contain_text("City")

        page.goto(page.url + "&credit_limit_max=5000")
        page.locator("summary", has_text="Save as").press("Enter")
        page.get_by_label("Name of the view").fill(NAME)
        page.get_by_label("My list opens with it").press("Space")
        page.get_by_label("Name of the view").press("Enter")
        page.wait_for_url(re.compile(r"\?view=[0-9]+$"))
        olga.sees(NAME)
        count = olga.menu.get_by_role("link", name=re.compile(NAME)).locator("[data-view-count]")
        expect(count).to_have_text(re.compile("^[0-9]+$"))
        nordic = int(count.inner_text())
        olga.photograph("saved-view")

        # A change on top is told, and taken back.
        olga.main.get_by_title("Turn the order round").press("Enter")
        olga.sees("Unsaved changes")
        olga.follow("Reset")
        expect(olga.main.get_by_text("Unsaved changes")).to_have_count(0)

        # The bare list opens with it; the whole list is one step away.
        page.goto("/customers/customer/")
        page.wait_for_url(re.compile(r"\?view=[0-9]+$"))

        # From record to record, in the order of the view.
        first, second = (olga.rows.nth(n).locator("th").inner_text().split()[-1] for n in (0, 1))
        olga.rows.first.locator("th a").click()
        olga.sees(first)
        page.get_by_title("Next in the list").press("Enter")
        olga.sees(second)
        expect(page.get_by_title("Previous in the list")).to_be_visible()

        page.goto("/customers/customer/")
        page.locator("summary", has_text=NAME).press("Enter")
        page.get_by_role("link", name=re.compile("Share, rename")).press("Enter")
        olga.sees("Shared with", "Nobody")
        olga.follow("Share")
        olga.field("People").fill("analyst")
        olga.press("Share")
        olga.sees("Anton Becker")

        # Her list opens as it did before: others sit down at this house after her.
        olga.follow("Opens with it")
        page.get_by_label("My list opens with it").uncheck()
        olga.press("Opens with it")
        page.goto("/customers/customer/")
        expect(page).to_have_url(re.compile("/customers/customer/$"))

    with meet("analyst") as anton:
        anton.log_in()
        anton.open(NAME)
        everywhere = house.facts("SELECT count(*) FROM customers_customer WHERE credit_limit <= 5000")[0][0]
        assert everywhere > nordic
        expect(
            anton.page.locator("#header-inner, #main").get_by_text(re.compile(rf"\b{everywhere}\b")).first
        ).to_be_visible()
        expect(anton.main.get_by_role("button", name="Save", exact=True)).to_have_count(0)

    with meet("auditor") as aya:
        aya.log_in()
        expect(aya.menu.get_by_text(NAME)).to_have_count(0)

"""The screens hold in a dark room and on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey


def test_the_dashboard_is_dark_for_who_prefers_it(meet):
    with meet("operator", dark=True) as olga:
        olga.log_in()
        expect(olga.page.locator("html")).to_have_class(re.compile(r"\bdark\b"))
        olga.sees("Open orders")
        olga.photograph("dark")


def test_a_phone_shows_lists_and_records_without_scrolling_sideways(meet):
    with meet("operator", phone=True) as olga:
        olga.log_in()
        fits(olga)
        olga.page.locator("#header-inner").get_by_text("dock_to_right").locator("visible=true").click()
        olga.open("Orders")
        fits(olga)
        olga.photograph("phone")
        olga.rows.first.get_by_role("link").first.click()
        olga.sees("Customer reference")
        fits(olga)


def fits(person):
    assert person.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("way", ["Rights", "Places"])
def test_a_phone_shows_the_rights_and_places_of_a_role(meet, way):
    with meet("administrator", phone=True) as adam:
        adam.log_in()
        adam.page.locator("#header-inner").get_by_text("dock_to_right").locator("visible=true").click()
        adam.open("Roles")
        adam.rows.get_by_role("link", name="Operator").first.click()
        adam.sees("What its holders may do")
        adam.page.goto(adam.page.url.replace("/change/", f"/{way.lower()}/"))
        adam.sees(f"{way}: Operator", "Show what would change")
        fits(adam)

"""An auditor asks how things stood: a list as of an instant, what changed since, one record at two moments."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey


@pytest.fixture
def raised(house):
    """A credit limit that was raised: whose, when, from what to what."""
    return house.facts(
        """
        SELECT c.code, became.history_date, was.credit_limit::text, became.credit_limit::text
        FROM audit_changeset s
        JOIN customers_historicalcustomer became ON became.change_set_id = s.id
        JOIN customers_historicalcustomer was ON was.id = became.id AND was.version = became.version - 1
        JOIN customers_customer c ON c.id = became.id AND c.version = became.version
        WHERE s.verb = 'customers.change_credit_limit' ORDER BY s.id LIMIT 1
        """
    )[0]


def test_a_list_as_of_an_instant_what_changed_since_and_two_moments(meet, raised):
    code, at, before, after = raised
    instant = (at - timedelta(microseconds=1)).isoformat()
    with meet("auditor") as aya:
        aya.log_in()
        aya.open("Customers")
        aya.search(code)
        expect(aya.rows.first).to_contain_text(f"{float(after):,.2f}")

        # By keyboard alone: the way to the past is a button, a field and a key.
        aya.main.get_by_title("As of…").focus()
        aya.page.keyboard.press("Enter")
        field = aya.main.get_by_label("Show how it stood at")
        expect(field).to_be_visible()
        aya.page.goto(f"{aya.page.url}&{_query(_asof=instant)}")
        aya.sees("As of ", "Nothing can be changed here.")
        expect(aya.rows.first).to_contain_text(f"{float(before):,.2f}")
        aya.photograph("as-of")
        aya.rows.first.get_by_role("link").first.click()
        aya.sees("As of ", f"{float(before):.2f}")
        aya.follow("Back to now")
        expect(aya.main.get_by_text("Back to now")).to_have_count(0)

        aya.follow("History")
        aya.follow("Compare two moments")
        row = aya.main.locator("tr").filter(has_text="Credit limit")
        expect(row).to_contain_text(re.compile(rf"{re.escape(before)}\s+{re.escape(after)}"))
        aya.photograph("compare")

        aya.open("Customers")
        aya.search(code)
        aya.follow("What changed")
        aya.page.goto(f"{aya.page.url}&{_query(_since=instant)}")
        changed = aya.main.locator("tr").filter(has_text=code)
        expect(changed.locator("del")).to_have_text(before)
        expect(changed.locator("ins")).to_have_text(after)
        aya.photograph("what-changed")


def _query(**parameters: str) -> str:
    return urlencode(parameters)

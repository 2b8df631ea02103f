"""An auditor asks who changed what and why, and can change nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.people import Person

pytestmark = pytest.mark.journey


def test_auditor_finds_who_changed_a_price_and_why(meet, house):
    sku, amount = house.facts(
        "SELECT p.sku, trim_scale(c.amount)::text FROM catalogue_price c JOIN catalogue_product p ON p.id = c.product_id"
        " ORDER BY p.sku LIMIT 1"
    )[0]
    with meet("auditor") as aya:
        aya.log_in()
        look_up(aya, "Products", sku)
        aya.follow("History")
        change = entry(aya, "catalogue.reprice")
        expect(change).to_contain_text("Anton Becker")
        expect(change).to_contain_text("“Supplier raised prices”")
        expect(change).to_contain_text(amount)


def test_auditor_finds_who_raised_a_credit_limit_and_what_else_they_did_then(meet, house):
    code, reason, before, after = house.facts(
        """
        SELECT c.code, s.reason, was.credit_limit::text, became.credit_limit::text
        FROM audit_changeset s
        JOIN customers_historicalcustomer became ON became.change_set_id = s.id
        JOIN customers_historicalcustomer was ON was.id = became.id AND was.version = became.version - 1
        JOIN customers_customer c ON c.id = became.id
        JOIN accounts_user u ON u.id = s.actor_id
        WHERE s.verb = 'customers.change_credit_limit' AND u.username = 'operator' ORDER BY s.id LIMIT 1
        """
    )[0]
    with meet("auditor") as aya:
        aya.log_in()
        look_up(aya, "Customers", code)
        aya.follow("History")
        change = entry(aya, "customers.change_credit_limit")
        expect(change).to_contain_text("Olga Lindqvist")
        expect(change).to_contain_text(reason)
        expect(change.locator("del")).to_have_text(before)
        expect(change.locator("ins")).to_have_text(after)
        aya.photograph("history")

        change.get_by_role("link", name="change set").click()
        aya.sees("Olga Lindqvist", "customers.change_credit_limit", reason, "Customers: 1", "Credit limit")


def test_auditor_can_change_nothing(meet, house):
    with meet("auditor") as aya:
        aya.log_in()
        names = [name for lists in aya.menu_lists().values() for name in lists]
        for name in (name for name in names if name != "Timeline"):  # which is a page of its own, no list
            aya.open(name)
            expect(aya.main.get_by_role("checkbox")).to_have_count(0)
            for way in ("Import", "Export"):
                expect(aya.main.get_by_role("link", name=way, exact=True)).to_have_count(0)
            expect(aya.main.locator("a[href*='/add/']")).to_have_count(0)
            if not aya.rows.count():
                continue
            aya.rows.first.get_by_role("link").first.click()
            expect(aya.page.locator("#changelist")).to_have_count(0)
            # What an auditor may do with an act is to sign that they have looked at it.
            # Searching the rows of a plan sends nothing.
            posts = "form[method=post] button[type=submit], form[method=post] input[type=submit]"
            expect(aya.main.locator(posts).filter(has_not_text="Sign")).to_have_count(0)
            expect(aya.main.locator("a[href*='/do/'], a[href*='/delete/']")).to_have_count(0)

        customer, version = house.facts("SELECT id, version FROM customers_customer ORDER BY code LIMIT 1")[0]
        for address in ("change/", "delete/", "do/hold/", "note/"):
            refused = aya.page.request.post(
                f"/customers/customer/{customer}/{address}",
                form={"name": "Mine now", "reason": "none", "text": "none", "csrfmiddlewaretoken": token(aya)},
                headers={"Referer": house.address},
            )
            assert refused.status == 403, address
    assert house.facts("SELECT version FROM customers_customer WHERE id = %s", customer) == [(version,)]


def look_up(aya: Person, name: str, reference: str) -> None:
    aya.open(name)
    aya.search(reference)
    aya.rows.get_by_role("link", name=reference).first.click()


def entry(aya: Person, verb: str):
    """The newest entry of a history page that a verb made."""
    return aya.main.locator("section").filter(has_text=verb).first


def token(aya: Person) -> str:
    return next(cookie["value"] for cookie in aya.page.context.cookies() if cookie["name"] == "csrftoken")

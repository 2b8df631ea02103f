"""An administrator takes a new colleague in: an account, a password, a role and a region; and sees what they will see."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.people import Person

pytestmark = pytest.mark.journey

NORDIC = (
    "SELECT count(*) FROM customers_customer c JOIN customers_region r ON r.id = c.region_id WHERE r.code = 'NORDICS'"
)
ORDER = """
    SELECT o.id, w.name, u.id FROM orders_order o JOIN customers_customer c ON c.id = o.customer_id
    JOIN customers_region r ON r.id = c.region_id JOIN inventory_warehouse w ON w.id = o.warehouse_id
    CROSS JOIN accounts_user u WHERE r.code = 'NORDICS' AND w.code = 'STO' AND u.username = 'nora' ORDER BY o.id LIMIT 1
"""
# Clicks, and fields written into, from the list of people to the saved rights: at five seconds each, under a minute.
ALLOWED = 10


def test_administrator_gives_a_colleague_the_nordic_customers_with_shipping_rights(meet, house):
    with meet("administrator") as adam:
        adam.log_in()
        make_account(adam, "nora", "Nora", "Dahl", password="lingon-och-blåbär")
    with meet("nora") as nora:
        nora.log_in("lingon-och-blåbär")
        assert set(nora.menu_lists()) <= {"Access", "Work", "The record"}  # what everybody has: nothing of the business

    (nordic,) = house.facts(NORDIC)[0]
    with meet("administrator") as adam:
        adam.log_in()
        adam.open("People")
        # Each is one click, or one field written into.
        steps = (
            lambda: adam.search("nora"),
            lambda: adam.rows.get_by_role("link", name="nora").first.click(),
            lambda: adam.follow("Roles and places"),
            lambda: adam.page.get_by_role("checkbox", name="Operator").check(),
            lambda: adam.page.get_by_role("checkbox", name="Nordics").check(),
            lambda: adam.press("Show what would change"),
            lambda: adam.field("Reason").fill("Joined the Nordic team"),
            lambda: adam.press("Save"),
        )
        assert len(steps) <= ALLOWED
        for step in steps[:6]:
            step()
        adam.sees("What this would do", "see customers", f"+{nordic}")
        adam.photograph("preview-of-rights")
        for step in steps[6:]:
            step()
        adam.sees("Saved: role Operator given, region Nordics given.", "Operator", "Nordics")
        adam.open("Change sets")
        adam.sees("Joined the Nordic team")

    with meet("nora") as nora:
        nora.log_in("lingon-och-blåbär")
        nora.open("Customers")
        nora.sees(f"{nordic} customers")
        nora.open("Regions")
        expect(nora.rows).to_have_count(1)
        expect(nora.rows).to_contain_text("Nordics")
        nora.open("Orders")
        expect(nora.rows).to_have_count(0)  # no warehouse yet: she asks why

    order, warehouse, key = house.facts(ORDER)[0]
    with meet("administrator") as adam:
        adam.log_in()
        adam.page.goto(f"/access/explain/?user={key}&model=orders.Order&row={order}&action=ship")
        adam.sees("Nora Dahl may not ship", f"The order hangs from {warehouse}", "was let into no warehouse")
        adam.photograph("explained-refusal")
        open_person(adam, "nora")
        adam.follow("Roles and places")
        adam.page.get_by_role("checkbox", name=warehouse).check()
        adam.field("Reason").fill("Ships from there")
        adam.press("Save")
        adam.page.goto(f"/access/explain/?user={key}&model=orders.Order&row={order}&action=ship")
        adam.sees("Nora Dahl may ship")
    with meet("nora") as nora:
        nora.log_in("lingon-och-blåbär")
        nora.open("Orders")
        expect(nora.rows.first).to_be_visible()


def test_administrator_lets_a_colleague_in_by_keyboard_alone(meet, house):
    with meet("administrator") as adam:
        adam.log_in()
        make_account(adam, "ture", "Ture", "Sand", password="hjortron-i-burk")
        adam.follow("Roles and places")
        role = adam.page.get_by_role("checkbox", name="Operator")
        tab_to(adam, role)
        adam.page.keyboard.press("Space")
        place = adam.page.get_by_role("checkbox", name="Nordics")
        tab_to(adam, place)
        adam.page.keyboard.press("Space")
        tab_to(adam, adam.field("Reason"))
        adam.page.keyboard.type("Joined the Nordic team")
        tab_to(adam, adam.main.get_by_role("button", name="Save"))
        adam.page.keyboard.press("Enter")
        adam.sees("Saved: role Operator given, region Nordics given.")


def make_account(adam: Person, username: str, first: str, last: str, *, password: str) -> None:
    adam.open("People")
    adam.page.locator("a[href*='/accounts/user/add/']").click()
    adam.field("Username").fill(username)
    adam.field("First name").fill(first)
    adam.field("Last name").fill(last)
    adam.press("Save and continue editing")
    adam.sees("was added successfully")
    adam.follow("Set password")
    adam.field("Password").fill(password)
    adam.press("Set password")
    adam.sees("Set password: ")


def open_person(adam: Person, username: str) -> None:
    adam.open("People")
    adam.search(username)
    adam.rows.get_by_role("link", name=username).first.click()


def tab_to(adam: Person, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(80):
        if target.evaluate("each => each === document.activeElement"):
            return
        adam.page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by keyboard")

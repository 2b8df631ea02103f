"""An administrator takes a new colleague in: an account, a password, a role and a region."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.people import Person

pytestmark = pytest.mark.journey


def test_administrator_takes_in_a_colleague_who_then_sees_their_region(meet, house):
    with meet("administrator") as adam:
        adam.log_in()
        adam.open("People")
        adam.page.locator("a[href$='/accounts/user/add/']").click()
        adam.field("Username").fill("nora")
        adam.field("First name").fill("Nora")
        adam.field("Last name").fill("Dahl")
        adam.press("Save and continue editing")
        adam.sees("was added successfully")
        do(adam, "Set password", password="lingon-och-blåbär")
    with meet("nora") as nora:
        nora.log_in("lingon-och-blåbär")
        assert list(nora.menu_lists()) == ["Work", "The record"]
    with meet("administrator") as adam:
        adam.log_in()
        adam.open("People")
        adam.search("nora")
        adam.rows.get_by_role("link", name="nora").first.click()
        do(adam, "Give a role", role="Operator", reason="Joined the Nordic team")
        do(adam, "Let into a place", place="Nordics", reason="Joined the Nordic team")
        adam.sees("Operator", "Nordics")
        adam.open("Change sets")
        adam.sees("accounts.give_role", "accounts.give_place", "Joined the Nordic team")

    (nordic,) = house.facts(
        "SELECT count(*) FROM customers_customer c JOIN customers_region r ON r.id = c.region_id WHERE r.code = 'NORDICS'"
    )[0]
    with meet("nora") as nora:
        nora.log_in("lingon-och-blåbär")
        nora.open("Customers")
        nora.sees(f"{nordic} customers")
        nora.open("Regions")
        expect(nora.rows).to_have_count(1)
        expect(nora.rows).to_contain_text("Nordics")


def do(adam: Person, verb: str, **answers: str) -> None:
    adam.follow(verb)
    for name, answer in answers.items():
        field = adam.field(name.capitalize())
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(label=answer)
        else:
            field.fill(answer)
    adam.press(verb)
    adam.sees(f"{verb}: ")

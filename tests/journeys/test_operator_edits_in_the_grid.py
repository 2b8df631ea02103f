"""An operator edits cells of a list without a mouse, meets a colleague's edit, chooses, saves and takes it back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.people import Person

pytestmark = pytest.mark.journey
SETTLED = "name, payment_terms_days, city, country"


def test_operator_edits_cells_by_keyboard_alone(meet, house):
    keys = [
        key
        for (key,) in house.facts(
            "SELECT c.id FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
            " WHERE r.code = 'NORDICS' ORDER BY c.code LIMIT 4"
        )
    ]
    before = stored(house, keys)
    with meet("operator") as olga, meet("analyst") as anton:
        olga.log_in()
        open_grid(olga)
        olga.photograph("grid")
        assert shown_keys(olga)[:4] == keys

        write(olga, "Renamed by Olga")
        olga.page.keyboard.press("Tab")  # over the status, which is not edited here
        for _ in range(3):
            olga.page.keyboard.press("Tab")
        for days in ("21", "28", "35"):
            write(olga, days)
            olga.page.keyboard.press("Enter")
        for _ in range(5):
            olga.page.keyboard.press("ArrowRight")
        write(olga, "Kiruna")
        olga.page.keyboard.press("Tab")
        olga.page.keyboard.press("F2")
        olga.page.keyboard.type("Icel")
        olga.page.keyboard.press("Enter")
        expect(olga.page.locator("#grid-count")).to_have_text("6 cells changed, not saved yet")
        assert stored(house, keys) == before

        anton.log_in()
        anton.page.goto(f"/customers/customer/{keys[0]}/change/")
        anton.field("Name").fill("Renamed by Anton")
        anton.field("Contact title").fill("Head of Buying")
        anton.press("Save and continue editing")
        anton.sees("was changed successfully")

        olga.page.keyboard.press("Control+s")
        olga.sees("Changed by others while you were editing", "wrote “Renamed by Anton”. You wrote “Renamed by Olga”.")
        expect(cell(olga, keys[0], "contact_title")).to_have_text("Head of Buying")
        olga.photograph("grid-conflict")
        assert stored(house, keys)[0][0] == "Renamed by Anton"
        expect(olga.page.get_by_role("button", name="Take theirs")).to_be_focused()
        olga.page.keyboard.press("Tab")
        olga.page.keyboard.press("Enter")  # keep mine
        olga.page.keyboard.press("Control+s")
        olga.sees("4 rows changed.")
        now = stored(house, keys)
        assert [row[0] for row in now] == ["Renamed by Olga", *(row[0] for row in before[1:])]
        assert [row[1] for row in now[:3]] == [21, 28, 35]
        assert now[3][2:] == ("Kiruna", "IS")
        assert house.facts("SELECT contact_title FROM customers_customer WHERE id = %s", keys[0]) == [
            ("Head of Buying",)
        ]

        way = olga.page.get_by_role("link", name="Undo …")
        way.focus()
        olga.page.keyboard.press("Enter")
        olga.field("Reason").fill("Only to see")
        olga.press("Show me what would change")
        olga.sees("To be restored")
        olga.press("Apply all, or nothing")
        olga.sees("Applied")
    now = stored(house, keys)
    assert now[0][0] == "Renamed by Anton" and now[1:] == before[1:]


def test_what_is_wrong_is_told_in_its_cell_and_nothing_is_lost(meet, house):
    with meet("operator") as olga:
        olga.log_in()
        open_grid(olga)
        key = shown_keys(olga)[0]
        before = stored(house, [key])
        paste(olga, key, "payment_terms_days", "soon\tErik\tBuyer\tnobody\n30\tAnna\tBuyer\tanna@example.org")
        expect(olga.page.locator("#grid-count")).to_contain_text("cells changed, not saved yet")
        olga.page.keyboard.press("Control+s")
        olga.sees(
            "Nothing was saved yet: 2 things are wrong. Each is told in its cell.", "Enter a valid email address."
        )
        olga.photograph("grid-errors")
        assert stored(house, [key]) == before
        expect(cell(olga, key, "payment_terms_days")).to_be_focused()
        asked = []
        olga.page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        olga.page.get_by_role("link", name="Back to the list").click()
        olga.page.wait_for_timeout(300)
        assert asked == ["beforeunload"]
        expect(cell(olga, key, "payment_terms_days")).to_contain_text("soon")
        olga.page.keyboard.press("Escape")
        olga.page.get_by_role("button", name="Put all back").click()
        expect(olga.page.locator("#grid-count")).to_have_text("Nothing changed yet")


def test_a_reference_is_chosen_among_those_that_are_offered(meet, house):
    with meet("operator") as olga:
        olga.log_in()
        open_grid(olga)
        key = shown_keys(olga)[5]
        cell(olga, key, "account_manager").click()
        with olga.page.expect_response(re.compile("/grid/choices/.*term=ana")) as answer:
            olga.page.keyboard.type("ana")
        offered = [each["value"] for each in answer.value.json()["found"]]
        assert offered and all(each.startswith("ana") for each in offered)
        olga.page.keyboard.press("Control+a")
        olga.page.keyboard.type(offered[0])
        olga.page.keyboard.press("Enter")
        olga.page.keyboard.press("Control+s")
        olga.sees("1 row changed.")
        assert house.facts(
            "SELECT u.username FROM customers_customer c JOIN accounts_user u ON u.id = c.account_manager_id"
            " WHERE c.id = %s",
            key,
        ) == [(offered[0],)]


@pytest.mark.parametrize("screen", ["dark", "phone"])
def test_the_grid_fits(meet, screen):
    with meet("operator", **{screen: True}) as olga:
        olga.log_in()
        olga.page.goto("/customers/customer/grid/")
        key = shown_keys(olga)[0]
        cell(olga, key, "name").click()
        olga.page.keyboard.press("Control+a")
        olga.page.keyboard.type("Another name")
        olga.page.keyboard.press("Enter")
        olga.photograph(f"grid-{screen}")
        wide = olga.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        olga.page.keyboard.press("ArrowUp")
        olga.page.keyboard.press("Escape")


def test_a_thousand_lines_are_paged_and_searched(meet, house):
    (key,) = house.facts(
        "SELECT c.id FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
        " WHERE r.code = 'NORDICS' ORDER BY c.code OFFSET 6 LIMIT 1"
    )[0]
    house.facts(
        "INSERT INTO customers_contact (customer_id, name, title, email, phone)"
        " SELECT %s, 'Person ' || to_char(n, 'FM0000'), 'Buyer', '', n FROM generate_series(1, 1000) n RETURNING 1",
        key,
    )
    with meet("operator") as olga:
        olga.log_in()
        olga.page.goto(f"/customers/customer/{key}/change/#contacts")
        olga.sees(" of 1,0")
        olga.photograph("inline-pages")
        box = olga.page.get_by_role("searchbox", name="Search in contacts")
        box.fill("son 0777")
        box.press("Enter")
        olga.page.wait_for_url("**contacts-q=*")
        olga.page.goto(olga.page.url.partition("#")[0] + "#contacts")
        olga.sees("1 to 1 of 1")
        olga.page.locator("#id_contacts-0-title").fill("Head of Buying")
        olga.press("Save and continue editing")
        olga.sees("was changed successfully")
    found = "SELECT name FROM customers_contact WHERE customer_id = %s AND title = 'Head of Buying'"
    assert house.facts(found, key) == [("Person 0777",)]


def open_grid(person: Person) -> None:
    person.open("Customers")
    way = person.page.get_by_role("link", name="Edit in grid")
    way.focus()
    person.page.keyboard.press("Enter")
    expect(person.page.locator("#grid")).to_be_visible()
    for _ in range(80):
        if person.page.evaluate("document.activeElement.tagName") == "TD":
            return
        person.page.keyboard.press("Tab")
    raise AssertionError("no cell was reached with Tab")


def write(person: Person, text: str) -> None:
    person.page.keyboard.type(text)


def shown_keys(person: Person) -> list[int]:
    return person.page.eval_on_selector_all("#grid tbody tr", "rows => rows.map(row => Number(row.dataset.key))")


def cell(person: Person, key: int, name: str):
    return person.page.locator(f"#grid tr[data-key='{key}'] td[data-column={name}]")


def paste(person: Person, key: int, name: str, text: str) -> None:
    cell(person, key, name).focus()
    person.page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        text,
    )


def stored(house, keys: list[int]):
    return house.facts(f"SELECT {SETTLED} FROM customers_customer WHERE id = ANY(%s) ORDER BY code", keys)

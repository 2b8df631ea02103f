"""Two people open one customer. Whoever saves last is shown what the other did, and nothing is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.people import Person

pytestmark = pytest.mark.journey


def test_the_second_to_save_is_refused_and_sees_both_versions(meet, house):
    code = house.facts(
        "SELECT c.code FROM customers_customer c JOIN customers_region r ON r.id = c.region_id"
        " WHERE r.code = 'NORDICS' AND c.contact_title = '' ORDER BY c.code DESC LIMIT 1"
    )[0][0]
    with meet("operator") as olga, meet("analyst") as anton:
        for person in (olga, anton):
            person.log_in()
            open_customer(person, code)

        olga.field("City").fill("Kiruna")
        olga.field("Payment terms days").fill("21")
        olga.press("Save and continue editing")
        olga.sees("was changed successfully")

        anton.field("City").fill("Gällivare")
        anton.field("Contact title").fill("Head of Buying")
        anton.press("Save and continue editing")
        anton.sees(
            "Olga Lindqvist changed this record while you were editing",
            "City: theirs is “Kiruna”, yours is kept",
            "Payment terms days: theirs is “21”, taken over into the form",
        )
        anton.photograph("stale")
        assert stored(house, code) == ("Kiruna", 21, "")
        # The form now holds both: what they typed, and what the other changed elsewhere.
        expect(anton.field("City")).to_have_value("Gällivare")
        expect(anton.field("Payment terms days")).to_have_value("21")

        anton.press("Save and continue editing")
        anton.sees("was changed successfully")
    assert stored(house, code) == ("Gällivare", 21, "Head of Buying")


def open_customer(person: Person, code: str) -> None:
    person.open("Customers")
    person.search(code)
    person.rows.get_by_role("link", name=code).first.click()
    expect(person.field("Code")).to_have_value(code)


def stored(house, code: str):
    return house.facts("SELECT city, payment_terms_days, contact_title FROM customers_customer WHERE code = %s", code)[
        0
    ]

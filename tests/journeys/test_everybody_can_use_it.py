"""The main screens as axe-core sees them (WCAG 2 A and AA), light and dark: nothing serious, nothing critical."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.people import Person

pytestmark = pytest.mark.journey
GRAVE = ("serious", "critical")


@dataclasses.dataclass(frozen=True)
class Screen:
    """An address, what to do there before it is looked at, and the name of its picture in the docs."""

    address: str
    prepare: Callable[[Person], Any] | None = None
    picture: str = ""


def _first_row(person: Person) -> None:
    person.rows.first.get_by_role("link").first.click()
    person.page.wait_for_url("**/change/**")


def _open_filters(person: Person) -> None:
    person.show_filters()


def _open_columns(person: Person) -> None:
    person.page.locator("summary", has_text="Columns").click()


def _open_palette(person: Person) -> None:
    person.ask_palette("C-1000")


CUSTOMERS, ORDERS = "/customers/customer/", "/orders/order/"
SCREENS: dict[str, list[Screen]] = {
    "operator": [
        Screen("/"),
        Screen(CUSTOMERS),
        Screen(CUSTOMERS, _open_filters, "filters"),
        Screen(CUSTOMERS, _open_columns, "columns"),
        Screen(CUSTOMERS, _open_palette, "palette"),
        Screen(CUSTOMERS, _first_row),
        Screen(f"{CUSTOMERS}?q=nothing-is-called-this"),
        Screen(f"{CUSTOMERS}grid/"),
        Screen(f"{CUSTOMERS}add/"),
        Screen("/catalogue/product/?status=active"),
        Screen(ORDERS),
        Screen(ORDERS, _first_row),
        Screen("/filtering/savedview/"),
        Screen("/notices/notice/"),
        Screen("/jobs/job/"),
    ],
    "analyst": [
        Screen("/catalogue/product/export/", picture="export"),
        Screen("/catalogue/product/import/"),
        Screen("/plans/plan/"),
        Screen("/transfers/exportdefinition/"),
        Screen("/jobs/schedule/"),
    ],
    "auditor": [
        Screen("/audit/changeset/"),
        Screen("/audit/changeset/", _first_row),
        Screen("/audit/accessevent/"),
        Screen("/audit/accessevent/which-file/"),
        Screen(f"{CUSTOMERS}deleted/"),
    ],
    "administrator": [
        Screen("/accounts/user/"),
        Screen("/accounts/user/", _first_row),
        Screen("/accounts/role/"),
        Screen("/access/explain/"),
    ],
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("username", SCREENS)
def test_no_screen_keeps_anybody_out(meet, username, dark):
    axe, found = Axe(), []
    with meet(username, dark=dark) as person:
        found += findings(axe, person, Screen("/login/"))
        person.log_in()
        for screen in SCREENS[username]:
            found += findings(axe, person, screen)
            if screen.picture and not dark:
                person.photograph(screen.picture)
    assert not found, f"{len(found)} findings:\n" + "\n".join(found)


def findings(axe: Axe, person: Person, screen: Screen) -> list[str]:
    """What axe-core finds serious or critical on a screen: the rule, and the first places that break it."""
    answer = person.page.goto(screen.address)
    assert answer is not None and answer.ok, f"{screen.address}: {answer and answer.status}"
    if screen.prepare is not None:
        screen.prepare(person)
    person.page.wait_for_load_state("networkidle")
    told = axe.run(person.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{screen.address}: {each['id']} ({each['impact']}): {each['help']} [{len(each['nodes'])}] "
        + " | ".join(f"{node['html'][:160]} {_why(node)}" for node in each["nodes"][:3])
        for each in told
        if each["impact"] in GRAVE
    ]


def _why(node: dict[str, Any]) -> str:
    return "; ".join(each["message"] for each in (*node["any"], *node["all"], *node["none"]))[:200]

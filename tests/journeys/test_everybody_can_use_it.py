"""The main screens as axe-core sees them (WCAG 2 A and AA), light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.people import Person

pytestmark = pytest.mark.journey
GRAVE = ("serious", "critical")

# Who looks at what. An address, or an address and what to do there before it is looked at.
Screen = str | tuple[str, Callable[[Person], Any]]


def _first_row(person: Person) -> None:
    person.rows.first.get_by_role("link").first.click()
    person.page.wait_for_url("**/change/**")


def _open_filters(person: Person) -> None:
    person.show_filters()


def _open_columns(person: Person) -> None:
    person.page.locator("summary", has_text="Columns").click()


def _open_palette(person: Person) -> None:
    person.ask_palette("C-1000")


SCREENS: dict[str, list[Screen]] = {
    "operator": [
        "/",
        "/customers/customer/",
        ("/customers/customer/", _open_filters),
        ("/customers/customer/", _open_columns),
        ("/customers/customer/", _open_palette),
        ("/customers/customer/", _first_row),
        "/customers/customer/?q=nothing-is-called-this",
        "/customers/customer/grid/",
        "/customers/customer/add/",
        "/catalogue/product/?status=active",
        "/orders/order/",
        ("/orders/order/", _first_row),
        "/filtering/savedview/",
        "/notices/notice/",
        "/jobs/job/",
    ],
    "analyst": [
        "/catalogue/product/export/",
        "/catalogue/product/import/",
        "/plans/plan/",
        "/transfers/exportdefinition/",
        "/jobs/schedule/",
    ],
    "auditor": [
        "/audit/changeset/",
        ("/audit/changeset/", _first_row),
        "/audit/accessevent/",
        "/audit/accessevent/which-file/",
        "/customers/customer/deleted/",
    ],
    "administrator": [
        "/accounts/user/",
        ("/accounts/user/", _first_row),
        "/accounts/role/",
        "/access/explain/",
    ],
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("username", SCREENS)
def test_no_screen_keeps_anybody_out(meet, username, dark):
    axe, found = Axe(), []
    with meet(username, dark=dark) as person:
        found += [f"login: {each}" for each in findings(axe, person, "/login/")]
        person.log_in()
        for screen in SCREENS[username]:
            address, prepare = (screen, None) if isinstance(screen, str) else screen
            found += [f"{address}: {each}" for each in findings(axe, person, address, prepare)]
    assert not found, f"{len(found)} findings:\n" + "\n".join(found)


def findings(axe: Axe, person: Person, address: str, prepare: Callable[[Person], Any] | None = None) -> list[str]:
    """What axe-core finds serious or critical on a screen: the rule, and the first places that break it."""
    answer = person.page.goto(address)
    assert answer is not None and answer.ok, f"{address}: {answer and answer.status}"
    if prepare is not None:
        prepare(person)
    person.page.wait_for_load_state("networkidle")
    told = axe.run(person.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['help']} [{len(each['nodes'])}] "
        + " | ".join(f"{node['html'][:160]} {_why(node)}" for node in each["nodes"][:3])
        for each in told
        if each["impact"] in GRAVE
    ]


def _why(node: dict[str, Any]) -> str:
    return "; ".join(each["message"] for each in (*node["any"], *node["all"], *node["none"]))[:200]

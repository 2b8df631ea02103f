"""Four people log in; each finds the lists of their own work in the menu, and no others."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.journey

# What fixtures/roles.json lets each role view; access events, change sets, jobs, notices and plans are there for everybody's
# own.
MENUS = {
    "operator": {
        "Catalogue": ["Categories", "Products", "Suppliers"],
        "Customers": ["Customers", "Regions"],
        "Inventory": ["Stock counts", "Stock levels", "Stock movements", "Warehouses"],
        "Orders": ["Orders", "Returns", "Shipments"],
        "People": ["People"],
        "Work": ["Export definitions", "Jobs", "Notices", "Plans", "Saved views", "Schedules"],
        "The record": ["Access events", "Change sets", "Timeline"],
    },
    "analyst": {
        "Catalogue": ["Categories", "Products", "Suppliers"],
        "Customers": ["Customers", "Regions"],
        "Inventory": ["Stock levels", "Stock movements", "Warehouses"],
        "Orders": ["Orders", "Returns", "Shipments"],
        "People": ["People"],
        "Work": ["Export definitions", "Import profiles", "Jobs", "Notices", "Plans", "Saved views", "Schedules"],
        "The record": ["Access events", "Change sets", "Timeline"],
    },
    "auditor": {
        "Catalogue": ["Categories", "Products", "Suppliers"],
        "Customers": ["Customers", "Regions"],
        "Inventory": ["Stock counts", "Stock levels", "Stock movements", "Warehouses"],
        "Orders": ["Orders", "Returns", "Shipments"],
        "People": ["Access reviews", "Elevated sessions", "Field policies", "People", "Roles", "Teams"],
        "Work": ["Export definitions", "Import profiles", "Jobs", "Notices", "Plans", "Saved views", "Schedules"],
        "The record": ["Access events", "Change sets", "Reviews", "Timeline", "Verify"],
    },
    "administrator": {
        "Customers": ["Regions"],
        "Inventory": ["Warehouses"],
        "People": [
            "Access reviews",
            "Elevated sessions",
            "Explain a right",
            "Field policies",
            "People",
            "Roles",
            "Teams",
        ],
        "Work": ["Export definitions", "Import profiles", "Jobs", "Notices", "Plans", "Saved views", "Schedules"],
        "The record": ["Access events", "Change sets", "Timeline"],
    },
}
# Pages of their own, no lists.
PAGES = {"Explain a right", "Reviews", "Timeline", "Verify"}


@pytest.mark.parametrize("username", MENUS)
def test_everybody_finds_their_own_lists_and_each_opens(meet, username):
    with meet(username) as person:
        person.log_in()

        menu = {heading: sorted(lists) for heading, lists in person.menu_lists().items()}
        assert menu == MENUS[username]
        lists = [name for names in MENUS[username].values() for name in names]
        for name in (name for name in lists if name not in PAGES):
            person.open(name)


def test_a_list_outside_the_menu_does_not_open_by_its_address(meet):
    with meet("administrator") as adam:
        adam.log_in()

        assert adam.page.request.get("/customers/customer/").status == 403
        assert adam.page.request.get("/orders/order/").status == 403

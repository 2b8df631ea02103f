"""`python -m benchmarks.list_pages`: on the database that DATABASE_URL names, who looks at the orders and at which pages.

Prints, as JSON, the cookie of an operator who works in half of the regions and half of the warehouses, the addresses of the
pages that are measured, and every query that each of them makes.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

OPERATOR = "bench-operator"
RIGHTS = (
    "orders.view_order", "orders.change_order", "orders.ship_order", "orders.cancel_order", "orders.export_order",
    "customers.view_customer", "inventory.view_warehouse", "catalogue.view_product",
)  # fmt: skip


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsadmin.settings.test")
    import django

    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()  # pages tell what they were made of
    import benchmarks.list_app  # noqa: F401
    from benchmarks.web import _cookie

    operator = _operator()
    depth, deep = _deep(operator)
    pages = {
        "first page": "",
        "filtered": "?state=shipped",
        "searched, a common word": "?q=anna",
        "searched, a reference": "?q=SO-00000",
        f"next page, {depth:,} rows deep": f"?p={deep}",
        "last page": "?p=last",
    }
    told = {name: {"address": f"/orders/order/{query}", **_asked(operator, query)} for name, query in pages.items()}
    print(json.dumps({"cookie": _cookie(operator), "pages": told}))


def _operator() -> Any:
    from django.contrib.auth import get_user_model

    from apps.customers.models import Region
    from apps.inventory.models import Warehouse
    from tests.factories import UserFactory, give_role, grant

    people = get_user_model().objects
    if found := people.filter(username=OPERATOR).first():
        return found
    operator = give_role(UserFactory(username=OPERATOR), *RIGHTS)
    grant(operator, "access_region", Region.objects.get(code="NORTH"))
    for number in range(1, 11):
        grant(operator, "access_warehouse", Warehouse.objects.get(code=f"W{number}"))
    return people.get(username=OPERATOR)


def _deep(operator: Any) -> tuple[int, str]:
    """How deep the deep page is: 50,000 rows, or half of fewer; and its place in an address."""
    from admin_ext.access.rights import restrict
    from admin_ext.admin.paging import AFTER, _written
    from admin_ext.filtering.keyset import Ordering
    from apps.orders.models import Order

    rows = restrict(Order.objects.all(), operator)
    depth = min(50_000, rows[:100_000].count() // 2)
    keys = Ordering.of(rows, Order._meta.ordering)
    before = keys.marked(rows)[depth - 1 : depth][0]
    return depth, AFTER + _written(keys, keys.place_of(before), depth)


def _asked(operator: Any, query: str) -> dict[str, Any]:
    """The queries of a page that was asked for once before."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"host": "localhost"})
    client.force_login(operator, backend="admin_ext.access.backends.RoleBackend")
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            response = client.get(f"/orders/order/{query}")
    assert response.status_code == 200, query
    rows = len(response.context["cl"].result_list)
    pages = response.text[response.text.index('aria-label="Pages"') :][:900]
    said = re.findall(r"(?:of|>)\s*((?:about )?[\d,]+) orders", pages)
    return {
        "rows": rows,
        "told": said[0] if said else "",
        "queries": [_short(each["sql"]) for each in captured],
    }


def _short(sql: str) -> str:
    table = re.search(r'(?:FROM|UPDATE|INTO)\s+"?(\w+)', sql)
    return f"{sql.split()[0]} {table[1] if table else ''}".strip()


if __name__ == "__main__":
    main()

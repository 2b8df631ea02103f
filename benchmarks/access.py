"""`bench access`: what it costs that everybody sees only their rows.

A million orders of a hundred thousand customers in 50 regions, from 20 warehouses. The same lists, through the whole
page, by people who may see everything, who were let into 10, 1,000 and 50,000 customers one by one, and who work in one
region and two warehouses. Beside it, in the same database: guardian's `get_objects_for_user` on its generic grants, for
the same 50,000 customers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import database

GRANTS = (10, 1_000, 50_000)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench access", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=40, help="requests of each page")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    database.set_up(run_syncdb=True)
    try:
        _fill(options.orders, options.customers)
        result = _measure(options.requests)
    finally:
        from django.db import connection

        connection.close()
        database.drop()
    print(json.dumps(result, indent=2) if options.json else _told(result))
    return 0


def _fill(orders: int, customers: int) -> None:
    with database.owner() as owner:
        owner.execute("SET synchronous_commit = off")
        owner.execute(
            "INSERT INTO customers_region (code, name) SELECT 'R' || n, 'Region ' || n FROM generate_series(1, 50) n"
        )
        owner.execute(
            "INSERT INTO inventory_warehouse (code, name, is_active, street, city, state, postal_code, country) "
            "SELECT 'W' || n, 'Warehouse ' || n, true, '', '', '', '', 'NO' FROM generate_series(1, 20) n"
        )
        owner.execute(
            "INSERT INTO customers_customer (code, name, status, tax_number, credit_limit, currency, "
            "payment_terms_days, contact_name, contact_title, email, phone, fax, street, city, state, postal_code, "
            "country, brought_in, region_id) SELECT 'C' || lpad(n::text, 7, '0'), 'Customer ' || n, 'active', '', 100, "
            "'EUR', 30, '', '', '', '', '', '', 'City', '', '', 'NO', false, r.ids[1 + abs(hashint4(n)) %% 50] "
            "FROM generate_series(1, %s) n, (SELECT array_agg(id) ids FROM customers_region) r",
            [customers],
        )
        owner.execute(
            "INSERT INTO orders_order (state, ordered_on, customer_reference, ship_to_name, ship_to_street, ship_to_city, "
            "ship_to_state, ship_to_postal_code, ship_to_country, carrier, freight, currency, brought_in, customer_id, "
            "warehouse_id) SELECT 'draft', date '2026-01-01' - n / 500, '', 'Name ' || n, '', 'City', '', '', 'NO', '', 0, "
            "'EUR', false, c.first + abs(hashint4(n)) %% %s, w.ids[1 + abs(hashint4(n + 7)) %% 20] FROM generate_series(1, %s) n, "
            "(SELECT min(id) AS first FROM customers_customer) c, (SELECT array_agg(id) ids FROM inventory_warehouse) w",
            [customers, orders],
        )
        owner.execute("VACUUM ANALYZE")


def _people() -> dict[str, Any]:
    """People by what they may see. Grants are spread evenly over the customers."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission
    from django.db import connection

    from admin_ext.audit.context import change_set
    from apps.customers.models import Region
    from apps.inventory.models import Warehouse
    from tests.factories import UserFactory, give_role, grant

    see = Permission.objects.get(codename="view_customer")
    roles = ["customers.view_customer", "orders.view_order"]
    people = {
        "everything": give_role(UserFactory(), *roles, "customers.access_all_region", "inventory.access_all_warehouse")
    }
    for count in GRANTS:
        people[f"{count:,} grants"] = person = UserFactory()
        with change_set(actor=None, door="command", verb="bench.grant"), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO customers_customerusergrant (user_id, permission_id, content_object_id) "
                "SELECT %s, %s, id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS total "
                "FROM customers_customer) c WHERE n %% greatest(total / %s, 1) = 0 LIMIT %s",
                [person.pk, see.pk, count, count],
            )
    people["1 region, 2 warehouses"] = scoped = give_role(UserFactory(), *roles)
    for place in (Region.objects.get(code="R7"), Warehouse.objects.get(code="W3"), Warehouse.objects.get(code="W11")):
        grant(scoped, f"access_{place.dimension}", place)
    with database.owner() as owner:
        owner.execute("VACUUM ANALYZE")
    return {name: get_user_model().objects.get(pk=person.pk) for name, person in people.items()}


def _grant_half_of_all() -> Any:
    """Somebody who was let into every second order, and into as many rows of a plain table by guardian's generic grants."""
    from django.contrib.auth.models import Permission
    from django.contrib.contenttypes.models import ContentType

    from benchmarks.recordings.models import PlainOrder
    from tests.factories import UserFactory

    person = UserFactory()
    see = Permission.objects.get(codename="view_order").pk
    kind = ContentType.objects.get_for_model(PlainOrder).pk
    with database.owner() as owner:
        (right,) = owner.execute(
            "INSERT INTO auth_permission (name, codename, content_type_id) VALUES ('Can view', 'view_plainorder', %s) "
            "RETURNING id",
            [kind],
        ).fetchone()
        owner.execute(
            "INSERT INTO recordings_plainorder (id, number, customer_id, warehouse_id, ordered_on, required_on, "
            "customer_reference, ship_to_name, ship_to_city, ship_to_country, carrier, freight, currency) SELECT id, "
            "number, 1, 1, ordered_on, ordered_on, '', ship_to_name, ship_to_city, ship_to_country, '', 0, currency "
            "FROM orders_order"
        )
        owner.execute(
            "INSERT INTO orders_orderusergrant (user_id, permission_id, content_object_id) "
            "SELECT %s, %s, id FROM orders_order WHERE id %% 2 = 0",
            [person.pk, see],
        )
        owner.execute(
            "INSERT INTO guardian_userobjectpermission (object_pk, content_type_id, permission_id, user_id) "
            "SELECT id::text, %s, %s, %s FROM orders_order WHERE id %% 2 = 0",
            [kind, right, person.pk],
        )
        owner.execute("VACUUM ANALYZE")
    return person


def _measure(requests: int) -> dict[str, Any]:
    people = _people()
    pages = {}
    for title, address, names in (
        ("customers", "/customers/customer/", ["everything", *(f"{count:,} grants" for count in GRANTS)]),
        ("customers, page 20", "/customers/customer/?p=20", ["everything", f"{GRANTS[2]:,} grants"]),
        ("orders", "/orders/order/", ["everything", "1 region, 2 warehouses"]),
        ("orders, page 20", "/orders/order/?p=20", ["everything", "1 region, 2 warehouses"]),
    ):
        pages[title] = _page(address, {name: people[name] for name in names}, requests)
    return {"pages": pages, "checks": _checks(people), "stock": _beside_stock(_grant_half_of_all())}


def _page(address: str, people: dict[str, Any], requests: int) -> dict[str, dict[str, float]]:
    """Each person's page by turns, so that all meet the same weather; medians in ms, and how many queries it took."""
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    clients = {}
    for name, person in people.items():
        clients[name] = Client(headers={"host": "localhost"})
        clients[name].force_login(person, backend="admin_ext.access.backends.RoleBackend")
    took: dict[str, list[float]] = {name: [] for name in people}
    queries: dict[str, set[int]] = {name: set() for name in people}
    for n in range(requests + 2):
        for name, client in clients.items():
            reset_queries()
            with CaptureQueriesContext(connection) as captured:
                began = time.perf_counter()
                response = client.get(address)
                seconds = time.perf_counter() - began
            assert response.status_code == 200, (name, response.status_code)
            if n >= 2:  # the first ones fill the caches of templates and content types
                took[name].append(seconds * 1000)
                queries[name].add(len(captured))
    free = statistics.median(took["everything"])
    return {
        name: {
            "median_ms": round(statistics.median(each), 1),
            "p95_ms": round(sorted(each)[int(len(each) * 0.95) - 1], 1),
            "ratio": round(statistics.median(each) / free, 2),
            "queries_least": min(queries[name]),
            "queries_most": max(queries[name]),
        }
        for name, each in took.items()
    }


def _checks(people: dict[str, Any]) -> dict[str, float]:
    """One `can()` by somebody whose rights are known to the request already, in ms."""
    from admin_ext.access.rights import can
    from apps.customers.models import Customer
    from apps.orders.models import Order

    customers = list(Customer.objects.order_by("?")[:300])
    orders = list(Order.objects.filter(pk__lte=Order.objects.order_by("pk").first().pk + 300))
    found = {}
    for name, person in people.items():
        rows: Any = orders if name.startswith("1 region") else customers
        can(person, "view", rows[0])
        found[name] = round(statistics.median(_ms(partial(can, person, "view", row)) for row in rows), 3)
    return found


def _beside_stock(person: Any) -> dict[str, dict[str, float]]:
    """The granted rows, ours and through guardian's shortcut on generic grants: a page of them, their number, one check."""
    from django.contrib.auth import get_user_model
    from guardian.core import ObjectPermissionChecker
    from guardian.shortcuts import get_objects_for_user

    from admin_ext.access.rights import can, restrict
    from apps.orders.models import Order
    from benchmarks.recordings.models import PlainOrder

    def fresh() -> Any:
        return get_user_model().objects.get(pk=person.pk)

    def ours() -> Any:
        return restrict(Order.objects.order_by("-id"), fresh())

    def stock() -> Any:
        return get_objects_for_user(fresh(), "recordings.view_plainorder").order_by("-id")

    assert [row.pk for row in ours()[:50]] == [row.pk for row in stock()[:50]], "they show other rows"
    assert ours().count() == stock().count(), "they count other rows"
    mine, theirs = Order.objects.order_by("pk")[4711], PlainOrder.objects.order_by("pk")[4711]
    asked: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "first page": (lambda: list(ours()[:50]), lambda: list(stock()[:50])),
        "count": (lambda: ours().count(), lambda: stock().count()),
        "one check": (
            lambda: can(fresh(), "view", mine),
            lambda: ObjectPermissionChecker(fresh()).has_perm("view_plainorder", theirs),
        ),
    }
    found = {}
    for name, (our, their) in asked.items():
        took = [(_ms(our), _ms(their)) for _ in range(7)]
        our_ms, their_ms = (statistics.median(each) for each in zip(*took, strict=True))
        found[name] = {
            "ours_ms": round(our_ms, 1),
            "stock_ms": round(their_ms, 1),
            "times": round(their_ms / our_ms, 1),
        }
    return found


def _ms(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _told(result: dict[str, Any]) -> str:
    lines = [f"  {'page':20} {'person':24} {'median':>9} {'p95':>9} {'ratio':>7}  queries"]
    for page, people in result["pages"].items():
        for name, row in people.items():
            queries = f"{row['queries_least']} to {row['queries_most']}"
            lines.append(
                f"  {page:20} {name:24} {row['median_ms']:6.0f} ms {row['p95_ms']:6.0f} ms {row['ratio']:5.2f} x  {queries}"
            )
    lines += ["", "  One check:"] + [f"  {name:24} {ms:6.3f} ms" for name, ms in result["checks"].items()]
    lines += ["", "  Half of all orders granted one by one, ours and through get_objects_for_user on generic grants:"]
    lines += [
        f"  {name:24} {row['ours_ms']:6.1f} ms, stock {row['stock_ms']:6.1f} ms ({row['times']:.1f} x)"
        for name, row in result["stock"].items()
    ]
    return "\n".join(lines)

"""What is imported, into what, and what must have come of it."""

from __future__ import annotations

from typing import Any

from django.db import connection

from admin_ext.audit.context import change_set
from admin_ext.jobs.models import Job
from admin_ext.plans.models import Plan
from apps.accounts.models import User
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import RegionFactory, give_role

KINDS = ("create", "create", "create", "create", "create", "update", "update", "unchanged", "unchanged", "invalid")


def kind(n: int) -> str:
    return KINDS[n % len(KINDS)]


def arrange(rows: int) -> None:
    """A person who may import, and the customers that the file changes or finds as they are."""
    give_role(person_for(Customer), "customers.view_region")
    region = RegionFactory(code="NORD")
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        Customer.objects.bulk_create(
            (
                Customer(code=f"K{n}", name=_name(n), region=region, credit_limit=n if kind(n) == "unchanged" else 1)
                for n in range(rows)
                if kind(n) in ("update", "unchanged")
            ),
            batch_size=2_000,
        )


def analyst() -> Any:
    return User.objects.latest("pk")


def text(rows: int) -> str:
    def limit(n: int) -> str:
        return "plenty" if kind(n) == "invalid" else str(n)

    return "code,name,region,credit_limit\n" + "".join(f"K{n},{_name(n)},NORD,{limit(n)}\n" for n in range(rows))


def expected_counts(rows: int) -> dict[str, int]:
    found = [kind(n) for n in range(rows)]
    return {each: found.count(each) for each in sorted(set(KINDS))}


def wrongs(plan: Plan, rows: int) -> list[str]:
    """What the file did not ask for, found without the undisturbed import."""
    expected = expected_counts(rows)
    written = expected["create"] + expected["update"]
    job = Job.objects.select_related("change_set").get(pk=plan.applying_id)
    history = Customer.history.filter(change_set=job.change_set)
    found = {
        "rows of history": (history.count(), written),
        "rows with history": (history.values("id").distinct().count(), written),
        "rows that the change set counts": (job.change_set.rows, written),
        "customers": (Customer.objects.count(), rows - expected["invalid"]),
        "customers whose limit is not the file's": (_wrong_limits(), 0),
    }
    return [f"{what}: {seen}, not {right}" for what, (seen, right) in found.items() if seen != right]


def _wrong_limits() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer WHERE credit_limit <> substr(code, 2)::numeric")
        return cursor.fetchone()[0]


def _name(n: int) -> str:
    return f"Name {n}"

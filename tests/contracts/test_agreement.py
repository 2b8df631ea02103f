"""One right, asked in every way there is: for any roles, places and grants, all of them say the same.

Each set is drawn by chance (the same ones every day) on a world of regions in a tree, customers, orders that reach
their region through the customer, and stock. What a set means is worked out here from what was given, beside
`admin_ext.access`; then lists, pages, searches, files, plans and the two functions of `access` are asked.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import models, transaction
from django.test import Client
from django.urls import reverse

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.running import run_job
from admin_ext.plans.making import submit_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.importing import submit_import
from apps.accounts.models import Membership, Role, User
from apps.catalogue.models import Product
from apps.customers.models import Customer, Region
from apps.inventory.models import StockLevel, Warehouse
from apps.orders.models import Order
from tests import databases
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.inventory.factories import StockLevelFactory, WarehouseFactory
from tests.apps.orders.factories import OrderFactory
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

ACTIONS = ("view", "change", "delete", "import", "export", "hold", "handover")
ASKED: tuple[Any, ...] = (Customer, Order, StockLevel, Region, Warehouse)


class _Over(Exception):
    """Takes back what a set did, or ends the world."""


@dataclasses.dataclass
class Scene:
    """The rows, and where each lies."""

    rows: dict[Any, list[Any]]
    above: dict[tuple[Any, int], int | None]

    def place(self, row: Any) -> dict[str, int | None]:
        if isinstance(row, Region):
            return {"region": row.pk}
        if isinstance(row, Warehouse):
            return {"warehouse": row.pk}
        if isinstance(row, Customer):
            return {"region": row.region_id}
        if isinstance(row, Order):
            return {"region": row.customer.region_id, "warehouse": row.warehouse_id}
        return {"warehouse": row.warehouse_id}


@dataclasses.dataclass
class Given:
    """What somebody was given, as it was written down."""

    user: Any
    rights: set[str] = dataclasses.field(default_factory=set)
    places: dict[str, set[int]] = dataclasses.field(default_factory=lambda: {"region": set(), "warehouse": set()})
    everywhere: set[str] = dataclasses.field(default_factory=set)
    rows: set[tuple[Any, str, int]] = dataclasses.field(default_factory=set)

    def may(self, scene: Scene, action: str, row: Any) -> bool:
        """What all of that means for one row."""
        model = type(row)
        if (model, action, row.pk) in self.rows:
            return True
        if f"{model._meta.app_label}.{action}_{model._meta.model_name}" not in self.rights:
            return False
        return all(
            dimension in self.everywhere or self._covers(scene, dimension, place)
            for dimension, place in scene.place(row).items()
        )

    def _covers(self, scene: Scene, dimension: str, place: int | None) -> bool:
        model = Region if dimension == "region" else Warehouse
        while place is not None:
            if place in self.places[dimension]:
                return True
            place = scene.above[model, place]
        return False


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker) -> Iterator[Scene]:
    with django_db_blocker.unblock(), databases.committed():
        yield make_scene()


def make_scene() -> Scene:
    regions: list[Any] = []
    for name, above in (("EUROPE", None), ("NORDICS", 0), ("LAPLAND", 1), ("IBERIA", 0), ("ASIA", None), ("JAPAN", 4)):
        regions.append(RegionFactory(code=name, name=name, parent=regions[above] if above is not None else None))
    houses: list[Any] = []
    for name, above in (("NORTH", None), ("NORTH-1", 0), ("SOUTH", None)):
        houses.append(WarehouseFactory(code=name, name=name, parent=houses[above] if above is not None else None))
    homes = [*regions, None]
    customers = [CustomerFactory(code=f"AGREE-{n:02}", region=homes[n % len(homes)]) for n in range(14)]
    orders = [OrderFactory(customer=each, warehouse=houses[n % 3]) for n, each in enumerate(customers)]
    products: list[Product] = [ProductFactory(sku=f"AGREE-{n}") for n in range(3)]
    levels = [StockLevelFactory(warehouse=house, product=product) for house in houses for product in products]
    above = {(type(each), each.pk): each.parent_id for each in (*regions, *houses)}
    rows = {Customer: customers, Order: orders, StockLevel: levels, Region: regions, Warehouse: houses}
    fresh = {model: list(model._default_manager.filter(pk__in=[r.pk for r in each])) for model, each in rows.items()}
    return Scene(fresh, above)


def draw(lots: random.Random, scene: Scene) -> Given:
    """Somebody with anything, given in any of the ways there are."""
    given = Given(UserFactory())
    rights = [
        f"{model._meta.app_label}.{action}_{model._meta.model_name}"
        for model in ASKED
        for action in ACTIONS
        if action != "hold" or model is Customer
    ]
    given.rights = {each for each in rights if lots.random() < lots.choice((0.2, 0.6, 0.95))}
    for dimension, model in (("region", Region), ("warehouse", Warehouse)):
        if lots.random() < 0.15:
            given.everywhere.add(dimension)
        given.places[dimension] = {row.pk for row in scene.rows[model] if lots.random() < 0.25}
    for model in ASKED:
        for row in lots.sample(scene.rows[model], lots.choice((0, 0, 1, 2))):
            # A page asks for two; who may change a row alone still does not see it.
            given.rows |= {(model, action, row.pk) for action in lots.sample(ACTIONS[:5], lots.choice((1, 2, 4)))}
    everywhere = {f"{'customers' if each == 'region' else 'inventory'}.access_all_{each}" for each in given.everywhere}
    give_role(given.user, *given.rights, *everywhere)
    _hand_out(lots, scene, given)
    given.user = User.objects.get(pk=given.user.pk)
    return given


def _hand_out(lots: random.Random, scene: Scene, given: Given) -> None:
    """Places and rows, to the person or to one of their roles."""
    grants = [
        (model, f"access_{model.dimension}", key)
        for model in (Region, Warehouse)
        for key in given.places[model.dimension]
    ]
    for model, action, key in [*grants, *given.rows]:
        row = model._default_manager.get(pk=key)
        if lots.random() < 0.7:
            grant(given.user, action, row)
            continue
        from django.contrib.auth.models import Permission

        with change_set(actor=None, door="shell", verb="tests.arrange"):
            role = Role.objects.create(name=f"shared {given.user.pk} {Role.objects.count()}")
            Membership.objects.create(user=given.user, group_id=role.pk)
            codename = action if action.startswith("access_") else f"{action}_{model._meta.model_name}"
            permission = Permission.objects.get(content_type__app_label=model._meta.app_label, codename=codename)
            model.group_grants_model.objects.create(group_id=role.pk, permission=permission, content_object=row)


# -- ways to ask -----------------------------------------------------------------------------------


def listed(client: Client, model: Any) -> set[int] | None:
    """What the list shows; None where it is refused."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    response = client.get(reverse(f"admin:{name}_changelist"))
    if response.status_code == 403:
        return None
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


def opened(client: Client, row: models.Model, page: str) -> bool:
    name = f"{row._meta.app_label}_{row._meta.model_name}_{page}"
    return client.get(reverse(f"admin:{name}", args=[row.pk])).status_code == 200


def completed(client: Client, source: str, field: str) -> set[int] | None:
    """What an autocomplete offers; None where it is refused."""
    app, _, name = source.partition(".")
    asked = {"app_label": app, "model_name": name, "field_name": field, "term": ""}
    found: set[int] = set()
    page = 1
    while True:
        response = client.get(reverse("admin:autocomplete"), {**asked, "page": page})
        if response.status_code == 403:
            return None
        told = response.json()
        found |= {int(each["id"]) for each in told["results"]}
        if not told["pagination"]["more"]:
            return found
        page += 1


def searched(client: Client, row: Any) -> bool:
    """Does the palette find it by its reference?"""
    reference = str(row.natural_key()[0])
    response = client.get(reverse("admin:search"), {"s": reference, "extended": "1"})
    name = f"{row._meta.app_label}_{row._meta.model_name}_change"
    return bool(re.search(rf'"{re.escape(reverse(f"admin:{name}", args=[row.pk]))}"', response.text))


def exported(given: Given, model: Any, column: str) -> set[str] | None:
    """The references in the file that an export makes; None where it is refused."""
    try:
        job = submit_export(actor=given.user, selection=Selection(model=model._meta.label), columns=[column])
    except NotPermitted:
        return None
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    with job.files.get().file.open("rb") as file:
        return {row[0] for row in csv.reader(io.StringIO(file.read().decode("utf-8-sig")))} - {column}


def imported(given: Given, rows: list[Customer]) -> set[str] | None:
    """The customers that an import would change; None where it is refused."""
    text = "code,city\n" + "".join(f"{row.code},Elsewhere\n" for row in rows)
    try:
        upload = ContentFile(text.encode(), name="rows.csv")
        plan = submit_import(actor=given.user, source=upload, name="rows.csv", resource="customers.Customer")
    except NotPermitted:
        return None
    run_job(plan.making_id)
    plan = Plan.objects.get(pk=plan.pk)
    assert plan.state == Plan.State.READY, plan.making.error
    return {row.key for row in plan.rows.filter(action="update")}


def affected(given: Given, model: Any, source: str, **parameters: Any) -> set[int]:
    """The rows that a bulk action on all that is there would change."""
    selection = Selection(model=model._meta.label).to_json()
    plan = submit_plan(
        actor=given.user,
        source=source,
        title="Agreement",
        model=model._meta.label,
        parameters={"selection": selection, "reason": "Agreement", **parameters},
    )
    run_job(plan.making_id)
    plan = Plan.objects.get(pk=plan.pk)
    assert plan.state == Plan.State.READY, plan.making.error
    return {row.target_id for row in plan.rows.filter(action="update")}


# -- one set ---------------------------------------------------------------------------------------


def disagreements(scene: Scene, given: Given, lots: random.Random, *, thorough: bool) -> tuple[int, list[str]]:
    """How many answers were compared, and which were others than what was given means."""
    client = Client()
    client.force_login(given.user)
    asked, wrong = 0, []

    def agree(told: Any, meant: Any, what: str) -> None:
        nonlocal asked
        asked += len(meant) if isinstance(meant, set) and meant else 1
        if told != meant:
            wrong.append(f"{what}: {told}, not {meant}; given {given}")

    for model, rows in scene.rows.items():
        means = {action: {row.pk for row in rows if given.may(scene, action, row)} for action in ACTIONS}
        among = model._default_manager.filter(pk__in=[row.pk for row in rows])
        for action in ACTIONS:
            agree({r.pk for r in rows if can(given.user, action, r)}, means[action], f"can {action} {model.__name__}")
            agree(
                set(restrict(among, given.user, action).values_list("pk", flat=True)),
                means[action],
                f"restrict {action}",
            )
        told = listed(client, model)
        seen, changed = means["view"], means["change"]
        may_open = bool(seen or changed) or _holds(given, model, "view") or _holds(given, model, "change")
        if told is None or not may_open:
            agree(told is None, not may_open, f"list of {model.__name__} refused")
        else:
            agree(told & {row.pk for row in rows}, seen, f"list of {model.__name__}")
        for row in rows if thorough and model in (Customer, Order) else lots.sample(rows, 1):
            may_open = row.pk in seen
            agree(opened(client, row, "change"), may_open, f"page of {row}")
            agree(opened(client, row, "history"), row.pk in seen, f"history of {row}")
            if hasattr(row, "natural_key") and model is not StockLevel:
                agree(searched(client, row), row.pk in seen, f"search for {row}")
    _agree_on_choices(scene, given, client, agree)
    if thorough or lots.random() < 0.3:
        _agree_on_work(scene, given, agree)
    return asked, wrong


def _holds(given: Given, model: Any, action: str) -> bool:
    return f"{model._meta.app_label}.{action}_{model._meta.model_name}" in given.rights or any(
        (model, action) == (each, verb) for each, verb, _ in given.rows
    )


def _agree_on_choices(scene: Scene, given: Given, client: Client, agree: Any) -> None:
    for source, field, model in (
        ("orders.order", "customer", Customer),
        ("customers.customer", "region", Region),
        ("orders.order", "warehouse", Warehouse),
    ):
        told = completed(client, source, field)
        meant = {row.pk for row in scene.rows[model] if given.may(scene, "view", row)}
        agree(told, meant if _holds(given, model, "view") else None, f"autocomplete of {model.__name__}")


def _agree_on_work(scene: Scene, given: Given, agree: Any) -> None:
    """Files and plans, for the customers; and a bulk edit, for the stock."""
    customers = scene.rows[Customer]

    def means(model: Any, *actions: str) -> list[Any]:
        return [row for row in scene.rows[model] if all(given.may(scene, each, row) for each in actions)]

    exports = {row.code for row in means(Customer, "export")}
    agree(exported(given, Customer, "code"), exports if _holds(given, Customer, "export") else None, "export")
    imports = {row.code for row in means(Customer, "view", "change", "import")}
    agree(imported(given, customers), imports if _holds(given, Customer, "import") else None, "import")
    held = {row.pk for row in means(Customer, "view", "hold")}
    agree(
        affected(given, Customer, "verb", verb="customers.hold", arguments={"reason": "Agreement"}), held, "bulk verb"
    )
    edit = {"changes": {"reorder_level": {"operation": "set", "value": "7"}}}
    agree(affected(given, StockLevel, "edit", **edit), {r.pk for r in means(StockLevel, "view", "change")}, "bulk edit")


def compare(scene: Scene, seed: int, *, thorough: bool) -> tuple[int, list[str]]:
    """One set, taken back afterwards."""
    lots = random.Random(seed)
    asked, wrong = 0, ["never compared"]
    try:
        with transaction.atomic():
            asked, wrong = disagreements(scene, draw(lots, scene), lots, thorough=thorough)
            raise _Over
    except _Over:
        return asked, wrong


@pytest.mark.parametrize("seed", range(20))
def test_all_ways_of_asking_agree(scene, seed):
    _, wrong = compare(scene, seed, thorough=False)
    assert not wrong, "\n".join(wrong)


@pytest.mark.rights
@pytest.mark.parametrize("tenth", range(10))
def test_all_ways_of_asking_agree_on_many_sets(scene, tenth):
    """Of each set every row is asked of every way: some 400 answers."""
    compared, wrong = 0, []
    for seed in range(1000 + 12 * tenth, 1012 + 12 * tenth):
        asked, found = compare(scene, seed, thorough=True)
        compared, wrong = compared + asked, wrong + found
    assert not wrong, f"{len(wrong)} of {compared}:\n" + "\n".join(wrong[:10])
    assert compared > 2_000
    print(f"agreement: {compared:,} answers over 12 sets, 0 disagreements")


def test_a_disagreement_would_be_noticed(scene):
    """The oracle is not the function that it judges: a right more than was written down is told."""
    lots = random.Random(3)
    try:
        with transaction.atomic():
            given = draw(lots, scene)
            given.user = give_role(given.user, "customers.view_customer", "customers.access_all_region")
            given.rights.discard("customers.view_customer")
            given.rows = {each for each in given.rows if each[0] is not Customer}
            _, wrong = disagreements(scene, given, lots, thorough=False)
            assert any("list of Customer" in each for each in wrong)
            assert any("can view Customer" in each for each in wrong)
            raise _Over
    except _Over:
        pass

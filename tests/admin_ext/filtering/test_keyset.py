"""Pages by key: whatever the ordering, and whatever comes and goes meanwhile, a row that stays is met once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Length, NullIf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_ext.admin.paging import page_of
from admin_ext.audit.context import change_set
from admin_ext.filtering.keyset import NoKeys, NoSuchPlace, Ordering
from apps.customers.models import Customer, Region
from tests.contracts.world import make
from tests.factories import CustomerFactory, RegionFactory

pytestmark = pytest.mark.django_db

REGIONS = ["a", "b", None]
ENTRIES = [
    "code",
    "name",
    "credit_limit",
    "brought_in",
    "created_at",
    "region",
    "region__name",
    "region_id",
    "account_manager",
    F("region__name").asc(nulls_first=True),
    F("region__name").desc(nulls_last=True),
    F("name").asc(),
    Length("name"),
    NullIf("name", Value("x")).desc(),
    NullIf("name", Value("x")).asc(nulls_first=True),
    Coalesce("region__name", "name"),
]

rows = st.lists(
    st.tuples(st.sampled_from(["x", "X", "yy", "é", "zz"]), st.sampled_from(REGIONS), st.integers(0, 2)),
    min_size=1,
    max_size=14,
)
orderings = st.lists(
    st.sampled_from([*ENTRIES, *(f"-{each}" for each in ENTRIES if isinstance(each, str))]), max_size=3
)
# What happens before each page: the place of a row that goes (or none), and whether one comes.
meanwhile = st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=8)


def fill(drawn: list[tuple[str, str | None, int]]) -> None:
    regions = {name: Region.objects.get_or_create(code=name, defaults={"name": name})[0] for name in "ab"}
    Customer.objects.all().delete()
    for number, (name, region, limit) in enumerate(drawn):
        Customer.objects.create(
            code=f"C{number:03}", name=name, region=regions.get(region), credit_limit=Decimal(limit)
        )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=rows, ordering=orderings, size=st.integers(1, 4), events=meanwhile, forwards=st.booleans())
def test_a_row_that_stays_is_met_once_and_in_its_place(act, drawn, ordering, size, events, forwards):
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        fill(drawn)
        queryset = Customer.objects.all()
        before = [row.pk for row in Ordering.of(queryset, ordering).marked(queryset)]
        met, asked, coming = [], "" if forwards else "last", iter(events)
        for _ in range(60):
            page = page_of(queryset, ordering, asked, size)
            if page.said:  # what came next is gone; the person is told, and shown the end again
                break
            met += [row.pk for row in page.rows] if forwards else [row.pk for row in reversed(page.rows)]
            asked = page.next if forwards else page.previous
            if not asked:
                break
            gone, comes = next(coming, (99, False))
            queryset.filter(pk__in=list(queryset.values_list("pk", flat=True))[gone : gone + 1]).delete()
            if comes:
                Customer.objects.create(code=f"N{len(met)}", name="X")
        stayed = set(before) & set(queryset.values_list("pk", flat=True))
        assert len(met) == len(set(met)), "a row was met twice"
        assert [pk for pk in met if pk in stayed] == [
            pk for pk in (before if forwards else reversed(before)) if pk in stayed
        ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=rows, ordering=orderings, size=st.integers(1, 4))
def test_places_are_ordered_as_the_database_orders(act, drawn, ordering, size):
    """The pages on the way are those that slices of the ordered rows show, there and back."""
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        fill(drawn)
    queryset = Customer.objects.all()
    whole = [row.pk for row in queryset.order_by(*ordering, "-pk")]
    page, asked = page_of(queryset, ordering, "", size), "1"
    for start in range(0, len(whole), size):
        page = page_of(queryset, ordering, asked, size)
        assert [row.pk for row in page.rows] == whole[start : start + size]
        assert page.begins_after == start
        asked = page.next
    assert not asked
    while page.previous:
        ends = page.begins_after
        page = page_of(queryset, ordering, page.previous, size)
        assert [row.pk for row in page.rows] == whole[ends - size : ends]


def test_the_last_page_is_asked_for_from_the_end(act):
    for number in range(5):
        CustomerFactory(code=f"C{number}")
    page = page_of(Customer.objects.all(), ["code"], "last", 2)
    assert ([row.code for row in page.rows], page.next) == (["C3", "C4"], "")
    assert [row.code for row in page_of(Customer.objects.all(), ["code"], page.previous, 2).rows] == ["C1", "C2"]


@pytest.mark.parametrize("asked", ["0", "-3", "١", "9" * 5000, "a.", "b.x", "a.é", "a." + "A" * 5000, "x", "a.\x00"])
def test_what_is_no_page_shows_one_all_the_same(act, asked):
    CustomerFactory(code="C0")
    assert [row.code for row in page_of(Customer.objects.all(), ["code"], asked, 2).rows] == ["C0"]


def test_numbers_end_at_the_hundredth(act):
    for number in range(102):
        make(Region, code=f"R{number:03}")
    page = page_of(Region.objects.all(), ["code"], "5000", 1)
    assert page.rows[0].code == "R099" and "page 100" in page.said and page.next


def test_a_place_is_of_its_own_ordering_and_model(act):
    for number in range(3):
        CustomerFactory(code=f"C{number}")
    asked = page_of(Customer.objects.all(), ["name"], "", 1).next
    assert page_of(Customer.objects.all(), ["-name"], asked, 1).said
    assert page_of(Region.objects.all(), ["name"], asked, 1).said
    assert not page_of(Customer.objects.all(), ["name"], asked, 1).said


def test_an_address_does_not_tell_what_it_holds(act):
    CustomerFactory.create_batch(2, region=RegionFactory(name="CANARY"))
    asked = page_of(Customer.objects.all(), ["region__name"], "", 1).next
    assert asked and "CANARY" not in asked
    import base64

    assert b"CANARY" not in base64.urlsafe_b64decode(asked[2:] + "==")


def test_what_has_no_place_is_paged_by_number(act):
    for number in range(3):
        CustomerFactory(code=f"C{number}")
    with pytest.raises(NoKeys):
        Ordering.of(Customer.objects.all(), ["?"])
    page = page_of(Customer.objects.all(), ["?"], "2", 1)
    assert (len(page.rows), page.previous, page.next) == (1, "1", "3")


def test_a_place_that_is_none_is_refused(act):
    ordering = Ordering.of(Customer.objects.all(), ["created_at"])
    for place in ([], ["never", 1], [1, 2, 3]):
        with pytest.raises(NoSuchPlace):
            ordering.after(Customer.objects.all(), place, 1)


def plan(queryset: Any) -> dict[str, Any]:
    import json

    explained = json.loads(queryset.explain(format="json", analyze=True))
    while isinstance(explained, list):
        explained = explained[0]
    return explained["Plan"]


def rows_read(node: dict[str, Any]) -> int:
    """What the leaves of a plan read, and threw away."""
    here = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return sum(map(rows_read, node["Plans"])) if "Plans" in node else int(here)


@pytest.mark.parametrize("ordering", [["code"], ["-code"], ["-created_at", "-id"], ["status", "code"]])
def test_a_page_deep_down_reads_what_it_shows(act, ordering):
    """Where an index has the ordering, neither the rows before nor those after are read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_customer (code, name, status, tax_number, credit_limit, currency, "
            "payment_terms_days, contact_name, contact_title, email, phone, fax, street, city, state, postal_code, "
            "country, brought_in) SELECT 'C' || lpad(n::text, 6, '0'), 'Name', 'active', '', 0, 'EUR', 30, '', '', '', '', "
            "'', '', '', '', '', '', false FROM generate_series(1, 5000) n"
        )
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    queryset = Customer.objects.all()
    keys = Ordering.of(queryset, ordering)
    rows = list(keys.marked(queryset)[4000:4001])
    values = [key.field.to_python(value) for key, value in zip(keys.keys, keys.place_of(rows[0]), strict=True)]
    parts = keys._parts(0, values)
    if "created_at" not in ordering[0]:
        assert rows_read(plan(keys.marked(queryset).filter(parts[0])[:50])) <= 60
    assert [row.pk for row in keys.after(queryset, keys.place_of(rows[0]), 50)] == [
        row.pk for row in keys.marked(queryset)[4001:4051]
    ]

"""`any_of` finds what `in` finds, whatever the texts are made of; `among_few` too, and keeps to itself how many there are."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.customers.models import Customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.sets(TEXTS, min_size=1, max_size=5), TEXTS)
@example({'a"b', "back\\", "{x}", "a,b", "NULL", " "}, "null")
@example({"\\", "%s", "'", "100 %"}, '"')
def test_texts(transactional_names, codes, other):
    transactional_names(codes | {other})
    found = Customer.objects.filter(name__any_of=list(codes)).values_list("name", flat=True)
    assert set(found) == codes
    assert not Customer.objects.filter(name__any_of=[]).exists()


@pytest.fixture
def transactional_names():
    known = set()

    def make(names):
        for name in names - known:
            CustomerFactory(name=name)
            known.add(name)

    return make


@pytest.mark.django_db
def test_the_planner_is_not_told_how_many_few_are():
    keys = list(Permission.objects.values_list("pk", flat=True))
    assert set(Permission.objects.filter(pk__among_few=keys[:7]).values_list("pk", flat=True)) == set(keys[:7])
    assert not Permission.objects.filter(pk__among_few=[]).exists()
    texts = list(Permission.objects.values_list("codename", flat=True)[:7])
    assert set(Permission.objects.filter(codename__among_few=texts).values_list("codename", flat=True)) == set(texts)
    assert not Permission.objects.filter(codename__among_few=[]).exists()

    def expected(lookup, count, column="pk"):
        wanted = Permission.objects.values_list(column, flat=True)[:count]
        rows = Permission.objects.filter(**{f"{column}__{lookup}": list(wanted)}).order_by()
        return json.loads(rows.explain(format="json"))[0]["Plan"]["Plan Rows"]

    assert len(keys) > 100
    assert expected("any_of", 100) > expected("any_of", 5)
    assert expected("among_few", 100) == expected("among_few", 5)
    assert expected("among_few", 100, "codename") == expected("among_few", 5, "codename")

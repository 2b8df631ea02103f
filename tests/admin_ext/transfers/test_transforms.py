"""What a mapping may do to a cell: small steps, each with its form, and nothing else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from admin_ext.access.rights import NotPermitted
from admin_ext.transfers.mapping import Mapping, MappingNotUsable
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import RegionFactory, UserFactory, give_role, grant, police


def mapped(rule, *cells, field="city", actor=None, header=("A", "B")):
    columns = {"code": {"from": "A"}, field: {"from": "A", **rule}}
    mapping = Mapping.from_json({"columns": columns}, resource="customers.Customer")
    return mapping.extractors(list(header), actor=actor)[field](list(cells))


@pytest.mark.parametrize(
    ("rule", "cell", "becomes"),
    [
        ({"trim": "ends"}, "  a  b ", "a  b"),
        ({"trim": "all"}, "  a  b ", "a b"),
        ({"case": "upper"}, "ab", "AB"),
        ({"case": "title"}, "BAD HOMBURG", "Bad Homburg"),
        ({"replace": {".": "", "x": "y"}}, "a.x", "ay"),
        ({"split": {"at": "/", "part": 2}}, "a/ b /c", "b"),
        ({"split": {"at": "/", "part": -1}}, "a/b/c", "c"),
        ({"default": "EUR"}, " ", "EUR"),
        ({"default": "EUR"}, "USD", "USD"),
        ({"number": {"decimal": ",", "thousands": "."}}, "1.234,50", "1234.50"),
        ({"number": {"decimal": ",", "thousands": " "}}, "-1\u00a0234,5", "-1234.5"),
        ({"number": {"decimal": ",", "thousands": "."}}, Decimal("1.5"), Decimal("1.5")),
        ({"case": "upper", "trim": "all", "map": {"A B": "c"}}, " a  b", "c"),
    ],
)
def test_a_step_does_what_it_says(rule, cell, becomes):
    assert mapped(rule, cell) == (becomes, None)


def test_columns_are_joined_without_blank_ones():
    rule = {"join": {"columns": ["B"], "with": ", "}}
    assert mapped(rule, "Main St", "2nd floor") == ("Main St, 2nd floor", None)
    assert mapped(rule, "Main St", " ") == ("Main St", None)
    assert mapped(rule, None, None) == (None, None)


@pytest.mark.parametrize(
    ("rule", "cell", "said"),
    [
        ({"split": {"at": "/", "part": 2}}, "a", "1 part"),
        ({"number": {"decimal": ",", "thousands": "."}}, "1.2,5", "not a number"),
        ({"number": {"decimal": ",", "thousands": "."}}, "1234.50", "not a number"),
    ],
)
def test_a_cell_that_does_not_fit_is_an_error_and_no_guess(rule, cell, said):
    assert said in mapped(rule, cell)[1][0]


@pytest.mark.parametrize(
    "rule",
    [
        {"case": "camel"},
        {"split": {"at": "", "part": 1}},
        {"split": {"at": "/", "part": 0}},
        {"replace": {"": "x"}},
        {"number": {"decimal": ",", "thousands": ","}},
        {"join": "B"},
        {"look_up": "name"},
        {"pattern": "(a+)+"},
    ],
)
def test_what_means_nothing_is_refused_before_a_file_is_read(rule):
    with pytest.raises(MappingNotUsable):
        mapped(rule, "a")


@pytest.mark.django_db
class TestLookingUp:
    def test_finds_what_the_person_sees_and_tells_several_apart_from_none(self):
        north = RegionFactory(code="N", name="North")
        for code in ("S1", "S2"):
            RegionFactory(code=code, name="South")
        actor = give_role(person_for(Customer), "customers.view_region")

        def looked(cell, who):
            return mapped({"look_up": "name"}, cell, field="region", actor=who)

        assert looked(" north ", actor) == ("N", None)
        assert "several" in looked("South", actor)[1][0]
        assert "There is no region" in looked("West", actor)[1][0]
        stranger = grant(give_role(UserFactory(), "customers.view_region"), "access_region", north)
        assert "There is no region" in looked("South", stranger)[1][0]

    def test_by_a_field_that_is_kept_from_the_person_is_refused(self):
        person = give_role(person_for(Customer), "customers.view_region")
        person = police(person, "customers.Region:name", "masked")
        with pytest.raises(NotPermitted):
            mapped({"look_up": "name"}, "x", field="region", actor=person)

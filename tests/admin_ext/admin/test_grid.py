"""Edit in grid: many cells of a list saved at once, within rights, and nobody's edit silently reverted."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from admin_ext.access.models import FieldPolicy
from admin_ext.access.veils import DOTS
from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from apps.catalogue.models import Product
from apps.customers.models import Customer, Region
from apps.orders.models import Order
from tests.admin_ext.admin.grids import Grid, address
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.orders.factories import OrderFactory
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def customers():
    return [CustomerFactory(name=f"Name {n}", city="Lund", credit_limit=100, phone=str(n)) for n in range(4)]


@pytest.fixture
def person():
    return give_role(
        person_for(Customer), "customers.view_region", "customers.access_all_region", "audit.view_changeset"
    )


@pytest.fixture
def grid(client, person, customers):
    client.force_login(person)
    return Grid(client, Customer)


def now(row):
    return type(row)._base_manager.get(pk=row.pk)


def meanwhile(row, **values):
    with change_set(actor=None, door="shell", reason="theirs"):
        type(row).objects.filter(pk=row.pk).update(**values)


def policy(person, model, field, kind):
    with change_set(actor=None, door="shell", reason="a test"):
        for role in person.groups.all():
            FieldPolicy.objects.create(role=role, model=model._meta.label, field=field, kind=kind)


class TestTheGrid:
    def test_shows_the_rows_of_the_list_as_it_is_filtered_and_sorted(self, client, person, customers):
        client.force_login(person)
        meanwhile(customers[1], city="Malmö")
        query = "?city=Lund&o=-1"
        grid = Grid(client, Customer, query)
        listed = client.get(reverse("admin:customers_customer_changelist") + query).context["cl"].result_list
        assert grid.keys == [row.pk for row in listed] == [customers[n].pk for n in (3, 2, 0)]

    def test_is_offered_on_the_list_with_its_filters(self, client, person, customers):
        client.force_login(person)
        page = client.get(reverse("admin:customers_customer_changelist") + "?city=Lund").text
        assert f"{address(Customer)}?city=Lund" in page

    def test_is_not_offered_in_the_past_or_to_who_may_only_look(self, client, person, customers):
        client.force_login(person)
        past = client.get(reverse("admin:customers_customer_changelist") + "?_asof=2026-01-01T00:00").text
        assert address(Customer) not in past
        looking = person_for(Customer, "customers.view_customer")
        client.force_login(looking)
        assert address(Customer) not in client.get(reverse("admin:customers_customer_changelist")).text
        assert client.get(address(Customer)).status_code == 403
        assert client.post(address(Customer), b"{}", content_type="application/json").status_code == 403

    def test_saves_many_cells_as_one_change_set_that_can_be_undone(self, grid, customers, person):
        grid.type(customers[0], city="Umeå", payment_terms_days="45")
        grid.type(customers[2], name="Renamed", country="Norway")
        answer = grid.save(reason="They moved")
        assert (answer["saved"], answer["told"]) == (2, "2 rows changed.")
        assert [now(customers[0]).city, now(customers[0]).payment_terms_days] == ["Umeå", 45]
        assert [now(customers[2]).name, now(customers[2]).country] == ["Renamed", "NO"]
        acts = {each.history.first().change_set for each in (customers[0], customers[2])}
        (act,) = acts
        assert (act.actor, act.door, act.verb, act.reason) == (
            person,
            "grid",
            "customers.change_customer",
            "They moved",
        )
        assert act.rows == 2
        assert answer["undo"] == reverse("admin:audit_changeset_undo", args=[act.pk])
        assert grid.mine == {}

    def test_a_cell_that_is_as_it_was_writes_nothing(self, grid, customers):
        acts = ChangeSet.objects.count()
        grid.mine[customers[0].pk, "city"] = " Lund "
        assert grid.save()["told"] == "Nothing to save: every cell is as it is on the record."
        assert now(customers[0]).version == 1 and ChangeSet.objects.count() == acts

    def test_a_reference_is_named_as_people_name_it(self, grid, customers, client):
        region = RegionFactory(code="NORD", name="Nordics")
        grid.type(customers[0], region="NORD")
        assert grid.save()["saved"] == 1
        assert now(customers[0]).region == region
        grid.type(customers[0], region="")
        assert grid.save()["saved"] == 1
        assert now(customers[0]).region is None
        found = client.get(address(Customer, "_choices"), {"field": "region", "term": "NOR"}).json()["found"]
        assert found == [{"value": "NORD", "text": "Nordics"}]
        assert client.get(address(Customer, "_choices"), {"field": "status"}).json() == {"found": []}

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"payment_terms_days": "soon"}, "not a number"),
            ({"payment_terms_days": "1e99999999"}, "not a number"),
            ({"payment_terms_days": "9" * 28}, "equal to"),
            ({"credit_limit": "-1"}, "greater than or equal to 0"),
            ({"credit_limit": "1.234"}, "decimals"),
            ({"credit_limit": "9" * 14}, "digits"),
            ({"country": "Nowhere"}, "Use one of"),
            ({"email": "nobody"}, "valid email"),
            ({"name": ""}, "required"),
            ({"name": "x" * 201}, "at most 200"),
            ({"name": "\x00"}, "cannot be kept"),
            ({"name": "\ud800"}, "cannot be kept"),
            ({"region": "NOWHERE"}, "There is no region “NOWHERE” that you may use"),
            ({"region": "\x00"}, "cannot be kept"),
        ],
    )
    def test_tells_in_the_cell_what_is_wrong_and_saves_none_of_them(self, grid, customers, values, told):
        (name,) = values
        grid.type(customers[0], **values)
        grid.type(customers[1], city="Fine")
        answer = grid.save()
        assert answer["saved"] == 0 and told in answer["errors"][str(customers[0].pk)][name]
        assert now(customers[1]).city == "Lund"
        assert grid.mine[customers[1].pk, "city"] == "Fine"
        grid.put_back((customers[0].pk, name))
        assert grid.save()["saved"] == 1

    def test_all_errors_come_at_once(self, grid, customers):
        grid.type(customers[0], payment_terms_days="x", name="", email="y")
        grid.type(customers[1], country="Nowhere")
        errors = grid.save()["errors"]
        assert sorted(errors[str(customers[0].pk)]) == ["email", "name", "payment_terms_days"]
        assert list(errors[str(customers[1].pk)]) == ["country"]

    def test_a_change_that_asks_for_a_reason_is_not_made_without_one(self, grid, customers):
        grid.type(customers[0], credit_limit="250")
        answer = grid.save()
        assert answer["saved"] == 0 and "asks for a reason" in answer["reason"]
        assert now(customers[0]).credit_limit == 100
        assert grid.save(reason="They grow")["saved"] == 1
        assert now(customers[0]).credit_limit == 250

    def test_a_rule_of_the_database_is_told_at_its_row(self, client):
        products = [ProductFactory(barcode="") for _ in range(2)]
        client.force_login(person_for(Product))
        grid = Grid(client, Product)
        for each in products:
            grid.type(each, barcode="12345678")
        answer = grid.save()
        assert answer["saved"] == 0
        assert "arcode" in json.dumps(answer["errors"][str(products[1].pk)])
        assert {now(each).barcode for each in products} == {""}


class TestTwoPeople:
    def test_a_cell_that_only_one_changed_merges_without_a_word(self, grid, customers):
        grid.type(customers[0], city="Mine")
        meanwhile(customers[0], phone="Theirs")
        assert grid.save()["saved"] == 1
        assert (now(customers[0]).city, now(customers[0]).phone) == ("Mine", "Theirs")
        assert grid.shows(customers[0], "phone") == "Theirs"

    def test_a_cell_that_both_changed_is_told_with_both_and_saves_nothing(self, grid, customers, person):
        grid.type(customers[0], city="Mine")
        grid.type(customers[1], city="Fine")
        colleague = UserFactory(first_name="Anton", last_name="Berg")
        with change_set(actor=colleague, door="form", verb="x"):
            Customer.objects.filter(pk=customers[0].pk).update(city="Theirs")
        answer = grid.save()
        conflict = answer["conflicts"][str(customers[0].pk)]
        assert list(conflict) == ["city"]
        assert conflict["city"]["value"] == "Theirs" and conflict["city"]["who"] == str(colleague)
        assert answer["saved"] == 0
        assert (now(customers[0]).city, now(customers[1]).city) == ("Theirs", "Lund")

    def test_mine_is_kept_when_i_say_so(self, grid, customers):
        grid.type(customers[0], city="Mine")
        meanwhile(customers[0], city="Theirs")
        grid.save()
        grid.theirs.clear()
        assert grid.save()["saved"] == 1
        assert now(customers[0]).city == "Mine"

    def test_mine_is_asked_again_when_they_changed_it_again(self, grid, customers):
        grid.type(customers[0], city="Mine")
        meanwhile(customers[0], city="Theirs")
        grid.save()
        meanwhile(customers[0], city="Theirs again")
        grid.theirs.clear()
        answer = grid.save()
        assert answer["saved"] == 0 and "city" in answer["conflicts"][str(customers[0].pk)]
        assert now(customers[0]).city == "Theirs again"

    def test_both_wrote_the_same(self, grid, customers):
        grid.type(customers[0], city="Same")
        meanwhile(customers[0], city="Same")
        answer = grid.save()
        assert answer["saved"] == 0 and not answer["conflicts"]
        assert now(customers[0]).city == "Same"

    def test_a_row_that_is_gone_is_told(self, grid, customers):
        grid.type(customers[0], city="Mine")
        with change_set(actor=None, door="shell"):
            Customer.objects.filter(pk=customers[0].pk).delete()
        assert "not there any more" in grid.save()["errors"][str(customers[0].pk)][""]

    def test_a_version_that_never_was_saves_nothing(self, grid, customers):
        sent = [{"key": customers[0].pk, "version": 99, "cells": {"city": "Mine"}}]
        assert "too old" in grid.send({"rows": sent})["errors"][str(customers[0].pk)][""]
        assert now(customers[0]).city == "Lund"


class TestRights:
    def test_rows_of_other_places_are_neither_shown_nor_written(self, client, customers):
        person = give_role(UserFactory(), "customers.change_customer", "customers.view_customer")
        person = grant(person, "access_region", customers[0].region)
        client.force_login(person)
        grid = Grid(client, Customer)
        assert grid.keys == [customers[0].pk]
        answers = []
        for key in (customers[1].pk, 999_999):
            sent = [{"key": key, "version": 1, "cells": {"city": "Forged"}}]
            answers.append(grid.send({"rows": sent}))
        assert [list(each["errors"].values()) for each in answers] == [[{"": each}] for each in [_gone()] * 2]
        assert [each["rows"] for each in answers] == [{}, {}]
        assert now(customers[1]).city == "Lund"

    def test_a_row_that_may_only_be_seen_is_shown_and_not_written(self, client, customers):
        person = give_role(UserFactory(), "customers.change_customer", "customers.view_customer")
        person = grant(grant(person, "access_region", customers[0].region), "view", customers[1])
        client.force_login(person)
        grid = Grid(client, Customer)
        assert set(grid.keys) == {customers[0].pk, customers[1].pk}
        assert grid.editable[customers[0].pk, "city"] and not grid.editable[customers[1].pk, "city"]
        grid.mine[customers[1].pk, "city"] = "Forged"
        assert grid.save()["errors"] == {str(customers[1].pk): {"": _gone()}}
        assert now(customers[1]).city == "Lund"

    def test_nothing_leaves_the_place_of_who_writes(self, client, customers):
        person = give_role(
            UserFactory(), "customers.change_customer", "customers.view_customer", "customers.view_region"
        )
        person = grant(person, "access_region", customers[0].region)
        elsewhere = RegionFactory(code="ELSE")
        person = grant(person, "view", elsewhere)
        client.force_login(person)
        grid = Grid(client, Customer)
        grid.type(customers[0], region="ELSE")
        assert "outside your scope" in grid.save()["errors"][str(customers[0].pk)][""]
        assert now(customers[0]).region == customers[0].region

    def test_a_reference_out_of_sight_is_named_like_one_that_never_was(self, client, customers):
        person = give_role(
            UserFactory(), "customers.change_customer", "customers.view_customer", "customers.view_region"
        )
        person = grant(person, "access_region", customers[0].region)
        RegionFactory(code="SECRET", name="Secret place")
        client.force_login(person)
        grid = Grid(client, Customer)
        told = []
        for code in ("SECRET", "ABSENT"):
            grid.type(customers[0], region=code)
            told.append(grid.save()["errors"][str(customers[0].pk)]["region"].replace(code, ""))
        assert told[0] == told[1]
        found = client.get(address(Customer, "_choices"), {"field": "region", "term": ""}).text
        assert "Secret" not in found and customers[0].region.code in found

    def test_a_reference_that_i_may_not_see_is_not_told_and_not_editable(self, client, customers):
        person = give_role(UserFactory(), "customers.change_customer", "customers.view_customer")
        person = grant(person, "access_region", customers[0].region)
        client.force_login(person)
        grid = Grid(client, Customer)
        assert not grid.editable[customers[0].pk, "region"] and customers[0].region.name not in grid.page
        grid.mine[customers[0].pk, "region"] = ""
        assert grid.save()["errors"][str(customers[0].pk)]["region"]
        assert now(customers[0]).region == customers[0].region

    @pytest.mark.parametrize("kind", ["read_only", "masked", "hidden"])
    def test_field_policies_hold_for_every_cell(self, client, customers, kind):
        person = person_for(Customer)
        policy(person, Customer, "city", kind)
        client.force_login(type(person).objects.get(pk=person.pk))
        grid = Grid(client, Customer)
        row = customers[0]
        assert ("city" in grid.columns) == (kind != "hidden")
        assert (DOTS in grid.page) == (kind == "masked")
        assert ("Lund" in grid.page) == (kind == "read_only")
        answer = grid.send({"rows": [{"key": row.pk, "version": 1, "cells": {"city": "Forged"}}]})
        assert answer["saved"] == 0 and answer["errors"] == {str(row.pk): {"": "This cell is not yours to edit."}}
        assert ("Lund" in json.dumps(answer)) == (kind == "read_only")
        assert now(row).city == "Lund"

    @pytest.mark.parametrize(
        "name", ["status", "brought_in", "version", "id", "code", "tax_number", "no_such", "grants"]
    )
    def test_what_is_no_editable_column_is_refused(self, grid, customers, name):
        sent = [{"key": customers[0].pk, "version": 1, "cells": {name: "closed"}}]
        answer = grid.send({"rows": sent})
        assert answer["saved"] == 0 and answer["errors"] == {
            str(customers[0].pk): {"": "This cell is not yours to edit."}
        }
        assert now(customers[0]).version == 1

    def test_what_the_state_settles_is_shown_only(self, client):
        draft, confirmed = OrderFactory(), OrderFactory()
        with change_set(actor=None, door="shell"):
            Order.objects.filter(pk=confirmed.pk).update(state="confirmed")
        client.force_login(give_role(person_for(Order), "customers.view_customer", "customers.access_all_region"))
        grid = Grid(client, Order)
        assert grid.editable[draft.pk, "customer"] and not grid.editable[confirmed.pk, "customer"]
        assert grid.editable[confirmed.pk, "carrier"] and not grid.editable[draft.pk, "state"]
        grid.mine[confirmed.pk, "currency"] = "USD"
        assert grid.save()["errors"] == {str(confirmed.pk): {"currency": "This cell is not yours to edit."}}

    def test_no_grid_where_the_list_declares_none(self, client):
        client.force_login(person_for(Region))
        assert client.get(address(Region)).status_code == 403


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"rows": 1}',
        b'{"rows": [1]}',
        b'{"rows": [{}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"rows": [{"key": %s, "version": 1, "cells": {}}]}' % (b"9" * 5000),
        json.dumps({"rows": [{"key": 2**63, "version": 1, "cells": {}}]}).encode(),
        json.dumps({"rows": [{"key": -1, "version": 1, "cells": {}}]}).encode(),
        json.dumps({"rows": [{"key": True, "version": 1, "cells": {}}]}).encode(),
        json.dumps({"rows": [{"key": "1", "version": 1, "cells": {}}]}).encode(),
        json.dumps({"rows": [{"key": 1, "version": 1, "cells": {"city": 1}}]}).encode(),
        json.dumps({"rows": [{"key": 1, "version": 1, "cells": {"city": None}}]}).encode(),
        json.dumps({"rows": [], "reason": "\ud800"}).encode(),
        json.dumps({"rows": [{"key": n, "version": 1, "cells": {}} for n in range(1, 502)]}).encode(),
        json.dumps({"rows": [{"key": 1, "version": 1, "cells": {}}] * 2}).encode(),
        b" " * 3_000_000,
    ],
    ids=lambda sent: str(sent[:40]),
)
def test_what_is_no_save_of_a_grid_is_refused_in_words(grid, sent):
    assert grid.send(sent)["error"]


def _gone():
    return "It is not there any more, or you may not change it. Open the grid again."

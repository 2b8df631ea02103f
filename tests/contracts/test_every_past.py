"""In the past, too, nobody sees what they may not see now: for every list, whoever wrote it."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_ext.access.rights import can, restrict
from admin_ext.access.scopes import scope_model
from admin_ext.admin.instants import written
from admin_ext.audit.context import change_set
from admin_ext.audit.past import as_of, past_models
from admin_ext.filtering.telling import names
from tests.contracts.world import ids, make, page, person_for, registered, rights_on
from tests.factories import UserFactory, give_role, grant
from tests.moments import moment

pytestmark = pytest.mark.django_db
with_past = [each for each in registered() if each.model in past_models()]
every_past = pytest.mark.parametrize("model_admin", with_past, ids=ids)
scoped = pytest.mark.parametrize(
    ("model_admin", "dimension"),
    [(each, dimension) for each in with_past for dimension in each.model.scopes],
    ids=lambda value: value if isinstance(value, str) else value.opts.label,
)


def visit(client, person, address, **parameters):
    client.force_login(person)
    return client.get(address, parameters)


def outsider_in(model, row, dimension):
    """Somebody with every right, in all places of the row but its place of one dimension; and that other place."""
    elsewhere = make(scope_model(dimension))
    person = give_role(UserFactory(), *rights_on(model))
    for each, path in model.scopes.items():
        place = scope_model(each).objects.get(pk=place_of(row, path))
        person = grant(person, f"access_{each}", elsewhere if each == dimension else place)
    return person, elsewhere


def move(holder, foreign_key, key):
    with change_set(actor=None, door="shell"):
        type(holder)._base_manager.filter(pk=holder.pk).update(**{f"{foreign_key}_id": key})


def place_of(row, path):
    return type(row)._base_manager.filter(pk=row.pk).values_list(path, flat=True).get()


@every_past
class TestEveryPage:
    def test_opens_as_of_an_instant_and_offers_no_change(self, model_admin, client):
        row = make(model_admin.model)
        then = written(moment())
        person = person_for(model_admin.model)
        for address in (page(model_admin, "changelist"), page(model_admin, "change", row.pk)):
            response = visit(client, person, address, _asof=then)
            assert response.status_code == 200, address
            assert "As of " in response.text and "Back to now" in response.text
            for trace in ('name="_save"', 'name="action"', "/do/", "/add/", "/import/", 'name="_reason"'):
                assert trace not in response.text, (address, trace)

    def test_compares_and_tells_what_changed(self, model_admin, client):
        before = written(moment())
        row = make(model_admin.model)
        person = person_for(model_admin.model)
        changes = visit(client, person, page(model_admin, "changes"), _since=before)
        assert changes.status_code == 200 and page(model_admin, "change", row.pk) in changes.text
        assert visit(client, person, page(model_admin, "changes")).status_code == 200
        compared = visit(client, person, page(model_admin, "compare", row.pk))
        assert compared.status_code == 200 and names([row], reader=person)[row.pk] in compared.text

    def test_costs_the_same_queries_for_one_row_and_for_twenty(self, model_admin, client):
        person = person_for(model_admin.model)
        before = written(moment())
        make(model_admin.model)
        visit(client, person, page(model_admin, "changelist"))  # warms the content types
        counts = []
        for rows in (0, 19):
            for _ in range(rows):
                make(model_admin.model)
            addresses = [("changelist", {"_asof": written(moment())}), ("changes", {"_since": before})]
            for name, parameters in addresses:
                with CaptureQueriesContext(connection) as queries:
                    assert visit(client, person, page(model_admin, name), **parameters).status_code == 200
                counts.append((name, len(queries)))
        assert counts[:2] == counts[2:]

    def test_refuses_a_person_without_rights(self, model_admin, client):
        row = make(model_admin.model)
        nobody, then = UserFactory(), written(moment())
        assert visit(client, nobody, page(model_admin, "changelist"), _asof=then).status_code == 403
        assert visit(client, nobody, page(model_admin, "changes"), _since=then).status_code == 403
        for name in ("change", "compare"):
            response = visit(client, nobody, page(model_admin, name, row.pk), _asof=then)
            assert response.status_code in (302, 403) and str(row) not in response.text


@scoped
class TestWhoIsLimitedByScope:
    def check(self, model_admin, client, person, row, then):
        """Neither the list, nor the record, nor a change, nor a comparison shows the row as it was."""
        model = model_admin.model
        assert not can(person, "view", row)
        with as_of(then):
            assert model._base_manager.filter(pk=row.pk).exists()
            assert not restrict(model._base_manager.filter(pk=row.pk), person).exists()
            assert not restrict(model._base_manager.filter(pk=row.pk), person, "export").exists()
        change = page(model_admin, "change", row.pk)
        at = written(then)
        listed = visit(client, person, page(model_admin, "changelist"), _asof=at)
        assert listed.status_code == 200 and change not in listed.text
        assert change not in visit(client, person, page(model_admin, "changes"), _since=at).text
        for name in ("change", "compare"):
            foreign = visit(client, person, page(model_admin, name, row.pk), _asof=at)
            missing = visit(client, person, page(model_admin, name, 999_999_999), _asof=at)
            assert (foreign.status_code, foreign.headers.get("Location")) == (
                missing.status_code,
                missing.headers.get("Location"),
            )

    def test_does_not_see_a_row_whose_place_was_below_theirs(self, model_admin, dimension, client):
        """The tree of places is that of now."""
        row = make(model_admin.model)
        person, elsewhere = outsider_in(model_admin.model, row, dimension)
        place = scope_model(dimension).objects.get(pk=place_of(row, model_admin.model.scopes[dimension]))
        with change_set(actor=None, door="shell"):
            type(place).objects.filter(pk=place.pk).update(parent=elsewhere)
        then = moment()
        with change_set(actor=None, door="shell"):
            type(place).objects.filter(pk=place.pk).update(parent=None)
        self.check(model_admin, client, person, row, then)

    def test_does_not_see_a_row_that_was_theirs_and_is_not(self, model_admin, dimension, client):
        """The row hung from their place then, and hangs from another now."""
        model, path = model_admin.model, model_admin.model.scopes[dimension]
        if path == "pk" or getattr(model, "append_only", False):
            pytest.skip("never moves")
        row = make(model)
        person, elsewhere = outsider_in(model, row, dimension)
        *hops, foreign_key = path.split("__")
        holder = row
        for hop in hops:
            holder = getattr(holder, hop)
        home = getattr(holder, f"{foreign_key}_id")
        try:
            move(holder, foreign_key, elsewhere.pk)
        except IntegrityError:
            pytest.skip("the database keeps it where it is")
        then = moment()
        move(holder, foreign_key, home)
        self.check(model_admin, client, person, row, then)


def test_every_address_of_the_past_is_known(client):
    """A model without a past says so in words and shows now."""
    person = person_for(registered()[0].model)
    person.is_superuser = True
    with change_set(actor=None, door="shell"):
        person.save()
    for model_admin in registered():
        if model_admin.model in past_models():
            continue
        response = visit(client, person, page(model_admin, "changelist"), _asof="2026-01-01T00:00")
        assert response.status_code == 302, model_admin.opts.label
        assert (
            visit(
                client, person, reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changes")
            ).status_code
            == 404
        )

"""What holds for every list and form of the product, whoever wrote it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_ext.access.rights import permission
from admin_ext.filtering.telling import names
from admin_ext.models import Shared
from tests.contracts.world import everywhere, ids, is_record, make, owner_of, page, person_for, registered
from tests.factories import UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
every_admin = pytest.mark.parametrize("model_admin", registered(), ids=ids)


@pytest.fixture
def visit(client):
    def go(person, address):
        client.force_login(person)
        return client.get(address)

    return go


@every_admin
class TestEveryPage:
    def test_opens_for_a_person_with_rights(self, model_admin, visit):
        row = make(model_admin.model)
        person = owner_of(row) or person_for(model_admin.model)
        assert visit(person, page(model_admin, "changelist")).status_code == 200
        for name in ("change", "history") if hasattr(row, "history") else ("change",):
            response = visit(person, page(model_admin, name, row.pk))
            assert response.status_code == 200, name
            assert names([row], reader=person)[row.pk] in response.text or name == "change"
        if model_admin.has_add_permission(_request(person)):
            assert visit(person, page(model_admin, "add")).status_code == 200
        if model_admin.has_delete_permission(_request(person), row):
            assert visit(person, page(model_admin, "delete", row.pk)).status_code == 200

    def test_refuses_a_person_without_rights(self, model_admin, visit):
        row = make(model_admin.model)
        if getattr(model_admin.model, "owner_field", ""):
            pytest.skip("everybody may see their own")
        nobody = UserFactory()
        assert visit(nobody, page(model_admin, "changelist")).status_code == 403
        for name in ("change", "history", "delete"):
            response = visit(nobody, page(model_admin, name, row.pk))
            assert response.status_code in (302, 403, 404), name
            assert str(row) not in response.text

    def test_a_row_outside_the_scope_answers_as_if_it_did_not_exist(self, model_admin, visit):
        if not everywhere(model_admin.model):
            pytest.skip("hangs from no scope")
        row = make(model_admin.model)
        outsider = person_for(model_admin.model, scoped=True)
        listed = visit(outsider, page(model_admin, "changelist"))
        assert listed.status_code == 200
        assert page(model_admin, "change", row.pk) not in listed.text
        for name in ("change", "history", "delete"):
            foreign = visit(outsider, page(model_admin, name, row.pk))
            missing = visit(outsider, page(model_admin, name, 999_999_999))
            assert (foreign.status_code, foreign.headers.get("Location")) == (
                missing.status_code,
                missing.headers.get("Location"),
            ), name
            assert str(row) not in foreign.text

    def test_a_list_costs_the_same_queries_for_one_row_and_for_fifty(self, model_admin, visit):
        person = person_for(model_admin.model)
        make(model_admin.model)
        visit(person, page(model_admin, "changelist"))  # warms the content types
        counts = []
        for rows in (0, 49):
            for _ in range(rows):
                make(model_admin.model)
            with CaptureQueriesContext(connection) as queries:
                listed = visit(person, page(model_admin, "changelist"))
            assert listed.status_code == 200
            # A list that is longer than its page asks how long: what the planner expects, and a count if it is cheap.
            asks = bool(getattr(listed.context["cl"], "pages", None))
            counts.append(len(queries) - (2 if asks else 0))
        assert counts[0] == counts[1]

    def test_an_unknown_or_bad_filter_shows_no_rows(self, model_admin, visit):
        row = make(model_admin.model)
        person = person_for(model_admin.model)
        response = visit(person, page(model_admin, "changelist") + "?bogus=1")
        assert page(model_admin, "change", row.pk) not in response.text

    def test_viewing_is_not_changing(self, model_admin, client):
        row = make(model_admin.model)
        right = permission(model_admin.model, "view")
        # The owner of what is shared changes it; whom it is shared with only looks.
        owner = grant(UserFactory(), "view", row) if isinstance(row, Shared) else owner_of(row)
        reader = owner or give_role(UserFactory(), right, *everywhere(model_admin.model))
        client.force_login(reader)
        assert client.get(page(model_admin, "change", row.pk)).status_code == 200
        for name in ("change", "delete"):
            response = client.post(page(model_admin, name, row.pk), {"post": "yes"})
            assert response.status_code == 403, name


@every_admin
def test_every_admin_has_a_filterset(model_admin):
    assert model_admin.get_filterset_class() is not None, (
        f"{model_admin.opts.label} needs a FilterSet in its filters.py"
    )


@pytest.mark.parametrize("model_admin", [a for a in registered() if is_record(a)], ids=ids)
def test_a_list_offers_search(model_admin, visit):
    row = make(model_admin.model)
    person = person_for(model_admin.model)
    reference = str(row.natural_key()[0])
    response = visit(person, page(model_admin, "changelist") + f"?q={reference}")
    assert page(model_admin, "change", row.pk) in response.text


def _request(person):
    from django.test import RequestFactory

    request = RequestFactory().get("/")
    request.user = person
    return request

"""A row outside somebody's scope leaves no trace anywhere they can look."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.urls import reverse

from admin_ext.access.scopes import scope_model
from tests.contracts.world import everywhere, ids, is_record, make, page, person_for, registered, rights_on
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
scoped = [a for a in registered() if is_record(a) and everywhere(a.model)]
CANARY = "CANARY7531"
# A page repeats what was typed; typed like this, it is not the canary.
SOUGHT = "canary75"


def foreign_row(model):
    """A row elsewhere, its free text columns full of canaries."""
    row = make(model)
    from admin_ext.audit.context import change_set

    texts = [
        f
        for f in model._meta.concrete_fields
        if isinstance(f, models.CharField | models.TextField)
        and not f.choices
        and not f.unique
        and f.editable
        and (f.max_length or 99) >= len(CANARY)
        and not any(f.name in getattr(c, "fields", ()) for c in model._meta.constraints)
        and not f.validators[1:]
    ]
    if texts and not getattr(model, "append_only", False):
        with change_set(actor=None, door="shell"):
            model._base_manager.filter(pk=row.pk).update(**{f.name: CANARY for f in texts})
    return model._base_manager.get(pk=row.pk)


def own_row(model, user):
    """A row of theirs: made, and its places granted."""
    row = make(model)
    for dimension, path in model.scopes.items():
        key = model._base_manager.filter(pk=row.pk).values_list(path, flat=True).get()
        user = grant(user, f"access_{dimension}", scope_model(dimension).objects.get(pk=key))
    return row, user


@pytest.mark.parametrize("model_admin", scoped, ids=ids)
def test_no_page_answers_with_a_foreign_row(model_admin, client):
    model = model_admin.model
    foreign = foreign_row(model)
    mine, person = own_row(model, person_for(model, *rights_on(model), scoped=True))
    client.force_login(person)
    content_type = ContentType.objects.get_for_model(model)
    addresses = [
        page(model_admin, "changelist"),
        page(model_admin, "changelist") + f"?q={SOUGHT}",
        page(model_admin, "changelist") + f"?q={foreign.natural_key()[0]}",
        page(model_admin, "change", mine.pk),
        page(model_admin, "change", foreign.pk),
        page(model_admin, "history", mine.pk),
        page(model_admin, "history", foreign.pk),
        page(model_admin, "delete", foreign.pk),
        reverse("admin:search") + f"?s={SOUGHT}&extended=1",
        reverse("admin:search") + f"?s={foreign.natural_key()[0]}&extended=1",
        reverse("admin:view_on_site", args=[content_type.pk, foreign.pk]),
        reverse("admin:index"),
    ]
    if model_admin.has_add_permission(type("R", (), {"user": person})()):
        addresses.append(page(model_admin, "add"))
    seen_own = False
    for address in addresses:
        response = client.get(address, follow=True)
        told = response.text.replace(address, "")
        assert CANARY not in told, address
        assert page(model_admin, "change", foreign.pk) not in told, address
        seen_own = seen_own or page(model_admin, "change", mine.pk) in told
    assert seen_own, "not even the own row was found: the test looks at nothing"


@pytest.mark.parametrize("model_admin", [a for a in registered() if is_record(a)], ids=ids)
def test_autocompletes_offer_only_what_the_person_may_see(model_admin, client):
    model = model_admin.model
    for field in model._meta.fields:
        if not isinstance(field, models.ForeignKey) or not getattr(field.related_model, "scopes", None):
            continue
        foreign = foreign_row(field.related_model)
        person = give_role(person_for(model, scoped=True), *rights_on(field.related_model))
        client.force_login(person)
        query = {
            "app_label": model._meta.app_label,
            "model_name": model._meta.model_name,
            "field_name": field.name,
            "term": str(foreign.natural_key()[0]),
        }
        response = client.get(reverse("admin:autocomplete"), query)
        assert response.status_code == 200, field.name
        assert response.json()["results"] == [], field.name


def test_a_right_removed_is_gone_from_the_palette_at_once(client):
    customer = CustomerFactory(code="PALETTE-1")
    person = give_role(UserFactory(), "customers.view_customer")
    person = grant(person, "access_region", customer.region)
    client.force_login(person)
    address = reverse("admin:search") + "?s=PALETTE-1&extended=1"
    assert "PALETTE-1" in client.get(address).text
    from admin_ext.audit.context import change_set
    from apps.accounts.models import Membership

    with change_set(actor=None, door="shell"):
        Membership.objects.filter(user=person).delete()
    assert reverse("admin:customers_customer_change", args=[customer.pk]) not in client.get(address).text


def test_a_deletion_counts_what_the_person_may_not_see(client):
    region = RegionFactory()
    inner = RegionFactory(parent=region, name="Visible part")
    hidden = CustomerFactory(region=inner, name="Hidden customer")
    person = person_for(type(region))
    client.force_login(person)
    response = client.get(reverse("admin:customers_region_delete", args=[region.pk]))
    assert "Hidden customer" not in response.text
    assert hidden.code not in response.text


def test_looking_changes_nothing(client):
    """Every page that the resolver knows, by GET: no row of the record is written."""
    from admin_ext.audit.history import tracked_models

    rows = {a.opts.label: make(a.model) for a in registered()}
    root = UserFactory(is_superuser=True)
    client.force_login(root)
    before = {m._meta.label: m.history.count() for m in tracked_models()}
    for model_admin in registered():
        key = rows[model_admin.opts.label].pk
        for pattern in model_admin.get_urls():
            if not pattern.name:
                continue
            if "attachment" in pattern.name:
                continue
            known = {"verb": "hold", "part": model_admin.opts.model_name, "history_id": 1}
            arguments = [known.get(name, key) for name in pattern.pattern.converters]
            response = client.get(reverse(f"admin:{pattern.name}", args=arguments))
            assert response.status_code < 500, pattern.name
    assert {m._meta.label: m.history.count() for m in tracked_models()} == before

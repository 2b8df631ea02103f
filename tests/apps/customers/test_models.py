"""What the database refuses to hold about customers."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from admin_ext.audit.context import change_set
from apps.customers.models import Region
from tests.factories import AddressFactory, ContactFactory, CustomerFactory, RegionFactory

pytestmark = pytest.mark.django_db


class TestCustomers:
    @pytest.mark.parametrize(
        ("impossible", "said"),
        [
            ({"status": "sleeping"}, "a_customer_status_is_known"),
            ({"credit_limit": -1}, "a_credit_limit_is_not_negative"),
        ],
    )
    def test_are_never_in_an_impossible_state(self, impossible, said):
        with pytest.raises(IntegrityError, match=said), transaction.atomic():
            CustomerFactory(**impossible)

    def test_name_their_contacts_and_addresses_once(self):
        contact, address = ContactFactory(), AddressFactory()
        with pytest.raises(IntegrityError, match="a_contact_is_named_once"), transaction.atomic():
            ContactFactory(customer=contact.customer, name=contact.name)
        with pytest.raises(IntegrityError, match="an_address_is_labelled_once"), transaction.atomic():
            AddressFactory(customer=address.customer, label=address.label)
        ContactFactory(name=contact.name)


class TestRegions:
    def test_are_not_their_own_parent(self):
        region = RegionFactory()
        with (
            pytest.raises(IntegrityError, match="a_region_is_not_its_own_parent"),
            transaction.atomic(),
            change_set(actor=None, door="shell"),
        ):
            Region.objects.filter(pk=region.pk).update(parent=region.pk)

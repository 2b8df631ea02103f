"""What the database refuses to hold about products and prices."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from admin_ext.audit.context import change_set
from apps.catalogue.models import Category, Price
from tests.apps.catalogue.factories import CategoryFactory, PriceFactory, ProductFactory

pytestmark = pytest.mark.django_db

OVERLAPPING = [
    (date(2026, 1, 1), None),
    (date(2025, 1, 1), date(2026, 3, 1)),
    (date(2026, 6, 30), date(2026, 6, 30)),
    (date(2025, 1, 1), date(2027, 1, 1)),
    (date(2026, 4, 1), date(2026, 5, 1)),
]


class TestPrices:
    @pytest.fixture
    def price(self):
        return PriceFactory(valid_from=date(2026, 3, 1), valid_until=date(2026, 6, 30))

    @pytest.mark.parametrize(("first", "last"), OVERLAPPING)
    def test_of_one_product_and_currency_do_not_overlap(self, price, first, last):
        with pytest.raises(IntegrityError), transaction.atomic(), change_set(actor=None, door="shell"):
            Price.objects.bulk_create([Price(product=price.product, amount=1, valid_from=first, valid_until=last)])

    def test_that_overlap_are_refused_in_a_sentence_before_the_database_is_asked(self, price):
        with pytest.raises(ValidationError, match="Another price of this product in this currency"):
            Price(product=price.product, amount=1, valid_from=date(2026, 5, 1)).full_clean()

    def test_that_touch_or_are_of_another_product_or_currency_may_stand_side_by_side(self, price):
        PriceFactory(product=price.product, valid_from=date(2026, 7, 1))
        PriceFactory(product=price.product, valid_from=date(2026, 1, 1), valid_until=date(2026, 2, 28))
        for currency in ("USD", "USN", "ERN", "RUE"):
            PriceFactory(product=price.product, currency=currency, valid_from=date(2026, 4, 1))
        PriceFactory(valid_from=date(2026, 4, 1))

    def test_that_end_before_they_begin_are_refused(self, price):
        backwards = {"valid_from": date(2026, 9, 2), "valid_until": date(2026, 9, 1)}
        with pytest.raises(ValidationError, match="before the first"):
            Price(product=price.product, amount=1, **backwards).full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            PriceFactory(product=price.product, **backwards)

    def test_are_named_by_product_currency_and_first_day(self, price):
        assert Price.objects.get(
            product__sku=price.product.sku, currency="EUR", valid_from=price.valid_from
        ).natural_key() == (price.product.sku, "EUR", price.valid_from)


class TestProducts:
    @pytest.mark.parametrize("wrong", [{"status": "sold"}, {"list_price": -1}, {"weight": -1}])
    def test_with_impossible_values_are_refused(self, wrong):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProductFactory(**wrong)

    def test_share_no_barcode_but_may_have_none(self):
        ProductFactory(barcode="")
        ProductFactory(barcode="")
        ProductFactory(barcode="7310865001818")
        with pytest.raises(IntegrityError), transaction.atomic():
            ProductFactory(barcode="7310865001818")


class TestCategories:
    def test_are_not_their_own_parent(self):
        category = CategoryFactory(parent=CategoryFactory())
        with pytest.raises(IntegrityError), transaction.atomic(), change_set(actor=None, door="shell"):
            Category.objects.filter(pk=category.pk).update(parent=category.pk)

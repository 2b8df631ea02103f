"""Rows of the catalogue for tests."""

from __future__ import annotations

import datetime

import factory

from apps.catalogue import models
from tests.factories import RecordFactory


class CategoryFactory(RecordFactory):
    class Meta:
        model = models.Category

    code = factory.Sequence(lambda n: f"CAT{n}")
    name = factory.Sequence(lambda n: f"Category {n}")


class SupplierFactory(RecordFactory):
    class Meta:
        model = models.Supplier

    code = factory.Sequence(lambda n: f"S-{n:04}")
    name = factory.Sequence(lambda n: f"Supplier {n}")
    country = "SE"


class ProductFactory(RecordFactory):
    class Meta:
        model = models.Product

    sku = factory.Sequence(lambda n: f"SKU-{n:05}")
    name = factory.Sequence(lambda n: f"Product {n}")
    status = models.Product.Status.ACTIVE
    list_price = 10


class PriceFactory(RecordFactory):
    class Meta:
        model = models.Price

    product = factory.SubFactory(ProductFactory)
    amount = 10
    valid_from = datetime.date(2026, 1, 1)

"""Stock for tests: a level is made by a movement, as it is in life."""

from __future__ import annotations

from typing import Any

import factory

from apps.inventory import models
from tests.apps.catalogue.factories import ProductFactory
from tests.factories import RecordFactory


class WarehouseFactory(RecordFactory):
    class Meta:
        model = models.Warehouse

    code = factory.Sequence(lambda n: f"W{n}")
    name = factory.Sequence(lambda n: f"Warehouse {n}")
    country = "SE"


class StockMovementFactory(RecordFactory):
    class Meta:
        model = models.StockMovement

    warehouse = factory.SubFactory(WarehouseFactory)
    product = factory.SubFactory(ProductFactory)
    kind = "receive"
    quantity = 10


class StockLevelFactory(RecordFactory):
    """A level, empty unless `on_hand` units are received."""

    class Meta:
        model = models.StockLevel

    warehouse = factory.SubFactory(WarehouseFactory)
    product = factory.SubFactory(ProductFactory)

    @classmethod
    def _create(cls, model_class: Any, *args: Any, on_hand: int = 0, **kwargs: Any) -> Any:
        level = super()._create(model_class, *args, **kwargs)
        if on_hand:
            StockMovementFactory(warehouse=level.warehouse, product=level.product, quantity=on_hand)
        return model_class.objects.get(pk=level.pk)


class StockCountFactory(RecordFactory):
    class Meta:
        model = models.StockCount

    warehouse = factory.SubFactory(WarehouseFactory)


class StockCountLineFactory(RecordFactory):
    class Meta:
        model = models.StockCountLine

    count = factory.SubFactory(StockCountFactory)
    product = factory.SubFactory(ProductFactory)

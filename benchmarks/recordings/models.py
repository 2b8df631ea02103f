"""Orders of twelve columns, three indexes: without history, on our record, and with simple-history's own writers."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from admin_ext.audit.history import History
from admin_ext.audit.triggers import VersionTrigger  # noqa: F401 (what a version column brings with it)


class Order(models.Model):
    number = models.CharField(max_length=30, unique=True)
    customer_id = models.BigIntegerField(db_index=True)
    warehouse_id = models.BigIntegerField()
    ordered_on = models.DateField(db_index=True)
    required_on = models.DateField()
    customer_reference = models.CharField(max_length=60)
    ship_to_name = models.CharField(max_length=200)
    ship_to_city = models.CharField(max_length=100)
    ship_to_country = models.CharField(max_length=2)
    carrier = models.CharField(max_length=60)
    freight = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    version = models.PositiveIntegerField(db_default=1, editable=False)
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)
    updated_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        abstract = True
        default_permissions = ()

    def __str__(self) -> str:
        return self.number


class PlainOrder(Order):
    class Meta(Order.Meta):
        app_label = "recordings"


class RecordedOrder(Order):
    history = History()

    class Meta(Order.Meta):
        app_label = "recordings"


class StockOrder(Order):
    history = HistoricalRecords()

    class Meta(Order.Meta):
        app_label = "recordings"

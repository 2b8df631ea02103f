"""Orders as one would write them with django-simple-history out of the box: twelve columns, two foreign keys."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords


class Customer(models.Model):
    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)

    class Meta:
        app_label = "stock"

    def __str__(self) -> str:
        return self.code


class Warehouse(models.Model):
    code = models.CharField(max_length=20, unique=True)

    class Meta:
        app_label = "stock"

    def __str__(self) -> str:
        return self.code


class Order(models.Model):
    number = models.CharField(max_length=30, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT)
    ordered_on = models.DateField(db_index=True)
    required_on = models.DateField()
    customer_reference = models.CharField(max_length=60)
    ship_to_name = models.CharField(max_length=200)
    ship_to_city = models.CharField(max_length=100)
    ship_to_country = models.CharField(max_length=2)
    carrier = models.CharField(max_length=60)
    freight = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)

    history = HistoricalRecords(user_model="auth.User")

    class Meta:
        app_label = "stock"

    def __str__(self) -> str:
        return self.number

"""Parcels in folders, each somebody's: the smallest thing that can be out of somebody's scope."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords


class Folder(models.Model):
    name = models.CharField(max_length=50)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    class Meta:
        app_label = "stock"

    def __str__(self) -> str:
        return self.name


class Parcel(models.Model):
    name = models.CharField(max_length=50)
    secret = models.CharField(max_length=50, blank=True)
    folder = models.ForeignKey(Folder, on_delete=models.CASCADE)
    shelf = models.ForeignKey(Folder, on_delete=models.CASCADE, null=True, blank=True, related_name="shelved")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    history = HistoricalRecords(app="stock")

    class Meta:
        app_label = "stock"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/parcels/{self.name}/"

"""Reads of the stock."""

from __future__ import annotations

from typing import Self

from django.db.models import F

from admin_ext.querysets import RecordQuerySet


class StockLevelQuerySet(RecordQuerySet):
    def below_reorder_point(self) -> Self:
        """Where less is available than should be; levels without a reorder level never are."""
        return self.filter(available__lt=F("reorder_level"))

    def available(self) -> Self:
        """Where something can be promised to a customer."""
        return self.filter(available__gt=0)


class StockCountQuerySet(RecordQuerySet):
    def open(self) -> Self:
        """The sheets that still have to be counted or posted."""
        return self.exclude(state=self.model.State.POSTED)

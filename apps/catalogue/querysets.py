"""Reads of the catalogue."""

from __future__ import annotations

from datetime import date
from typing import Any, Self

from django.db.models import OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from admin_ext.querysets import RecordQuerySet


class ProductQuerySet(RecordQuerySet):
    def active(self) -> Self:
        """What can be sold."""
        return self.filter(status=self.model.Status.ACTIVE)

    def with_price_on(self, day: date) -> Self:
        """Adds `price`: what one unit costs on `day` in the product's own currency; None where nobody said."""
        prices = self.model._meta.get_field("prices").related_model.objects
        dated = prices.on(day).filter(product=OuterRef("pk"), currency=OuterRef("currency"))
        return self.annotate(price=Coalesce(Subquery(dated.values("amount")[:1]), "list_price"))

    def with_available(self, user: Any) -> Self:
        """Adds `available`: the units that can be promised from the warehouses whose stock `user` may see."""
        levels = self.model._meta.get_field("stock_levels").related_model.objects.restrict(user)
        total = levels.filter(product=OuterRef("pk")).order_by().values("product").annotate(units=Sum("available"))
        return self.annotate(available=Coalesce(Subquery(total.values("units")), 0))


class PriceQuerySet(RecordQuerySet):
    def on(self, day: date) -> Self:
        """The prices that hold on `day`: at most one for each product and currency."""
        return self.filter(Q(valid_until=None) | Q(valid_until__gte=day), valid_from__lte=day)

    def after(self, day: date) -> Self:
        """The prices that begin to hold after `day`, the next one first."""
        return self.filter(valid_from__gt=day).order_by("valid_from")

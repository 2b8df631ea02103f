"""Reads of the orders."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Self

from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from admin_ext.querysets import RecordQuerySet

WEEK, MONTH = timedelta(days=7), timedelta(days=30)
# What of an order is worked out, and from what: who may not read the one is not told the other.
WORKED_OUT = {
    "late_by": ("state", "required_on"),
    "region": ("customer__region",),
    "gross_total": ("lines__unit_price", "lines__quantity"),
    "net_total": ("lines__amount",),
}
CREDITED: dict[str, tuple[str, ...]] = {"region": ("customer__region",), "total": ("lines__amount",)}


class OrderQuerySet(RecordQuerySet):
    def open(self) -> Self:
        """Orders on which there is still something to do for us."""
        state = self.model.State
        return self.filter(state__in=[state.DRAFT, state.CONFIRMED, state.ALLOCATED])

    def late(self, today: date) -> Self:
        """Orders that the customer was promised before `today` and that have not left the house."""
        return self.filter(self._is_late(today))

    def with_lateness(self, today: date) -> Self:
        """Adds `late_by`: how long ago a late order should have left the house; None for the others."""
        return self.annotate(late_by=Case(When(self._is_late(today), then=Value(today) - F("required_on"))))

    def _is_late(self, today: date) -> Q:
        state = self.model.State
        return Q(state__in=[state.CONFIRMED, state.ALLOCATED], required_on__lt=today)

    def placed(self, *, after: date | None = None, until: date | None = None) -> Self:
        """Orders that came in after one day and not after another."""
        found = self.filter(ordered_on__gt=after) if after else self
        return found.filter(ordered_on__lte=until) if until else found

    def by_state_and_age(self, today: date) -> QuerySet[Any, dict[str, Any]]:
        """One row per state of the open orders: `state`, `total`, and of these `week`, `month` and `older` by age.

        Ages are counted from the day of the order: up to 7 days, up to 30, more.
        """
        young, aging = Q(ordered_on__gt=today - WEEK), Q(ordered_on__gt=today - MONTH)
        return (
            self.open()
            .order_by("state")
            .values("state")
            .annotate(
                total=Count("pk"),
                week=Count("pk", filter=young),
                month=Count("pk", filter=aging & ~young),
                older=Count("pk", filter=~aging),
            )
        )


class OrderLineQuerySet(RecordQuerySet):
    def returnable(self) -> Self:
        """Lines of which units were shipped that did not come back; of what was brought in, all was shipped."""
        gone = Q(shipped_quantity__gt=F("returned_quantity"))
        return self.filter(gone | Q(order__brought_in=True, quantity__gt=F("returned_quantity")))

    def to_pick(self) -> Self:
        """The lines with their products, in the order of the shelves: by SKU."""
        return self.select_related("product").order_by("product__sku", "number")


class ShipmentLineQuerySet(RecordQuerySet):
    def to_pack(self) -> Self:
        """The lines with what was ordered, in the order of the order; `weight` is that of all units, in kilograms."""
        lines = self.select_related("order_line__product").order_by("order_line__number")
        return lines.annotate(weight=F("quantity") * F("order_line__product__weight"))

    def weight(self) -> Decimal | None:
        """What all lines weigh together, in kilograms; None when nobody said for one of the products."""
        found = self.aggregate(
            total=Sum(F("quantity") * F("order_line__product__weight")),
            unknown=Count("pk", filter=Q(order_line__product__weight=None)),
        )
        return None if found["unknown"] else found["total"]


class ReturnQuerySet(RecordQuerySet):
    def with_total(self) -> Self:
        """Adds `total`: what is credited, the sum of the lines in the currency of the return."""
        lines = self.model._meta.get_field("lines").related_model.objects.filter(goods_return=OuterRef("pk"))
        total = lines.order_by().values("goods_return").annotate(total=Sum("amount")).values("total")
        return self.annotate(total=Coalesce(Subquery(total), Decimal(0)))

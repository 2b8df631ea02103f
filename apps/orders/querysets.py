"""Reads of the orders."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Self

from django.db.models import Count, Q

from admin_ext.querysets import RecordQuerySet

WEEK, MONTH = timedelta(days=7), timedelta(days=30)


class OrderQuerySet(RecordQuerySet):
    def open(self) -> Self:
        """Orders on which there is still something to do for us."""
        state = self.model.State
        return self.filter(state__in=[state.DRAFT, state.CONFIRMED, state.ALLOCATED])

    def late(self, today: date) -> Self:
        """Orders that the customer was promised before `today` and that have not left the house."""
        state = self.model.State
        return self.filter(state__in=[state.CONFIRMED, state.ALLOCATED], required_on__lt=today)

    def placed(self, *, after: date | None = None, until: date | None = None) -> Self:
        """Orders that came in after one day and not after another."""
        found = self.filter(ordered_on__gt=after) if after else self
        return found.filter(ordered_on__lte=until) if until else found

    def by_state_and_age(self, today: date) -> Self:
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

"""How many rows there are: exactly where that is cheap, about where it is not, exactly when somebody asks.

Counting a million rows reads a million rows. A page counts up to ten thousand; beyond that it shows what PostgreSQL's
planner expects of the very query that the person is shown, rights and filters included, rounded so that nobody takes it
for a count.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from admin_ext.filtering.patience import within

CAP = 10_000
"""Up to how many rows a page counts."""
DEAREST = 2_000
"""What a count may cost at most on a page, in the planner's units: some ten milliseconds where the index is in memory."""
PATIENCE_MS = 10_000
"""How long an exact count may take that was asked for."""


class Count(int):
    """A number of rows. What is not exact is written as such."""

    exact: bool

    def __new__(cls, number: int, *, exact: bool = True) -> Count:
        count = super().__new__(cls, number)
        count.exact = exact
        return count

    def __str__(self) -> str:
        if self.exact:
            return f"{int(self):,}"
        # Four digits are more than the planner knows.
        return f"about {round(int(self), 4 - len(repr(int(self)))):,}"


def count(queryset: models.QuerySet, *, at_least: int = 0) -> Count:
    """The rows of a query, of which `at_least` so many have been seen. Two small queries, whatever its size."""
    rows = queryset.order_by().values("pk")[: CAP + 1]
    likely, cost = expected(rows)
    if cost <= DEAREST:
        counted = rows.count()
        if counted <= CAP:
            return Count(counted)
        at_least = max(at_least, counted)
    return Count(max(likely, at_least), exact=False)


def count_exactly(queryset: models.QuerySet) -> Count:
    """Every row, counted. Raises TookTooLong after ten seconds."""
    with within(PATIENCE_MS):
        return Count(queryset.order_by().count())


def expected(rows: models.QuerySet) -> tuple[int, float]:
    """How many rows the planner expects, whatever the limit, and what it costs to read them up to the limit."""
    said = rows.explain(format="json")
    if not said:  # a question that no row can answer is not asked
        return 0, 0.0
    explained: Any = json.loads(said)
    while isinstance(explained, list):
        explained = explained[0]
    plan = explained["Plan"]
    whole = plan["Plans"][0] if plan["Node Type"] == "Limit" else plan
    return int(whole["Plan Rows"]), float(plan["Total Cost"])

"""Search by reference first, then by words: both answered by an index, whatever the size of the table."""

from __future__ import annotations

import re
from typing import TypeVar, cast

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models
from django.db.models import Q

M = TypeVar("M", bound=models.Model)


def search(queryset: models.QuerySet[M], term: str) -> models.QuerySet[M]:
    """Rows whose reference begins with `term`, or whose words begin with every word of it. An empty term means all."""
    term = term.strip()
    if not term:
        return queryset
    model = queryset.model
    found = Q()
    for reference in (*getattr(model, "natural_key_fields", ())[:1], *getattr(model, "search_references", ())):
        begins = Q(**{f"{reference}__startswith": term}) | Q(**{f"{reference}__startswith": term.upper()})
        # An index on references leaves out the empty ones.
        found |= begins & ~Q(**{reference: ""})
    words = re.findall(r"\w+", term)
    columns = getattr(model, "search_words", ())
    if columns and words:
        query = SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")
        queryset = cast("models.QuerySet[M]", queryset.alias(_words=SearchVector(*columns, config="simple")))
        found |= Q(_words=query)
    return queryset.filter(found) if found else queryset.none()

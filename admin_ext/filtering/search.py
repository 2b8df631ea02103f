"""Search by reference first, then by words: both answered by an index, whatever the size of the table."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models
from django.db.models import Q

from admin_ext.access.fields import treatment_of

M = TypeVar("M", bound=models.Model)


def search(queryset: models.QuerySet[M], term: str, user: Any) -> models.QuerySet[M]:
    """Rows whose reference begins with `term`, or whose words begin with every word of it. An empty term means all.

    Nothing is found by what `user` may not read.
    """
    term = term.strip()
    if not term:
        return queryset
    model = queryset.model
    found = Q()
    for reference in (*getattr(model, "natural_key_fields", ())[:1], *getattr(model, "search_references", ())):
        if treatment_of(user, model, reference):
            continue
        begins = Q(**{f"{reference}__startswith": term}) | Q(**{f"{reference}__startswith": term.upper()})
        # An index on references leaves out the empty ones.
        found |= begins & ~Q(**{reference: ""})
    words = re.findall(r"\w+", term)
    columns = [name for name in getattr(model, "search_words", ()) if not treatment_of(user, model, name)]
    if columns and words:
        query = SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")
        queryset = cast("models.QuerySet[M]", queryset.alias(_words=SearchVector(*columns, config="simple")))
        found |= Q(_words=query)
    return queryset.filter(found) if found else queryset.none()

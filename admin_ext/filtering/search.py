"""Search by reference first, then by words: both answered by an index, whatever the size of the table.

Words are compared without accents and capitals. A common word is found by walking the list in its order: whether a row
can have the word at all is asked first, which costs a hundredth of working its words out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, TypeVar, cast

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQuery
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Concat

from admin_ext.access.fields import treatment_of
from admin_ext.filtering.few import few_matches, those_of
from admin_ext.lookups import Contains, Folded, words_of

M = TypeVar("M", bound=models.Model)


def search(queryset: models.QuerySet[M], term: str, user: Any) -> models.QuerySet[M]:
    """Rows whose reference begins with `term`, or whose words begin with every word of it. An empty term means all.

    Nothing is found by what `user` may not read.
    """
    term = _tidy(term)
    if not term:
        return queryset
    model = queryset.model
    found = _by_reference(model, term, user)
    vectors: dict[str, Any] = {}
    words = re.findall(r"\w+", folded(term))
    columns = [name for name in getattr(model, "search_words", ()) if not treatment_of(user, model, name)]
    if columns and words:
        vectors, by_words = _by_words(model, columns, words)
        found |= by_words
    if not found:
        return queryset.none()
    keys = few_matches(model._base_manager.alias(**vectors).filter(found), told=f"{term} {columns}")
    if keys is None:
        return cast("models.QuerySet[M]", queryset.alias(**vectors)).filter(found)
    keys = those_of(queryset, keys)
    return queryset.filter(pk__among_few=keys) if keys != "{}" else queryset.none()


def best_matches(queryset: models.QuerySet[M], term: str, user: Any, limit: int) -> list[M]:
    """At most `limit` rows that a search finds: the one called `term` first, then those called so at the beginning, then
    those that have its words. Each is a query that an index answers."""
    term = _tidy(term)
    rows: list[M] = []
    if term:
        for by_reference in (
            _by_reference(queryset.model, term, user, "exact"),
            _by_reference(queryset.model, term, user),
        ):
            if by_reference and len(rows) < limit:
                seen = [row.pk for row in rows]
                # In no order: the planner would look for a few rows along all of them.
                rows += list(queryset.filter(by_reference).exclude(pk__in=seen).order_by()[: limit - len(rows)])
    if not rows:
        rows = list(search(queryset, term, user)[:limit])
    return rows


def folded(text: str) -> str:
    """As `opsadmin_folded` does in the database."""
    marks_apart = unicodedata.normalize("NFKD", text)
    return "".join(each for each in marks_apart if not "\u0300" <= each <= "\u036f").lower()


def _tidy(term: str) -> str:
    return term.replace("\0", "").strip()


def _wanted(words: list[str]) -> SearchQuery:
    return SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")


def _by_reference(model: Any, term: str, user: Any, how: str = "startswith") -> Q:
    found = Q()
    for reference in (*getattr(model, "natural_key_fields", ())[:1], *getattr(model, "search_references", ())):
        if treatment_of(user, model, reference):
            continue
        begins = Q()
        for written in dict.fromkeys((term, term.upper())):
            begins |= Q(**{f"{reference}__{how}": written})
        # An index on references leaves out the empty ones.
        found |= begins & ~Q(**{reference: ""})
    return found


def _by_words(model: Any, columns: list[str], words: list[str]) -> tuple[dict[str, Any], Q]:
    """What the condition looks at, by alias, and the condition."""
    every = model.search_words
    fold = getattr(model, "folds_words", True)
    wanted = _wanted(words)
    vectors: dict[str, Any] = {"_words": words_of(*every, folded=fold)}
    asked = Q(_words=wanted)
    if columns != list(every):
        # The index is over all of them. It finds too much, of which the words that may be read are asked.
        vectors["_read_words"] = words_of(*columns, folded=fold)
        asked &= Q(_read_words=wanted)
    if fold:
        text: Any = columns[0] if len(columns) == 1 else Concat(*_spaced(columns), output_field=models.TextField())
        possible = Contains(Folded(text), Value(words, output_field=ArrayField(models.TextField())))
        asked = Q(possible) & asked
    return vectors, asked


def _spaced(columns: list[str]) -> list[Any]:
    spaced: list[Any] = []
    for name in columns:
        spaced += [name, Value(" ")]
    return spaced[:-1]

"""What queries ask that Django has no word for.

`column__any_of=[…]` sends one array, where `__in` sends as many parameters as there are values; `key__among_few=[…]` has the
keys looked up whatever else is asked. `words_of` is the text that searches look into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db.models import BooleanField, CharField, Field, Func, Lookup, TextField
from django.db.models.fields.related import ForeignObject

BIGGEST = 1 << 63


@ForeignObject.register_lookup
@Field.register_lookup
class AnyOf(Lookup):
    """The column is one of the values. They go to the database as they are, as one array, put together once."""

    lookup_name = "any_of"
    kind = ""

    def get_prep_lookup(self) -> Any:
        values = list(self.rhs)
        if set(map(type, values)) == {int} and min(values) > -BIGGEST and max(values) < BIGGEST:
            self.kind = "bigint[]"
            return as_array(values)
        if isinstance(self.lhs.output_field, CharField | TextField) and all(type(text) is str for text in values):
            self.kind = "text[]"
            return as_text_array(values)
        return values

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} = ANY({self.array() if self.kind else '%s'})", [*params, self.rhs]

    def array(self) -> str:
        """The values as the planner is to see them."""
        return f"%s::{self.kind}"


@ForeignObject.register_lookup
@Field.register_lookup
class AmongFew(AnyOf):
    """The column is one of the values, and they are few beside the table: it is worth looking each of them up. Keys may come
    as PostgreSQL writes an array of them.

    The planner is not told how many they are and takes them to be ten. Of ten thousand that it knew to be in ten million
    rows it would think to meet a page of them soon along the list's order, where they may all be at its end; for five
    thousand it would read two hundred thousand rows through.
    """

    lookup_name = "among_few"

    def get_prep_lookup(self) -> Any:
        if isinstance(self.rhs, str):
            self.kind = "bigint[]"
            return self.rhs
        return super().get_prep_lookup()

    def array(self) -> str:
        return f"(SELECT %s::{self.kind})::{self.kind}"


def as_text_array(texts: Sequence[str]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    inside = '","'.join(text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return f'{{"{inside}"}}' if texts else "{}"


def as_array(keys: Sequence[int]) -> str:
    """Keys as PostgreSQL writes an array of them: the driver would dump each by itself, in ten times the time."""
    return f"{{{','.join(map(str, keys))}}}"


class Folded(Func):
    """Text without accents and capitals, so that "asa" finds "Åsa": PostgreSQL's own `normalize()`, and marks left out."""

    function = "public.opsadmin_folded"
    arity = 1
    output_field = TextField()


class Contains(Func):
    """Whether a text has every one of `words` in it, anywhere: asked of a row before its words are worked out."""

    template = "public.opsadmin_if_contains(%(expressions)s) IS NOT NULL"
    output_field = BooleanField()
    conditional = True


def words_of(*columns: str, folded: bool = True) -> SearchVector:
    """The words of text columns, for a search and for the index that answers it: both must say the same."""
    return SearchVector(*((Folded(column) if folded else column) for column in columns), config="simple")


def words_index(*columns: str, name: str) -> GinIndex:
    """The index that `Record.search_words` deserves."""
    return GinIndex(words_of(*columns), name=name)

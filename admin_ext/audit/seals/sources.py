"""Which tables are sealed, and how a row of them becomes a leaf.

    leaf = SHA-256( 0x00 ‖ seq, 8 bytes ‖ name of the table ‖ 0x00 ‖ row id, 8 bytes ‖ salt, 16 bytes ‖ canonical row )

The canonical row is its JSON as PostgreSQL writes `jsonb`: names sorted, columns that are NULL left out, so that a column
added later changes no leaf. The expression stands here and not in a function of the database, which its superuser could
replace.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, Self

from django.db import connection as product
from django.db.models import JSONField

from admin_ext.audit.history import tracked_models

# What the text of a row depends on, said anew in every transaction that seals or verifies.
SETTINGS = {
    "search_path": "pg_catalog, public",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "jit": "off",
}


@dataclasses.dataclass(frozen=True)
class Source:
    """A sealed table."""

    name: str
    key: str
    at: str
    """The column that says when a row was written."""
    complete: str = "true"
    """The condition, on the row `r`, that it will not change any more."""
    documents: tuple[str, ...] = ()
    """Columns of JSON: their own nulls are values and stay."""

    @classmethod
    def of(cls, model: Any, at: str, complete: str = "true") -> Self:
        fields = model._meta.concrete_fields
        documents = tuple(sorted(str(field.column) for field in fields if isinstance(field, JSONField)))
        return cls(model._meta.db_table, model._meta.pk.column, at, complete, documents)

    @property
    def table(self) -> str:
        return f'public."{self.name}"'

    @property
    def canonical(self) -> str:
        """SQL: the text of the row `r` that is hashed."""
        if not self.documents:
            return "jsonb_strip_nulls(to_jsonb(r))::text"
        names = ", ".join(f"'{name}'" for name in self.documents)
        plain = f"jsonb_strip_nulls(to_jsonb(r) - ARRAY[{names}])"
        documents = "".join(
            f" || CASE WHEN r.\"{name}\" IS NULL THEN '{{}}' ELSE jsonb_build_object('{name}', r.\"{name}\") END"
            for name in self.documents
        )
        return f"({plain}{documents})::text"

    def leaf_hash(self, seq: str, row_id: str, salt: str, canonical: str) -> str:
        """SQL: the leaf's hash, from SQL for its parts."""
        return (
            f"sha256('\\x00'::bytea || int8send({seq}) || convert_to('{self.name}', 'UTF8') || '\\x00'::bytea "
            f"|| int8send({row_id}) || {salt} || convert_to({canonical}, 'UTF8'))"
        )


@cache
def sources() -> dict[str, Source]:
    """Every table of the record, by name."""
    from admin_ext.audit.models import AccessEvent, ChangeSet, RecordedColumn, Tombstone

    found = [Source.of(model.history.model, "history_date") for model in tracked_models()]
    found += [
        # A job's change set is completed when the job ends.
        Source.of(ChangeSet, "finished_at", "r.finished_at IS NOT NULL"),
        Source.of(AccessEvent, "at"),
        Source.of(Tombstone, "written_at"),
        Source.of(RecordedColumn, "noted_at"),
    ]
    return {source.name: source for source in sorted(found, key=lambda source: source.name)}


def name_sources() -> None:
    """Give every sealed table its number, as the owner. Those of tables that are gone stay: their leaves do."""
    from admin_ext.audit.models import SealedTable

    known = set(SealedTable.objects.values_list("name", flat=True))
    SealedTable.objects.bulk_create(SealedTable(name=name) for name in sources() if name not in known)


def connect(**login: Any) -> Any:
    """A connection of its own (psycopg, autocommit) to the product's database; `login` may name another role."""
    import psycopg

    return psycopg.connect(**{**product.get_connection_params(), **login}, autocommit=True)


def settle(cursor: Any) -> None:
    """Make the text of rows the same in every session, until the transaction ends."""
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
    cursor.execute(f"SELECT {settings}")


def numbered_sources(cursor: Any) -> dict[int, Source | str]:
    """The sources by their number in the leaves; where only the name is left, that."""
    known = sources()
    cursor.execute("SELECT id, name FROM public.audit_sealedtable ORDER BY name")
    return {number: known.get(name, name) for number, name in cursor.fetchall()}

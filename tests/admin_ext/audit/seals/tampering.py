"""What somebody can do who is superuser and has no key: one random deed, and where it must be found."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin_ext.audit.exempt import EXEMPT_COLUMNS
from admin_ext.audit.history import tracked_models
from admin_ext.audit.seals.keys import key_id
from admin_ext.audit.seals.merkle import root_of
from admin_ext.audit.seals.publishing import joined_hashes, split_hashes
from admin_ext.audit.seals.sealing import read_headers
from admin_ext.audit.seals.sources import sources

KEYS = {"audit_leaf": "seq", "audit_block": "number", "audit_changeset": "id"}
DEEDS = ("flip", "null", "delete", "insert", "swap", "cut", "rewrite")


@dataclasses.dataclass
class Deed:
    """One tampering: what was done, and the places of which one must be named."""

    what: str
    places: set[tuple[str, int]]
    first_missing: int | None = None


class NotPossible(Exception):
    """The dice chose what the tables forbid even to a superuser."""


class Tamperer:
    """Does random deeds in a superuser's transaction whose triggers are off."""

    def __init__(self, cursor: Any, dice: random.Random) -> None:
        self.cursor, self.dice = cursor, dice
        history = [model.history.model._meta.db_table for model in tracked_models()]
        self.history = [table for table in history if self._one(f'SELECT count(*) FROM "{table}"')]
        self.live = [
            model._meta.db_table for model in tracked_models() if model.history.model._meta.db_table in self.history
        ]
        self.tables = [*self.history, "audit_changeset", "audit_leaf", "audit_block"]
        for table in {*self.tables, *self.live, "audit_tombstone"}:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER ALL')
        self.columns = {table: self._columns(table) for table in {*self.tables, *self.live}}
        for table in self.live:
            # What is exempt from the record (a password's hash) is no part of what seals prove.
            self.columns[table] = [each for each in self.columns[table] if each[0] not in EXEMPT_COLUMNS]
        self.last_seq = self._one("SELECT max(seq) FROM audit_leaf")
        self.forger = Ed25519PrivateKey.generate()

    def do_something(self) -> Deed:
        """Raises NotPossible."""
        deed = self.dice.choice(DEEDS)
        # Half of all deeds are done to history: it is what people would want to change.
        table = self.dice.choice(self.history) if self.dice.random() < 0.5 else self.dice.choice(self.tables)
        if deed == "flip" and self.dice.random() < 0.1:
            table = self.dice.choice(self.live)
        return getattr(self, deed)(table)

    # -- the deeds ---------------------------------------------------------------------------------------------------

    def flip(self, table: str) -> Deed:
        row = self._row(table)
        column, kind = self.dice.choice(self._filled(table, row))
        value = FLIPS.get(kind, FLIPS["text"]).format(column=f'"{column}"', place=self.dice.randrange(8))
        self._execute(f'UPDATE "{table}" SET "{column}" = {value} WHERE "{self._key(table)}" = %s', row)
        return Deed(f"flip {table}.{column}", self._places(table, row))

    def null(self, table: str) -> Deed:
        row = self._row(table)
        nullable = {name for name, _, null in self.columns[table] if null}
        columns = [name for name, _ in self._filled(table, row) if name in nullable]
        if not columns:
            raise NotPossible
        column = self.dice.choice(columns)
        self._execute(f'UPDATE "{table}" SET "{column}" = NULL WHERE "{self._key(table)}" = %s', row)
        return Deed(f"null {table}.{column}", self._places(table, row))

    def delete(self, table: str) -> Deed:
        row = self._row(table)
        places = self._places(table, row)
        self._execute(f'DELETE FROM "{table}" WHERE "{self._key(table)}" = %s', row)
        return Deed(f"delete {table}", places)

    def insert(self, table: str) -> Deed:
        row, key = self._row(table), self._key(table)
        new = self.dice.choice(
            [self._one(f'SELECT max("{key}") + 1 FROM "{table}"'), self.dice.randrange(10**6, 10**9)]
        )
        changes = {key: str(new)}
        if table == "audit_leaf":
            changes["row_id"] = str(self.dice.randrange(10**6, 10**9))
        elif table != "audit_block":
            changes["xid"] = self.dice.choice(["xid", "xid - 1", "xid + 1000000000", "NULL"])
        values = ", ".join(changes.get(name, f'"{name}"') for name, *_ in self.columns[table])
        names = ", ".join(f'"{name}"' for name, *_ in self.columns[table])
        self._execute(f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" WHERE "{key}" = %s', row)
        return Deed(f"insert {table}", self._places(table, new))

    def swap(self, table: str) -> Deed:
        one, other = self._row(table), self._row(table)
        key = self._key(table)
        names = [name for name, *_ in self.columns[table] if name != key]
        if table == "audit_leaf":
            names = self.dice.choice([["source_id", "row_id", "salt", "hash"], ["hash"], ["salt"]])
        same = " AND ".join(f'a."{name}" IS NOT DISTINCT FROM b."{name}"' for name in names)
        if one == other or self._one(
            f'SELECT {same} FROM "{table}" a, "{table}" b WHERE a."{key}" = %s AND b."{key}" = %s', one, other
        ):
            raise NotPossible
        places = self._places(table, one) | self._places(table, other)
        if table == "audit_leaf":
            self._execute("ALTER TABLE audit_leaf DROP CONSTRAINT nothing_is_sealed_twice")
        setting = ", ".join(f'"{name}" = b."{name}"' for name in names)
        self._execute(
            f'UPDATE "{table}" a SET {setting} FROM "{table}" b '
            f'WHERE (a."{key}", b."{key}") IN ((%s, %s), (%s, %s))', one, other, other, one,
        )  # fmt: skip
        return Deed(f"swap {table}", places | self._places(table, one) | self._places(table, other))

    def cut(self, table: str) -> Deed:
        """The last blocks, with their leaves, and mostly the rows too."""
        numbers = [number for (number,) in self._all("SELECT number FROM audit_block ORDER BY number DESC")]
        number = self.dice.choice(numbers[: self.dice.choice([3, len(numbers) - 1])])
        first = self._one("SELECT first_seq FROM audit_block WHERE number = %s", number)
        if self.dice.random() < 0.8:
            for table in [*self.history, "audit_changeset"]:
                self.cursor.execute(
                    f'DELETE FROM "{table}" r USING audit_leaf l, audit_sealedtable s WHERE s.name = %s '
                    f'AND l.source_id = s.id AND l.seq >= %s AND l.row_id = r."{sources()[table].key}"',
                    [table, first],
                )
        self._execute("DELETE FROM audit_leaf WHERE seq >= %s", first)
        self._execute("DELETE FROM audit_block WHERE number >= %s", number)
        return Deed("cut", set(), first_missing=first)

    def rewrite(self, table: str) -> Deed:
        """A row, and everything that hangs from it, up to signatures by another key."""
        table = self.dice.choice([*self.history, "audit_changeset"])
        deed = self.flip(table)
        ((_, row),) = [place for place in deed.places if place[0] == table][:1]
        source = sources()[table]
        formula = source.leaf_hash("l.seq", "l.row_id", "l.salt", source.canonical)
        seq = self._all(
            f'UPDATE audit_leaf l SET hash = {formula} FROM "{table}" r, audit_sealedtable s WHERE s.name = %s '
            f'AND l.source_id = s.id AND l.row_id = %s AND r."{source.key}" = l.row_id RETURNING l.seq', table, row,
        )  # fmt: skip
        if not seq:
            raise NotPossible
        before = None
        forge = self.dice.random() < 0.7
        for header in list(read_headers(self.cursor, "number > 0")):
            if header.last_seq >= seq[0][0]:
                root = root_of(split_hashes(joined_hashes(self.cursor, header.first_seq, header.size)))
                header = dataclasses.replace(header, root=root, previous=before or header.previous)
                self._execute(
                    "UPDATE audit_block SET root = %s, previous = %s, hash = %s WHERE number = %s",
                    header.root, header.previous, header.hash(), header.number,
                )  # fmt: skip
                if forge:
                    signature = self.forger.sign(header.checkpoint().text().encode())
                    own = self.dice.choice([key_id(self.forger.public_key()), None])
                    self._execute(
                        "UPDATE audit_block SET signature = %s, key_id = coalesce(%s, key_id) WHERE number = %s",
                        signature, own, header.number,
                    )  # fmt: skip
            before = header.hash()
        return Deed(f"rewrite from {table}", deed.places)

    # -- what they need ----------------------------------------------------------------------------------------------

    def _places(self, table: str, row: int) -> set[tuple[str, int]]:
        """The row itself; for a leaf also the row that it seals."""
        places = {(table, row)}
        if table == "audit_leaf":
            places |= set(
                self._all(
                    "SELECT s.name::text, l.row_id FROM audit_leaf l JOIN audit_sealedtable s ON s.id = l.source_id "
                    "WHERE l.seq = %s", row,
                )
            )  # fmt: skip
        return places

    def _row(self, table: str) -> int:
        rows = self._all(f'SELECT "{self._key(table)}" FROM "{table}" ORDER BY 1')
        return self.dice.choice(rows)[0]

    def _filled(self, table: str, row: int) -> list[tuple[str, str]]:
        """The columns of a row that hold a value, without those that PostgreSQL computes."""
        (values,) = self._all(
            f'SELECT {", ".join(f"{chr(34)}{name}{chr(34)} IS NOT NULL" for name, *_ in self.columns[table])} '
            f'FROM "{table}" WHERE "{self._key(table)}" = %s', row,
        )  # fmt: skip
        return [(name, kind) for (name, kind, _), filled in zip(self.columns[table], values, strict=True) if filled]

    def _key(self, table: str) -> str:
        if table in KEYS:
            return KEYS[table]
        return sources()[table].key if table in sources() else "id"

    def _columns(self, table: str) -> list[tuple[str, str, bool]]:
        return self._all(
            "SELECT a.attname::text, t.typname::text, NOT a.attnotnull FROM pg_attribute a "
            "JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = %s::regclass AND a.attnum > 0 "
            "AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum", f'"{table}"',
        )  # fmt: skip

    def _execute(self, sql: str, *parameters: Any) -> None:
        self.cursor.execute(sql, parameters)
        if not self.cursor.rowcount:
            raise NotPossible

    def _all(self, sql: str, *parameters: Any) -> list[Any]:
        self.cursor.execute(sql, parameters)
        return self.cursor.fetchall()

    def _one(self, sql: str, *parameters: Any) -> Any:
        return self._all(sql, *parameters)[0][0]


# How a value of a type becomes another one.
FLIPS = {
    "text": "overlay({column}::text placing (CASE WHEN left({column}::text, 1) = 'x' THEN 'y' ELSE 'x' END) from 1 for 1)",
    "int2": "{column} + 1 + {place}",
    "int4": "{column} + 1 + {place}",
    "int8": "{column} + 1000000 + {place}",
    "numeric": "{column} + 0.01",
    "bool": "NOT {column}",
    "timestamptz": "{column} + interval '1 millisecond'",
    "date": "{column} + 1",
    "uuid": "gen_random_uuid()",
    "inet": "'192.0.2.77'",
    "jsonb": "CASE WHEN jsonb_typeof({column}) = 'object' THEN {column} || '{{\"planted\": null}}' ELSE '[7]' END",
    "bytea": "set_bit({column}, {place}, 1 - get_bit({column}, {place}))",
    "_text": "array_append({column}, 'planted')",
    "_int8": "array_append({column}, 7::bigint)",
}

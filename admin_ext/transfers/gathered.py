"""What is kept of a flat file while its plan is made: on disk, in a database of its own that goes with the process.

However long the file, memory holds a batch: the groups of lines, the rows that the plan is going to make, and which
rows stand in which document are looked up by the batch.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson
from django.db import models

TABLES = """
    CREATE TABLE groups (entity INTEGER, key TEXT, line INTEGER, told TEXT, PRIMARY KEY (entity, key));
    CREATE TABLE planned (model TEXT, name TEXT, id INTEGER, errors TEXT, PRIMARY KEY (model, name)) WITHOUT ROWID;
    CREATE TABLE documents (name TEXT PRIMARY KEY, lines INTEGER, bad_line INTEGER) WITHOUT ROWID;
    CREATE TABLE rows_of (name TEXT, number INTEGER, PRIMARY KEY (name, number)) WITHOUT ROWID;
    CREATE TABLE corrected (line INTEGER PRIMARY KEY, told TEXT);
"""
CACHE = 16 << 10  # KiB


@dataclasses.dataclass(slots=True)
class Group:
    """Lines that are one row: the first of them, and what they say."""

    line: int
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    lines: dict[str, int] = dataclasses.field(default_factory=dict)
    """On which line the word was said that counts."""
    fallbacks: dict[str, Any] = dataclasses.field(default_factory=dict)
    errors: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Gathered:
    """Use as a context: what it holds is gone afterwards."""

    def __enter__(self) -> Self:
        # An empty name is a file that SQLite makes for itself and takes away.
        self.store = sqlite3.connect("", isolation_level=None)
        self.store.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{CACHE};{TABLES}"
        )
        self.store.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    # -- groups of lines ---------------------------------------------------------------------------

    def groups(self, entity: int, keys: Iterable[str]) -> dict[str, Group]:
        found = self.store.execute(
            "SELECT key, line, told FROM groups WHERE entity = ? AND key IN (SELECT value FROM json_each(?))",
            [entity, _listed(keys)],
        )
        return {key: _group(line, told) for key, line, told in found}

    def keep_groups(self, entity: int, groups: dict[str, Group]) -> None:
        self.store.executemany(
            "INSERT INTO groups VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET told = excluded.told",
            [(entity, key, group.line, _told(group)) for key, group in groups.items()],
        )

    def each_group(self, entity: int, size: int) -> Iterator[list[tuple[str, Group]]]:
        """All groups of an entity, as they began in the file, some at a time."""
        after = 0
        while True:
            found = self.store.execute(
                "SELECT rowid, key, line, told FROM groups WHERE entity = ? AND rowid > ? ORDER BY rowid LIMIT ?",
                [entity, after, size],
            ).fetchall()
            if not found:
                return
            after = found[-1][0]
            yield [(key, _group(line, told)) for _, key, line, told in found]

    # -- rows that are going to be -----------------------------------------------------------------

    def plan_to_make(self, model: type[models.Model], made: dict[str, int]) -> None:
        """New rows by name, each with the key that is kept free for it."""
        self._plan([(model._meta.label, name, key, None) for name, key in made.items()])

    def plan_to_find(self, model: type[models.Model], names: Iterable[str]) -> None:
        """Rows that are there already."""
        self._plan([(model._meta.label, name, None, None) for name in names])

    def plan_to_fail(self, model: type[models.Model], failed: dict[str, list[dict[str, Any]]]) -> None:
        """Rows that cannot be, with what is wrong."""
        self._plan([(model._meta.label, name, None, orjson.dumps(errors).decode()) for name, errors in failed.items()])

    def known(self, model: type[models.Model], names: Iterable[str]) -> set[str]:
        found = self.store.execute(
            "SELECT name FROM planned WHERE model = ? AND name IN (SELECT value FROM json_each(?))",
            [model._meta.label, _listed(names)],
        )
        return {name for (name,) in found}

    def find(
        self, model: type[models.Model], names: Iterable[str]
    ) -> tuple[dict[str, int], dict[str, list[dict[str, Any]]]]:
        """Of these names: the keys of rows that this plan makes, and what is wrong with rows that it cannot make."""
        found = self.store.execute(
            "SELECT name, id, errors FROM planned WHERE model = ? AND name IN (SELECT value FROM json_each(?))",
            [model._meta.label, _listed(names)],
        ).fetchall()
        made = {name: key for name, key, _ in found if key is not None}
        return made, {name: orjson.loads(errors) for name, _, errors in found if errors}

    def _plan(self, rows: list[tuple[str, str, int | None, str | None]]) -> None:
        self.store.executemany("INSERT OR IGNORE INTO planned VALUES (?, ?, ?, ?)", rows)

    # -- documents ---------------------------------------------------------------------------------

    def lines_of(self, names: Iterable[str]) -> dict[str, int]:
        """How many lines of each document were read so far."""
        found = self.store.execute(
            "SELECT name, lines FROM documents WHERE name IN (SELECT value FROM json_each(?))", [_listed(names)]
        )
        return dict(found.fetchall())

    def keep_lines(self, lines: dict[str, int]) -> None:
        self.store.executemany(
            "INSERT INTO documents VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET lines = excluded.lines", lines.items()
        )

    def stands_in(self, rows: Iterable[tuple[str, int]]) -> None:
        """Rows of the plan, by number, and the document of each."""
        self.store.executemany("INSERT OR IGNORE INTO rows_of VALUES (?, ?)", rows)

    def spoil(self, documents: Iterable[tuple[str, int]]) -> None:
        """Documents that cannot be whole, each with the line that cannot be."""
        self.store.executemany(
            "INSERT INTO documents VALUES (?, 0, ?) "
            "ON CONFLICT DO UPDATE SET bad_line = min(coalesce(bad_line, excluded.bad_line), excluded.bad_line)",
            documents,
        )

    def spoilt(self) -> Iterator[tuple[str, int, list[int]]]:
        """Name, line that cannot be, and rows of each document that cannot be whole."""
        bad = self.store.execute("SELECT name, bad_line FROM documents WHERE bad_line IS NOT NULL")
        for name, line in bad:
            rows = self.store.execute("SELECT number FROM rows_of WHERE name = ? ORDER BY number", [name])
            yield name, line, [number for (number,) in rows]

    # -- what a reviewer did -----------------------------------------------------------------------

    def keep_corrected(self, lines: Iterable[tuple[int, str]]) -> int:
        """Lines of the file and what was done to each; returns how many."""
        return self.store.executemany("INSERT OR REPLACE INTO corrected VALUES (?, ?)", lines).rowcount

    def corrected(self, lines: Iterable[int]) -> dict[int, str]:
        """What was done to these lines, as far as anything was."""
        found = self.store.execute(
            "SELECT line, told FROM corrected WHERE line IN (SELECT value FROM json_each(?))",
            [orjson.dumps(list(lines)).decode()],
        )
        return dict(found.fetchall())


def _listed(names: Iterable[str]) -> str:
    return orjson.dumps([str(name) for name in names]).decode()


def _told(group: Group) -> str:
    return orjson.dumps([group.values, group.lines, group.fallbacks, group.errors]).decode()


def plain(value: Any) -> Any:
    """A value as the store gives it back, so that what was kept and what is read now compare as equal."""
    if value is None or isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 1 << 53):
        return value
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


def _group(line: int, told: str) -> Group:
    values, lines, fallbacks, errors = orjson.loads(told)
    return Group(line=line, values=values, lines=lines, fallbacks=fallbacks, errors=errors)

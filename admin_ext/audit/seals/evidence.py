"""Evidence that needs no product to be checked: rows of the record with the path to a signed checkpoint.

A pack is a ZIP. Whoever makes it puts in what people like to read, then calls `write_evidence`, then `write_manifest`:

    events.ndjson     one object a row: source, row_id, seq, block, path; salt and canonical (the text that was hashed),
                      or, where these are erased or withheld, the hash of the leaf alone. seq is null: not sealed yet.
    blocks.ndjson     one object a block: header (the text that is hashed), key, signature. Each block hangs from the next
                      one in the file, or bears a signature that counts.
    checkpoint.txt    the newest checkpoint
    public_key.pem    the keys that sign
    manifest.json     name, size and SHA-256 of every other file

`docs/verify_evidence.py` checks a pack with nothing but Python; `packs.py` does it in the product.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from typing import Any
from zipfile import ZipFile

from django.db import connection, transaction

from admin_ext.audit.seals.checkpoints import Header
from admin_ext.audit.seals.keys import public_text
from admin_ext.audit.seals.merkle import Tree
from admin_ext.audit.seals.publishing import joined_hashes, split_hashes
from admin_ext.audit.seals.sealing import read_headers, read_last
from admin_ext.audit.seals.sources import Source, settle, sources
from admin_ext.audit.seals.standing import public_keys

EVENTS, BLOCKS, CHECKPOINT, KEYS, MANIFEST = (
    "events.ndjson",
    "blocks.ndjson",
    "checkpoint.txt",
    "public_key.pem",
    "manifest.json",
)
# So many rows are looked up at once.
CHUNK = 2_000
# Two blocks that are further apart are not chained to each other: each bears its own signature.
FAR = 256


class NothingSealed(Exception):
    """No block has been sealed yet, so nothing can be proven."""


class Leafed:
    """A row that was asked for, with its leaf."""

    __slots__ = ("row_id", "seq", "source")

    def __init__(self, source: str, row_id: int, seq: int | None) -> None:
        self.source, self.row_id, self.seq = source, row_id, seq


def write_evidence(
    archive: ZipFile,
    rows: Iterable[tuple[str, int]],
    *,
    withhold: Collection[str] = (),
    tick: Callable[[], object] = lambda: None,
) -> dict[str, int]:
    """Write the proof of `rows`, each the name of its table and its id, into an open ZIP.

    The text that was hashed is the whole row: name in `withhold` the tables of which the reader may not see all columns;
    of these only the hash goes into the pack, and that it was sealed. What the reader may see at all is the caller's to say.
    `tick` is called with every row; what it raises ends the work.
    Returns how many rows are `proven`, `unsealed` and `withheld` (erased ones included).
    Raises NothingSealed, NoKey.
    """
    counts = {"proven": 0, "unsealed": 0, "withheld": 0}
    # Everything that is sealed stays, so later statements see at least what earlier ones saw.
    with transaction.atomic(), connection.cursor() as cursor:
        settle(cursor)
        newest = _newest(cursor)
        found = sorted(_leaves(cursor, rows), key=lambda row: (row.seq is None, row.seq or 0, row.source, row.row_id))
        used: list[Header] = []
        with archive.open(EVENTS, "w") as file:
            for event in _events(cursor, found, withhold, used):
                tick()
                file.write(_line(event))
                sealed = "withheld" if event["canonical"] is None else "proven"
                counts["unsealed" if event["seq"] is None else sealed] += 1
        with archive.open(BLOCKS, "w") as file:
            for line in _chain(cursor, used, newest):
                file.write(_line(line))
        cursor.execute("SELECT key_id, signature FROM public.audit_block WHERE number = %s", [newest.number])
        key_id, signature = cursor.fetchone()
    archive.writestr(CHECKPOINT, newest.checkpoint().note(key_id=key_id, signature=signature))
    archive.writestr(KEYS, "".join(public_text(key) for key in public_keys().values()))
    return counts


def write_manifest(archive: ZipFile) -> None:
    """List every file of the pack with its hash. The last thing to write."""
    files = []
    for name in archive.namelist():
        digest, size = hashlib.sha256(), 0
        with archive.open(name) as file:
            while part := file.read(1 << 20):
                digest.update(part)
                size += len(part)
        files.append({"name": name, "size": size, "sha256": digest.hexdigest()})
    archive.writestr(MANIFEST, json.dumps({"format": "opsadmin evidence 1", "files": files}, indent=1))


def _newest(cursor: Any) -> Header:
    newest = read_last(cursor)
    if newest is None:
        raise NothingSealed("Nothing is sealed yet: see that the sealer runs (manage.py seal_audit --follow).")
    return newest


def _leaves(cursor: Any, rows: Iterable[tuple[str, int]]) -> Iterator[Leafed]:
    asked: dict[str, set[int]] = {}
    for source, row_id in rows:
        asked.setdefault(source, set()).add(row_id)
    for source, ids in asked.items():
        if source not in sources():
            raise ValueError(f"{source} is not a table of the record.")
        for chunk in _chunks(sorted(ids)):
            cursor.execute(
                "SELECT r.row_id, l.seq FROM unnest(%s::bigint[]) r(row_id) LEFT JOIN public.audit_leaf l "
                "ON l.row_id = r.row_id AND l.source_id = (SELECT id FROM public.audit_sealedtable WHERE name = %s)",
                [chunk, source],
            )
            yield from (Leafed(source, row_id, seq) for row_id, seq in cursor.fetchall())


def _events(
    cursor: Any, found: list[Leafed], withhold: Collection[str], used: list[Header]
) -> Iterator[dict[str, Any]]:
    """The rows in the order of their leaves; the blocks that they stand in are noted in `used`."""
    header, tree = None, None
    for chunk in _chunks(found):
        texts = _texts(cursor, chunk)
        for row in chunk:
            salt, digest, text = texts.get((row.source, row.row_id), (None, None, None))
            if row.seq is None:
                if text is not None:
                    shown = None if row.source in withhold else text
                    yield _event(row, block=None, path=[], salt=None, canonical=shown, hash=None)
                continue
            if header is None or not header.first_seq <= row.seq <= header.last_seq:
                header = _block_of(cursor, row.seq)
                tree = Tree(split_hashes(joined_hashes(cursor, header.first_seq, header.size)))
                used.append(header)
            assert tree is not None
            path = [each.hex() for each in tree.path(row.seq - header.first_seq)]
            if salt is None or text is None or row.source in withhold:
                yield _event(row, block=header.number, path=path, salt=None, canonical=None, hash=digest.hex())
            else:
                yield _event(row, block=header.number, path=path, salt=salt.hex(), canonical=text, hash=None)


def _event(row: Leafed, **said: Any) -> dict[str, Any]:
    return {"source": row.source, "row_id": row.row_id, "seq": row.seq, **said}


def _texts(cursor: Any, chunk: list[Leafed]) -> dict[tuple[str, int], tuple[Any, Any, str | None]]:
    """Salt, hash and text of the rows; without a leaf the text alone, without the row the leaf alone."""
    texts = {}
    ordered = sorted(chunk, key=lambda row: row.source)
    for name, rows in groupby(ordered, key=lambda row: row.source):
        source: Source = sources()[name]
        cursor.execute(
            f'SELECT w.row_id, l.salt, l.hash, CASE WHEN r."{source.key}" IS NOT NULL THEN {source.canonical} END '
            f'FROM unnest(%s::bigint[]) w(row_id) LEFT JOIN {source.table} r ON r."{source.key}" = w.row_id '
            "LEFT JOIN public.audit_leaf l ON l.row_id = w.row_id "
            "AND l.source_id = (SELECT id FROM public.audit_sealedtable WHERE name = %s)",
            [[row.row_id for row in rows], name],
        )
        for row_id, salt, digest, text in cursor.fetchall():
            texts[name, row_id] = (salt, digest, text)
    return texts


def _block_of(cursor: Any, seq: int) -> Header:
    holding = "number = (SELECT max(number) FROM public.audit_block WHERE first_seq <= %s AND size > 0)"
    return read_headers(cursor, holding, seq)[0]


def _chain(cursor: Any, used: list[Header], newest: Header) -> Iterator[dict[str, Any]]:
    """The blocks that prove the rows, with those between that chain them to each other and to the newest."""
    numbers = sorted({header.number for header in used} | {newest.number})
    runs = [(numbers[0], numbers[0])]
    for number in numbers[1:]:
        first, last = runs[-1]
        if number - last <= FAR:
            runs[-1] = (first, number)
        else:
            runs.append((number, number))
    for first, last in runs:
        cursor.execute(
            "SELECT number, epoch, first_seq, size, root, previous, horizon, cluster, sealed_at, note, key_id, "
            "signature FROM public.audit_block WHERE number BETWEEN %s AND %s ORDER BY number",
            [first, last],
        )
        for *columns, key_id, signature in cursor.fetchall():
            header = Header(*columns)
            yield {"header": header.text(), "key": key_id, "signature": signature.hex()}


def _chunks(rows: list[Any]) -> Iterator[list[Any]]:
    return (rows[n : n + CHUNK] for n in range(0, len(rows), CHUNK))


def _line(said: dict[str, Any]) -> bytes:
    return (json.dumps(said, ensure_ascii=False) + "\n").encode()

"""Is the record as it was sealed? Looks at everything that a change would have to touch, and names the row.

Blocks against their hashes, chain, signatures and the published checkpoint; leaves against their block's root and the
published leaves; rows against their leaves; and the fold of history against the live rows (`folding.py`).

PostgreSQL hashes the rows and hands out only what does not fit; the hashes of the leaves are streamed, a block at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from admin_ext.audit.seals.checkpoints import NOTHING, BadSignature, Checkpoint, Header, check_signature
from admin_ext.audit.seals.findings import LISTED, Report, Tampering
from admin_ext.audit.seals.folding import compare_with_live_rows, find_missing_change_sets
from admin_ext.audit.seals.merkle import root_of
from admin_ext.audit.seals.publishing import Published, joined_hashes, split_hashes
from admin_ext.audit.seals.sources import Source, numbered_sources, settle
from admin_ext.audit.triggers import unguarded

BLOCKS, LEAVES = "audit_block", "audit_leaf"


def verify(
    connection: Any,
    *,
    keys: Mapping[str, Ed25519PublicKey],
    published: Published | None = None,
    held: Iterable[Checkpoint] = (),
    since: datetime | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Report:
    """Verify the record through a connection of its own (psycopg, autocommit), in one snapshot.

    `published` is the copy outside the database, `held` are checkpoints that somebody kept; both name what the database
    can no longer deny. With `since`, rows sealed earlier are left out; the chain of blocks never is. `tick` is called
    with every block and every table; what it raises ends the work.
    """
    # Before the snapshot: what is published by now is in the database by then.
    newest = published.newest() if published else None
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return examine(cursor, keys=keys, published=published, newest=newest, held=held, since=since, tick=tick)


def examine(
    cursor: Any,
    *,
    keys: Mapping[str, Ed25519PublicKey],
    published: Published | None = None,
    newest: Checkpoint | None = None,
    held: Iterable[Checkpoint] = (),
    since: datetime | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Report:
    """Verify within the transaction that is open."""
    began, report = time.monotonic(), Report()
    settle(cursor)
    outside = {each.block: each for each in [*held, *([newest] if newest else [])]}
    report.published_block = newest.block if newest else None
    chain = _Chain(cursor, report, keys, published, outside, since)
    chain.check(tick)
    for number, source in (numbered := numbered_sources(cursor)).items():
        tick()
        if isinstance(source, Source):
            _check_rows(cursor, report, source, number, chain.first_checked)
            _check_unsealed(cursor, report, source, number, chain.horizon)
        else:
            _check_lost_table(cursor, report, source, number)
    _check_sources(cursor, report, list(numbered))
    find_missing_change_sets(cursor, report)
    compare_with_live_rows(cursor, report)
    for name in unguarded(cursor.connection):
        report.add(Tampering.TRIGGER_OFF, name.partition(".")[0], detail=name.partition(".")[2])
    report.seconds = time.monotonic() - began
    return report


class _Chain:
    """The blocks from the first to the last, with their leaves."""

    def __init__(
        self,
        cursor: Any,
        report: Report,
        keys: Mapping[str, Ed25519PublicKey],
        published: Published | None,
        outside: dict[int, Checkpoint],
        since: datetime | None,
    ) -> None:
        self.cursor, self.report, self.keys = cursor, report, keys
        self.published, self.outside, self.since = published, outside, since
        self.last: Header | None = None
        self.last_hash = NOTHING
        self.horizon = 0
        self.first_checked = 1
        self.gaps: list[tuple[int, int]] = []
        """Places of leaves that belong to no block."""

    def check(self, tick: Callable[[], object] = lambda: None) -> None:
        for header, digest, key_id, signature in self._blocks():
            tick()
            self._follows(header)
            self._is_whole(header, digest, key_id, signature)
            if self.since and header.sealed_at < self.since:
                self.first_checked = header.last_seq + 1
            else:
                self._check_leaves(header)
            self.last, self.last_hash = header, digest
            self.horizon = header.horizon
            self.report.blocks += 1
            self.report.last_block, self.report.sealed_at = header.number, header.sealed_at
        self._check_tail()
        self._check_gaps()

    def _blocks(self) -> Iterable[tuple[Header, bytes, str, bytes]]:
        with self.cursor.connection.cursor(name="opsadmin_blocks") as blocks:
            blocks.itersize = 5_000
            blocks.execute(
                "SELECT number, epoch, first_seq, size, root, previous, horizon, cluster, sealed_at, note, hash, "
                "key_id, signature FROM public.audit_block ORDER BY number"
            )
            for *columns, digest, key_id, signature in blocks:
                yield Header(*columns), digest, key_id, signature

    def _follows(self, header: Header) -> None:
        """The block hangs from the one before, without a gap unless a new epoch says so."""
        number, seq, epoch = (self.last.number, self.last.last_seq, self.last.epoch) if self.last else (0, 0, 0)
        if header.epoch == epoch + 1 and header.number > number and header.first_seq > seq:
            if header.number > number + 1:
                self.gaps.append((seq + 1, header.first_seq))
            if header.note:
                self.report.notes.append(f"Epoch {header.epoch} began with block {header.number}: {header.note}")
        elif header.number != number + 1:
            gone = f"blocks {number + 1} to {header.number - 1} are missing"
            self._found(Tampering.DELETED, number + 1, f"{gone}, with the leaves {seq + 1} to {header.first_seq - 1}")
            return
        elif header.first_seq != seq + 1 or header.epoch != epoch:
            self._found(Tampering.REWRITTEN_BLOCK, header.number, "does not go on where the block before ends")
            return
        before = self.last.hash() if self.last else NOTHING
        if header.previous not in (self.last_hash, before):
            self._found(Tampering.REWRITTEN_BLOCK, header.number, "is not chained to the block before")

    def _is_whole(self, header: Header, digest: bytes, key_id: str, signature: bytes) -> None:
        """The block's text gives its hash, is signed, and is what was published."""
        outside = self.outside.get(header.number)
        if header.hash() != digest:
            self._found(Tampering.REWRITTEN_BLOCK, header.number, "its hash is not that of what it says")
        elif outside and outside.hash != digest:
            self._found(Tampering.REWRITTEN_BLOCK, header.number, "is not the block that was published")
        if not self.since or header.sealed_at >= self.since:
            try:
                check_signature(header.checkpoint().text(), key_id=key_id, signature=signature, keys=self.keys)
            except BadSignature as error:
                self._found(Tampering.BAD_SIGNATURE, header.number, str(error))

    def _check_leaves(self, header: Header) -> None:
        joined = joined_hashes(self.cursor, header.first_seq, header.size)
        self.report.leaves += len(joined) // 32
        outside = self.published.leaves(header.first_seq, header.size) if self.published else b""
        whole = len(joined) == header.size * 32 and root_of(split_hashes(joined)) == header.root
        if whole and (not outside or outside == joined):
            return
        located = self._locate(header, split_hashes(outside))
        if not located:
            self._found(Tampering.REWRITTEN_BLOCK, header.number, "its leaves do not give its root")

    def _locate(self, header: Header, outside: list[bytes]) -> bool:
        """Name the leaves of a block that are missing or not as published. Was there any?"""
        self.cursor.execute(
            "SELECT l.seq, coalesce(s.name, l.source_id::text), l.row_id, l.hash FROM public.audit_leaf l "
            "LEFT JOIN public.audit_sealedtable s ON s.id = l.source_id WHERE l.seq >= %s AND l.seq <= %s",
            [header.first_seq, header.last_seq],
        )
        leaves = {seq: (table, row, digest) for seq, table, row, digest in self.cursor.fetchall()}
        places = range(header.first_seq, header.last_seq + 1)
        found = False
        known = set(outside)
        for seq in places:
            should = outside[seq - header.first_seq] if seq - header.first_seq < len(outside) else None
            table, row, digest = leaves.get(seq, ("", None, None))
            if digest is None:
                self.report.add(Tampering.DELETED, LEAVES, seq, seq=seq, block=header.number, detail="the seal is gone")
            elif should is not None and digest != should:
                kind = Tampering.REORDERED if digest in known else Tampering.ALTERED
                detail = "its seal is not the one that was published"
                self.report.add(kind, table, row, seq=seq, block=header.number, detail=detail)
            else:
                continue
            found = True
        return found

    def _check_tail(self) -> None:
        """Nothing that was published is missing at the end, unless a new epoch says that a restore lost it."""
        last = self.last.number if self.last else 0
        seq = self.last.last_seq if self.last else 0
        for number, outside in sorted(self.outside.items()):
            if number > last:
                detail = f"blocks {last + 1} to {number} and leaves {seq + 1} to {outside.leaves} were published"
                self.report.add(Tampering.TAIL_CUT, LEAVES, seq=seq + 1, block=last + 1, detail=detail)
            elif any(first <= outside.leaves < beyond for first, beyond in self.gaps):
                self.report.notes.append(f"The checkpoint of block {number} lies in what a restore lost.")

    def _check_gaps(self) -> None:
        """No leaf stands where there is no block."""
        beyond = self.last.last_seq + 1 if self.last else 1
        for first, until in [(None, 1), *self.gaps, (beyond, None)]:
            self.cursor.execute(
                "SELECT l.seq, coalesce(s.name, l.source_id::text), l.row_id FROM public.audit_leaf l "
                "LEFT JOIN public.audit_sealedtable s ON s.id = l.source_id "
                "WHERE (%(first)s::bigint IS NULL OR l.seq >= %(first)s) "
                f"AND (%(until)s::bigint IS NULL OR l.seq < %(until)s) ORDER BY l.seq LIMIT {LISTED}",
                {"first": first, "until": until},
            )
            for seq, table, row in self.cursor.fetchall():
                self.report.add(Tampering.INSERTED, table, row, seq=seq, detail="its seal is in no block")

    def _found(self, kind: Tampering, number: int, detail: str) -> None:
        self.report.add(kind, BLOCKS, number, block=number, detail=detail)


def _check_rows(cursor: Any, report: Report, source: Source, number: int, first: int) -> None:
    """Every leaf has its row, and the row gives the leaf; or a tombstone says why not."""
    cursor.execute(
        f"""
        WITH buried AS (
            SELECT unnest(t.row_ids) AS row_id, t.kind, t.id FROM public.audit_tombstone t WHERE t.table_name = %s
        ), found AS (
            SELECT l.seq, l.row_id, CASE
                WHEN r."{source.key}" IS NULL THEN 'deleted'
                WHEN l.salt IS NULL THEN 'erased_without_tombstone'
                WHEN l.hash <> {source.leaf_hash("l.seq", "l.row_id", "l.salt", source.canonical)} THEN 'altered'
            END AS kind
            FROM public.audit_leaf l LEFT JOIN {source.table} r ON r."{source.key}" = l.row_id
            WHERE l.source_id = {number} AND l.seq >= {first}
        )
        SELECT f.kind, f.seq, f.row_id, block.number, max(b.id)
        FROM found f
        LEFT JOIN buried b ON b.row_id = f.row_id AND b.kind
            = CASE f.kind WHEN 'deleted' THEN 'retention' WHEN 'erased_without_tombstone' THEN 'erasure' END
        LEFT JOIN LATERAL (
            SELECT k.number FROM public.audit_block k WHERE k.first_seq <= f.seq AND f.seq < k.first_seq + k.size
            ORDER BY k.number DESC LIMIT 1
        ) block ON b.id IS NULL
        WHERE f.kind IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY f.seq
        """,
        [source.name],
    )
    buried: dict[int, int] = {}
    for kind, seq, row, block, tombstone in cursor:
        if tombstone is None:
            report.add(Tampering(kind), source.name, row, seq=seq, block=block)
        else:
            buried[tombstone] = buried.get(tombstone, 0) + 1
    report.notes += [
        f"{source.name}: {count:,} rows were erased or removed under tombstone {tombstone}."
        for tombstone, count in sorted(buried.items())
    ]


def _check_unsealed(cursor: Any, report: Report, source: Source, number: int, horizon: int) -> None:
    """A row without a leaf is younger than the horizon, and of a transaction that there was."""
    cursor.execute(
        f"""
        SELECT r."{source.key}",
            r.xid IS NULL OR r.xid < {horizon} OR r.xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
        FROM {source.table} r
        WHERE {source.complete} AND NOT EXISTS (
            SELECT FROM public.audit_leaf l WHERE l.source_id = {number} AND l.row_id = r."{source.key}"
        )
        """
    )
    for row, impossible in cursor:
        if impossible and horizon:
            report.add(Tampering.INSERTED, source.name, row, detail="it has no seal and is older than the last block")
        else:
            report.unsealed += 1


def _check_lost_table(cursor: Any, report: Report, name: str, number: int) -> None:
    cursor.execute("SELECT count(*) FROM public.audit_leaf WHERE source_id = %s", [number])
    if count := cursor.fetchone()[0]:
        report.add(Tampering.DELETED, name, detail=f"the table is no longer there; {count:,} of its rows were sealed")


def _check_sources(cursor: Any, report: Report, numbers: list[int]) -> None:
    """Every leaf is of a table that has a name."""
    cursor.execute(
        f"SELECT seq, source_id, row_id FROM public.audit_leaf WHERE NOT source_id = ANY(%s) LIMIT {LISTED}", [numbers]
    )
    for seq, _, _ in cursor.fetchall():
        report.add(Tampering.ALTERED, LEAVES, seq, seq=seq, detail="its seal names no table")

"""The sealer: turns what was written to the record into signed blocks.

Writers only append; they take no lock and compute no hash. The sealer looks at what is older than every transaction
still running (`pg_snapshot_xmin`): nothing can be added there any more. A cursor over ids would lose
rows: ids are drawn before commit and become visible in another order.

One sealer works at a time: the advisory lock keeps a second one waiting, and block numbers and sealed rows are unique.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin_ext.audit.seals.checkpoints import NOTHING, Header
from admin_ext.audit.seals.keys import key_id
from admin_ext.audit.seals.merkle import root_of
from admin_ext.audit.seals.publishing import PublishedDiffers, Publisher, joined_hashes, split_hashes
from admin_ext.audit.seals.sources import Source, numbered_sources, settle

LEAVES_IN_A_BLOCK = 50_000
# Of one table in one round: what a transaction holds at once.
ROWS_IN_A_ROUND = 500_000
LOCK = "opsadmin sealer"
ROUND = "opsadmin sealing round"


class AnotherSealer(Exception):
    """A sealer is at work already."""


class NewEpochNeeded(Exception):
    """The database is not the one that was sealed last: it was restored, or moved to a new server."""


@dataclasses.dataclass(frozen=True)
class Round:
    """What one round did."""

    leaves: int
    blocks: int
    complete: bool
    """Whether everything is sealed that could be."""


@dataclasses.dataclass(frozen=True)
class Here:
    """The server, at this moment."""

    horizon: int
    """Below it every transaction has ended: nothing can be added there any more."""
    cluster: int
    now: datetime


class Sealer:
    """Seals through one connection (psycopg, autocommit) of the sealer's role."""

    def __init__(
        self,
        connection: Any,
        *,
        key: Ed25519PrivateKey,
        publisher: Publisher,
        leaves_in_a_block: int = LEAVES_IN_A_BLOCK,
    ) -> None:
        self.connection = connection
        self.key = key
        self.publisher = publisher
        self.leaves_in_a_block = leaves_in_a_block
        self.seen_horizon = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.connection.close()

    def take_up(self) -> None:
        """Become the one sealer, and publish what is sealed but was not published.

        Raises AnotherSealer, NewEpochNeeded, PublishedDiffers.
        """
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [LOCK])
            if not cursor.fetchone()[0]:
                raise AnotherSealer("Another sealer is at work on this database.")
            self._check_server(cursor, read_last(cursor))
            self.publisher.catch_up(cursor)

    def round(self) -> Round:
        """Seal what is ready. Raises NewEpochNeeded, PublishedDiffers; a round that fails leaves nothing."""
        with one_round(self.connection), self.connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            settle(cursor)
            here = _here(cursor)
            headers: list[Header] = []
            complete = True
            if here.horizon != self.seen_horizon:
                last = read_last(cursor)
                self._check_server(cursor, last)
                headers, complete = self._seal(cursor, last, here)
        with self.connection.cursor() as cursor:
            self.publisher.publish(cursor, headers)
        self.seen_horizon = here.horizon if complete else -1
        return Round(leaves=sum(header.size for header in headers), blocks=len(headers), complete=complete)

    def new_epoch(self, reason: str) -> Header:
        """Begin a new epoch: a block that says why. The next round seals everything that has no leaf.

        Numbers go on behind what was published, so that what a restore lost keeps its places.
        """
        with self.connection.transaction(), self.connection.cursor() as cursor:
            here, last, lost = _here(cursor), read_last(cursor), self.publisher.newest()
            number, seq, epoch = (last.number, last.last_seq, last.epoch) if last else (0, 0, 0)
            before = last.hash() if last else NOTHING
            if lost and lost.block > number:
                reason = f"{reason} [lost: blocks {number + 1} to {lost.block}, leaves {seq + 1} to {lost.leaves}]"
                number, seq, epoch = lost.block, max(lost.leaves, self.publisher.count()), max(epoch, lost.epoch)
            header = Header(
                number=number + 1, epoch=epoch + 1, first_seq=seq + 1, size=0, root=root_of([]), previous=before,
                horizon=0, cluster=here.cluster, sealed_at=here.now, note=reason,
            )  # fmt: skip
            self._write(cursor, header)
        with self.connection.cursor() as cursor:
            self.publisher.publish(cursor, [header])
        self.seen_horizon = -1
        return header

    def _check_server(self, cursor: Any, last: Header | None) -> None:
        """Is this the database that was sealed last, as it was then?"""
        published, number = self.publisher.newest(), last.number if last else 0
        if published and published.block > number:
            raise NewEpochNeeded(
                f"Published are {published.block} blocks, the database has {number}: it was restored from a backup, or "
                "blocks were cut off. Run verify_audit; after a restore, seal_audit --new-epoch --reason."
            )
        if not last:
            return
        if published and published.block == number and published.hash != last.hash():
            raise PublishedDiffers(f"Block {number} is not the one that was published. Run verify_audit.")
        here = _here(cursor)
        if here.cluster != last.cluster or here.horizon < last.horizon:
            raise NewEpochNeeded(
                "This is not the server that was sealed last: it counts its transactions anew. "
                "If the database was moved here on purpose, run seal_audit --new-epoch --reason."
            )

    def _seal(self, cursor: Any, last: Header | None, here: Here) -> tuple[list[Header], bool]:
        since, start = (last.horizon, last.last_seq) if last else (0, 0)
        seq, complete = start, True
        for number, source in numbered_sources(cursor).items():
            if isinstance(source, Source):
                added = _add_leaves(cursor, source, number, seq, since, here.horizon)
                complete = complete and added < ROWS_IN_A_ROUND
                seq += added
        headers: list[Header] = []
        for first in range(start + 1, seq + 1, self.leaves_in_a_block):
            before = headers[-1] if headers else last
            size = min(self.leaves_in_a_block, seq + 1 - first)
            header = Header(
                number=before.number + 1 if before else 1,
                epoch=before.epoch if before else 1,
                first_seq=first,
                size=size,
                root=root_of(read_hashes(cursor, first, size)),
                previous=before.hash() if before else NOTHING,
                horizon=here.horizon if complete and first + size > seq else since,
                cluster=here.cluster,
                sealed_at=here.now,
            )
            self._write(cursor, header)
            headers.append(header)
        return headers, complete

    def _write(self, cursor: Any, header: Header) -> None:
        cursor.execute(
            "INSERT INTO public.audit_block (number, epoch, first_seq, size, root, previous, hash, horizon, cluster, "
            "sealed_at, note, key_id, signature) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                header.number, header.epoch, header.first_seq, header.size, header.root, header.previous,
                header.hash(), header.horizon, header.cluster, header.sealed_at, header.note,
                key_id(self.key.public_key()), self.key.sign(header.checkpoint().text().encode()),
            ],
        )  # fmt: skip


@contextlib.contextmanager
def one_round(connection: Any) -> Iterator[None]:
    """A transaction whose snapshot is taken when nobody is erasing: what it reads is what is there when it ends."""
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [ROUND])
    try:
        with connection.transaction():
            yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [ROUND])


def hold_rounds(cursor: Any) -> None:
    """Wait for a running round to end, and let none begin until this transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [ROUND])


def _here(cursor: Any) -> Here:
    cursor.execute(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, system_identifier, clock_timestamp() "
        "FROM pg_control_system()"
    )
    return Here(*cursor.fetchone())


def read_headers(cursor: Any, condition: str = "true", *parameters: Any) -> list[Header]:
    """The headers of blocks, in order."""
    cursor.execute(
        "SELECT number, epoch, first_seq, size, root, previous, horizon, cluster, sealed_at, note "
        f"FROM public.audit_block WHERE {condition} ORDER BY number",
        parameters,
    )
    return [Header(*row) for row in cursor.fetchall()]


def read_last(cursor: Any) -> Header | None:
    newest = read_headers(cursor, "number = (SELECT max(number) FROM public.audit_block)")
    return newest[0] if newest else None


def _add_leaves(cursor: Any, source: Source, number: int, seq: int, since: int, horizon: int) -> int:
    """Seal the rows of one table that have no leaf, behind `seq`. At the beginning of an epoch whatever is visible:
    older transactions may be of another server."""
    bounds = f"r.xid >= {since} AND r.xid < {horizon}" if since else "true"
    cursor.execute(
        f"""
        INSERT INTO public.audit_leaf (seq, source_id, row_id, salt, hash)
        SELECT s.seq, {number}, s.row_id, s.salt, {source.leaf_hash("s.seq", "s.row_id", "s.salt", "s.canonical")}
        FROM (
            SELECT {seq} + row_number() OVER (ORDER BY r.xid, r."{source.key}") AS seq, r."{source.key}" AS row_id,
                uuid_send(gen_random_uuid()) AS salt, {source.canonical} AS canonical
            FROM {source.table} r
            WHERE {bounds} AND {source.complete} AND NOT EXISTS (
                SELECT FROM public.audit_leaf l WHERE l.source_id = {number} AND l.row_id = r."{source.key}"
            )
            ORDER BY r.xid, r."{source.key}" LIMIT {ROWS_IN_A_ROUND}
        ) s
        """
    )
    return cursor.rowcount


def read_hashes(cursor: Any, first: int, size: int) -> list[bytes]:
    """The hashes of the leaves from `first` on, in order, as far as they are there."""
    return split_hashes(joined_hashes(cursor, first, size))

"""The copy outside the database: who rewrites the database does not rewrite this, and it shows.

    leaves-0000.bin        the hashes of the leaves, 32 bytes each: leaf n at (n - 1) * 32, a million to a file
    checkpoint-17.txt      checkpoints, at most one a minute and always the newest within a minute
    latest.txt             the newest checkpoint
    public_key.pem         the keys that signed them

The directory belongs where no administrator of the database writes: another machine, a bucket that only adds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from admin_ext.audit.seals.checkpoints import BadSignature, Checkpoint, Header, check_signature, open_note
from admin_ext.audit.seals.keys import keep_public, key_id, parse_public
from admin_ext.audit.seals.merkle import root_of

LEAVES_IN_A_FILE = 1_000_000
SECONDS_BETWEEN = 60.0
KEYS = "public_key.pem"
LATEST = "latest.txt"


class PublishedDiffers(Exception):
    """What was published is not what the database says now: one of the two was changed."""


class Published:
    """What was published, to read."""

    def __init__(self, directory: Path, keys: dict[str, Ed25519PublicKey]) -> None:
        self.directory = directory
        self.keys = keys

    def newest(self) -> Checkpoint | None:
        """Raises NotACheckpoint, BadSignature."""
        path = self.directory / LATEST
        return open_note(path.read_text(encoding="utf-8"), self.keys) if path.exists() else None

    def checkpoints(self) -> Iterator[tuple[str, str]]:
        """Name and text of every checkpoint that was kept."""
        for path in [*self.directory.glob("checkpoint-*.txt"), *self.directory.glob(LATEST)]:
            yield path.name, path.read_text(encoding="utf-8")

    def leaves(self, first: int, size: int) -> bytes:
        """The hashes of the leaves from `first` on, joined, as far as they are there."""
        found = b""
        while size > 0:
            number, place = divmod(first - 1, LEAVES_IN_A_FILE)
            here = min(size, LEAVES_IN_A_FILE - place)
            path = self._file(number)
            if not path.exists():
                return found
            with path.open("rb") as file:
                file.seek(place * 32)
                found += file.read(here * 32)
            first, size = first + here, size - here
        return found

    def count(self) -> int:
        """How many places of leaves are filled."""
        files = sorted(self.directory.glob("leaves-*.bin"))
        if not files:
            return 0
        return int(files[-1].stem.partition("-")[2]) * LEAVES_IN_A_FILE + files[-1].stat().st_size // 32

    def _file(self, number: int) -> Path:
        return self.directory / f"leaves-{number:04d}.bin"


class Publisher(Published):
    """Writes the copy, as the sealer."""

    def __init__(self, directory: Path, *, key: Ed25519PrivateKey) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        keep_public(directory / KEYS, key.public_key())
        super().__init__(directory, parse_public((directory / KEYS).read_text()))
        self.key = key
        self.pending: Checkpoint | None = None
        self.numbered_at = -SECONDS_BETWEEN

    def catch_up(self, cursor: Any) -> None:
        """Publish what a sealer that was killed did not, where what is there agrees. Raises PublishedDiffers."""
        newest = self.newest()
        cursor.execute(
            "SELECT number, epoch, first_seq, size, root, previous, horizon, cluster, sealed_at, note, key_id, "
            "signature FROM public.audit_block WHERE number > %s ORDER BY number",
            [newest.block if newest else 0],
        )
        for *columns, signer, signature in cursor.fetchall():
            header = Header(*columns)
            try:
                check_signature(header.checkpoint().text(), key_id=signer, signature=signature, keys=self.keys)
            except BadSignature as error:
                raise PublishedDiffers(f"Block {header.number} was changed: {error} Run verify_audit.") from error
            self._publish(cursor, header)
        self.flush()

    def publish(self, cursor: Any, headers: list[Header]) -> None:
        """Append the leaves of new blocks and name the newest. Raises PublishedDiffers."""
        for header in headers:
            self._publish(cursor, header)
        if time.monotonic() - self.numbered_at >= SECONDS_BETWEEN:
            self.flush()

    def _publish(self, cursor: Any, header: Header) -> None:
        joined = joined_hashes(cursor, header.first_seq, header.size)
        if root_of(split_hashes(joined)) != header.root:
            raise PublishedDiffers(f"The leaves of block {header.number} are not those that were sealed.")
        self._append(header.first_seq, joined)
        self.pending = header.checkpoint()
        self._write(LATEST, self._note(self.pending))

    def flush(self) -> None:
        """Keep the newest checkpoint under its number, if it is not kept yet."""
        if self.pending:
            self._write(f"checkpoint-{self.pending.block}.txt", self._note(self.pending))
            self.pending, self.numbered_at = None, time.monotonic()

    def _note(self, checkpoint: Checkpoint) -> str:
        signature = self.key.sign(checkpoint.text().encode())
        return checkpoint.note(key_id=key_id(self.key.public_key()), signature=signature)

    def _append(self, first: int, joined: bytes) -> None:
        """Write hashes to their places; what is there already must be the same. Raises PublishedDiffers."""
        there = self.leaves(first, len(joined) // 32)
        if not joined.startswith(there):
            raise PublishedDiffers(f"The leaves from {first} on were published otherwise. Run verify_audit.")
        first, joined = first + len(there) // 32, joined[len(there) // 32 * 32 :]
        while joined:
            number, place = divmod(first - 1, LEAVES_IN_A_FILE)
            here = joined[: (LEAVES_IN_A_FILE - place) * 32]
            path = self._file(number)
            with open(path, "r+b" if path.exists() else "w+b") as file:
                file.seek(place * 32)
                file.write(here)
                file.flush()
                os.fsync(file.fileno())
            first, joined = first + len(here) // 32, joined[len(here) :]

    def _write(self, name: str, text: str) -> None:
        """Put a file in place in one step, so that no half of it is ever read."""
        path, new = self.directory / name, self.directory / f".{name}.new"
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


def joined_hashes(cursor: Any, first: int, size: int) -> bytes:
    """The hashes of the leaves from `first` on in one string, in order, as far as they are there."""
    cursor.execute(
        "SELECT string_agg(hash, ''::bytea ORDER BY seq) FROM public.audit_leaf WHERE seq >= %s AND seq < %s",
        [first, first + size],
    )
    return cursor.fetchone()[0] or b""


def split_hashes(joined: bytes) -> list[bytes]:
    return [joined[n : n + 32] for n in range(0, len(joined), 32)]

"""What is signed: a block's header, chained to the one before, and the checkpoint that names the newest of them.

A checkpoint is a signed note that a person can read and keep: lines of text, an empty line, and a line with the
signature over the text.

    opsadmin record
    epoch 1
    block 17
    leaves 850000
    hash 3f2a…
    sealed 2026-03-01T12:00:00.000000Z

    — 9c1e5a0b7d3f2a64 BASE64
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ORIGIN = "opsadmin record"
# What the first block is chained to.
NOTHING = bytes(32)

_TEXT = re.compile(
    rf"{ORIGIN}\nepoch (\d+)\nblock (\d+)\nleaves (\d+)\nhash ([0-9a-f]{{64}})\n"
    r"sealed (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n"
)
_SIGNATURE = re.compile(r"— ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n")


class NotACheckpoint(Exception):
    """The text is not a checkpoint of this product."""


class BadSignature(Exception):
    """A known key did not sign this, or the key is not known."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What a block says; its hash is what the next block and the checkpoint name."""

    number: int
    epoch: int
    first_seq: int
    size: int
    root: bytes
    previous: bytes
    horizon: int
    cluster: int
    sealed_at: datetime
    note: str = ""

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.size - 1

    def text(self) -> str:
        """The one text that is hashed: JSON with sorted names and no spaces."""
        said = {
            "block": self.number,
            "cluster": self.cluster,
            "epoch": self.epoch,
            "first": self.first_seq,
            "horizon": self.horizon,
            "note": self.note,
            "previous": self.previous.hex(),
            "root": self.root.hex(),
            "sealed": instant(self.sealed_at),
            "size": self.size,
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def hash(self) -> bytes:
        return hashlib.sha256(self.text().encode()).digest()

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            epoch=self.epoch, block=self.number, leaves=self.last_seq, hash=self.hash(), sealed_at=self.sealed_at
        )

    @classmethod
    def parse(cls, text: str) -> Header:
        """The header that has exactly this text. Raises ValueError."""
        said = json.loads(text)
        try:
            header = cls(
                number=said["block"],
                epoch=said["epoch"],
                first_seq=said["first"],
                size=said["size"],
                root=bytes.fromhex(said["root"]),
                previous=bytes.fromhex(said["previous"]),
                horizon=said["horizon"],
                cluster=said["cluster"],
                sealed_at=moment(said["sealed"]),
                note=said["note"],
            )
            same = header.text() == text
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"Not a block's header: {error}") from error
        if not same:
            raise ValueError("Not a block's header as it is written.")
        return header


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything up to here, in one hash."""

    epoch: int
    block: int
    leaves: int
    hash: bytes
    sealed_at: datetime

    def text(self) -> str:
        """What is signed."""
        return (
            f"{ORIGIN}\nepoch {self.epoch}\nblock {self.block}\nleaves {self.leaves}\nhash {self.hash.hex()}\n"
            f"sealed {instant(self.sealed_at)}\n"
        )

    def note(self, *, key_id: str, signature: bytes) -> str:
        """The text with its signature, as it is published."""
        return f"{self.text()}\n— {key_id} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, keys: Mapping[str, Ed25519PublicKey]) -> Checkpoint:
    """The checkpoint of a note that one of the keys signed. Raises NotACheckpoint, BadSignature."""
    text, _, line = note.partition("\n\n")
    found, signed = _TEXT.fullmatch(text + "\n"), _SIGNATURE.fullmatch(line)
    if not found or not signed:
        raise NotACheckpoint("This is not a checkpoint: it must be the text as it was published, signature included.")
    epoch, block, leaves, digest, sealed = found.groups()
    checkpoint = Checkpoint(
        epoch=int(epoch), block=int(block), leaves=int(leaves), hash=bytes.fromhex(digest), sealed_at=moment(sealed)
    )
    try:
        signature = base64.b64decode(signed[2], validate=True)
    except binascii.Error as error:
        raise NotACheckpoint("The signature of the checkpoint cannot be read.") from error
    check_signature(text + "\n", key_id=signed[1], signature=signature, keys=keys)
    return checkpoint


def check_signature(text: str, *, key_id: str, signature: bytes, keys: Mapping[str, Ed25519PublicKey]) -> None:
    """Raises BadSignature unless the key of this id is known and signed the text."""
    if key_id not in keys:
        raise BadSignature(f"The key {key_id} is not known.")
    try:
        keys[key_id].verify(signature, text.encode())
    except InvalidSignature as error:
        raise BadSignature(f"The key {key_id} did not sign this.") from error


def instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)

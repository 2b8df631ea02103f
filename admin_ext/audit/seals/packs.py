"""Is an evidence pack what was sealed? The product's own check; `docs/verify_evidence.py` is the other one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from admin_ext.audit.seals.checkpoints import BadSignature, Header, NotACheckpoint, check_signature, open_note
from admin_ext.audit.seals.evidence import BLOCKS, CHECKPOINT, EVENTS, MANIFEST
from admin_ext.audit.seals.merkle import PathDoesNotFit, leaf_hash, root_from_path

# What zipfile raises for a file that is no ZIP, or is a damaged one.
UNREADABLE = (OSError, EOFError, NotImplementedError, RuntimeError, struct.error, BadZipFile, zlib.error)

# What is said of every row, no more and no less.
FIELDS = {"source", "row_id", "seq", "block", "path", "salt", "canonical", "hash"}


class NotProven(Exception):
    """Something in the pack does not hold; the message says what."""


@dataclasses.dataclass
class PackReport:
    """What is to be said of a pack."""

    proven: int = 0
    unproven: list[str] = dataclasses.field(default_factory=list)
    """Rows that are not sealed yet, erased or withheld."""
    problems: list[str] = dataclasses.field(default_factory=list)


def verify_pack(file: str | IO[bytes], keys: Mapping[str, Ed25519PublicKey]) -> PackReport:
    """Check a pack against the keys that the product knows. Raises one of UNREADABLE."""
    report = PackReport()
    try:
        with ZipFile(file) as pack:
            _check_files(pack)
            checkpoint = open_note(pack.read(CHECKPOINT).decode(), keys)
            headers = _read_headers(pack, keys, {checkpoint.block: checkpoint.hash})
            _check_events(pack, headers, report)
    except (NotProven, NotACheckpoint, BadSignature) as reason:
        report.problems.append(str(reason))
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        report.problems.append(f"The pack is not in the form of an evidence pack: {type(error).__name__} {error}")
    return report


def _check_files(pack: ZipFile) -> None:
    names = pack.namelist()
    if len(set(names)) != len(names):
        raise NotProven("A file is in the pack twice.")
    listed = json.loads(pack.read(MANIFEST).decode())["files"]
    if sorted(each["name"] for each in listed) != sorted(set(names) - {MANIFEST}):
        raise NotProven("The files are not those that the manifest lists.")
    for each in listed:
        content = hashlib.sha256()
        size = 0
        with pack.open(each["name"]) as file:
            while part := file.read(1 << 20):
                content.update(part)
                size += len(part)
        if content.hexdigest() != each["sha256"] or size != each["size"]:
            raise NotProven(f"{each['name']} is not as the manifest says.")


def _read_headers(pack: ZipFile, keys: Mapping[str, Ed25519PublicKey], anchors: dict[int, bytes]) -> dict[int, Header]:
    """The headers that hang from the checkpoint or bear a signature of their own."""
    said: dict[int, tuple[Header, dict[str, Any]]] = {}
    with pack.open(BLOCKS) as file:
        for line in file:
            block = json.loads(line)
            header = Header.parse(block["header"])
            if header.number in said:
                raise NotProven(f"Block {header.number} is there twice.")
            said[header.number] = (header, block)
    expected = dict(anchors)
    for number in sorted(said, reverse=True):
        header, block = said[number]
        if number not in expected:
            signature = bytes.fromhex(block["signature"])
            check_signature(header.checkpoint().text(), key_id=block["key"], signature=signature, keys=keys)
        elif expected[number] != header.hash():
            raise NotProven(f"Block {number} is not the one that the next block or the checkpoint names.")
        expected.setdefault(number - 1, header.previous)
        if expected[number - 1] != header.previous and number - 1 in said:
            raise NotProven(f"Block {number} does not follow block {number - 1}.")
    return {number: header for number, (header, _) in said.items()}


def _check_events(pack: ZipFile, headers: dict[int, Header], report: PackReport) -> None:
    seen = set()
    with pack.open(EVENTS) as file:
        for line in file:
            event = json.loads(line)
            row = f"{event['source']} {event['row_id']:d}"
            if row in seen:
                raise NotProven(f"{row} is in the pack twice.")
            seen.add(row)
            try:
                if _is_proven(event, headers):
                    report.proven += 1
                else:
                    report.unproven.append(row)
            except (NotProven, PathDoesNotFit) as reason:
                report.problems.append(f"{row}: {reason}")


def _is_proven(event: dict[str, Any], headers: dict[int, Header]) -> bool:
    """False for a row that is not claimed to be proven. Raises NotProven, PathDoesNotFit."""
    if event.keys() != FIELDS:
        raise NotProven("it is not told with the fields that a pack has")
    seq = event["seq"]
    if seq is None:
        return False
    header = headers[event["block"]]
    index = seq - header.first_seq
    if not 0 <= index < header.size:
        raise NotProven(f"it is not in block {header.number}")
    whole = event["canonical"] is not None and event["salt"] is not None
    if whole:
        row = (
            seq.to_bytes(8, "big") + event["source"].encode() + b"\0" + event["row_id"].to_bytes(8, "big", signed=True)
        )
        leaf = leaf_hash(row + bytes.fromhex(event["salt"]) + event["canonical"].encode())
    else:
        leaf = bytes.fromhex(event["hash"])
    path = [bytes.fromhex(each) for each in event["path"]]
    if root_from_path(leaf, index=index, size=header.size, path=path) != header.root:
        raise NotProven("it is not the row that was sealed")
    return whole

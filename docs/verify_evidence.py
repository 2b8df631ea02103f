#!/usr/bin/env python3
"""Check an evidence pack of opsadmin, offline, with nothing but Python 3.9 or newer.

    python3 verify_evidence.py PACK.zip [--key public_key.pem] [--checkpoint checkpoint.txt]

Give the public key that you hold (or compare the key's id that is printed with the one you were told): the pack brings
a key of its own, and whoever forges a pack forges that too. A checkpoint that you kept shows that the record was not
exchanged for another since.

Exit code: 0 all rows are proven, 1 something is wrong, 2 the pack cannot be read, 3 nothing is wrong but some rows are
not proven (not sealed yet, erased, or withheld from whoever made the pack).

The format is described in docs/auditors.md. Ed25519 is RFC 8032, the tree is RFC 6962.
"""

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import zipfile
import zlib

# -- Ed25519, RFC 8032 section 6, verification only ------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point(octets):
    """The point of 32 octets, None where there is none."""
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(public, text, signature):
    """Whether the key of these 32 octets signed the text."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % L
    return same(multiply(s, BASE), add(r, multiply(k, a)))


# -- keys, checkpoints and trees -------------------------------------------------------------------------------------

PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)-----END PUBLIC KEY-----")
ED25519 = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 octets in every such file
NOTE = re.compile(
    r"(opsadmin record\nepoch (\d+)\nblock (\d+)\nleaves (\d+)\nhash ([0-9a-f]{64})\n"
    r"sealed (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n)\n— ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n"
)


# What zipfile raises for a file that is no ZIP, or is a damaged one.
UNREADABLE = (OSError, EOFError, NotImplementedError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)


class Wrong(Exception):
    """Something does not hold; the message says what."""


def read_keys(text):
    keys = {}
    for body in PEM.findall(text):
        octets = base64.b64decode("".join(body.split()), validate=True)
        if octets[:12] != ED25519 or len(octets) != 44:
            raise Wrong("A public key is not an Ed25519 key.")
        keys[hashlib.sha256(octets[12:]).hexdigest()[:16]] = octets[12:]
    if not keys:
        raise Wrong("There is no public key.")
    return keys


def open_note(text, keys):
    """(block, hash) of a checkpoint that a known key signed."""
    found = NOTE.fullmatch(text)
    if not found:
        raise Wrong("The checkpoint is not a checkpoint.")
    check_signature(found[1], found[7], base64.b64decode(found[8]), keys)
    return int(found[3]), found[5]


def check_signature(text, key_id, signature, keys):
    if key_id not in keys:
        raise Wrong("The key %s is not known." % key_id)
    if not signed(keys[key_id], text.encode(), signature):
        raise Wrong("The key %s did not sign this." % key_id)


def root_from_path(leaf, index, size, path):
    path = list(path)
    while size > 1:
        if index ^ 1 < size:
            if not path:
                raise Wrong("its path is too short")
            left, right = (path.pop(0), leaf) if index & 1 else (leaf, path.pop(0))
            leaf = hashlib.sha256(b"\x01" + left + right).digest()
        index, size = index >> 1, (size + 1) >> 1
    if path:
        raise Wrong("its path is too long")
    return leaf


# -- the pack --------------------------------------------------------------------------------------------------------


def check_files(pack):
    """Every file is as the manifest says, and there is no other."""
    names = pack.namelist()
    if len(set(names)) != len(names):
        raise Wrong("A file is in the pack twice.")
    listed = json.loads(pack.read("manifest.json").decode())["files"]
    if sorted(each["name"] for each in listed) != sorted(set(names) - {"manifest.json"}):
        raise Wrong("The files are not those that the manifest lists.")
    for each in listed:
        digest, size = hashlib.sha256(), 0
        with pack.open(each["name"]) as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                digest.update(part)
                size += len(part)
        if digest.hexdigest() != each["sha256"] or size != each["size"]:
            raise Wrong("%s is not as the manifest says." % each["name"])


def checkpoint_text(header, digest):
    return "opsadmin record\nepoch %d\nblock %d\nleaves %d\nhash %s\nsealed %s\n" % (
        header["epoch"], header["block"], header["first"] + header["size"] - 1, digest, header["sealed"],
    )  # fmt: skip


def read_blocks(pack, keys, anchors):
    """The headers that hang from a checkpoint or bear a signature of their own, by number."""
    blocks = {}
    with pack.open("blocks.ndjson") as file:
        for line in file:
            said = json.loads(line)
            header = json.loads(said["header"])
            if json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != said["header"]:
                raise Wrong("A block's header is not as it is written.")
            number, digest = header["block"], hashlib.sha256(said["header"].encode()).hexdigest()
            if number in blocks:
                raise Wrong("Block %d is there twice." % number)
            blocks[number] = (header, digest, said)
    for number, digest in anchors.items():
        if number in blocks and blocks[number][1] != digest:
            raise Wrong("Block %d is not the one that the checkpoint names." % number)
    expected = dict(anchors)
    for number in sorted(blocks, reverse=True):
        header, digest, said = blocks[number]
        if number not in expected:
            check_signature(checkpoint_text(header, digest), said["key"], bytes.fromhex(said["signature"]), keys)
        elif expected[number] != digest:
            raise Wrong("Block %d is not the one that the next block names." % number)
        before = number - 1
        if before in blocks and expected.setdefault(before, header["previous"]) != header["previous"]:
            raise Wrong("Block %d does not follow block %d." % (number, before))
    return {number: header for number, (header, _, _) in blocks.items()}


FIELDS = {"source", "row_id", "seq", "block", "path", "salt", "canonical", "hash"}


def check_event(event, blocks):
    """True when the row is proven, False when it is not claimed to be. Raises Wrong."""
    if set(event) != FIELDS:
        raise Wrong("it is not told with the fields that a pack has")
    seq = event["seq"]
    if seq is None:
        return False
    header = blocks[event["block"]]
    index = seq - header["first"]
    if not 0 <= index < header["size"]:
        raise Wrong("it is not in block %d" % event["block"])
    whole = event["canonical"] is not None and event["salt"] is not None
    if whole:
        content = seq.to_bytes(8, "big") + event["source"].encode() + b"\0"
        content += event["row_id"].to_bytes(8, "big", signed=True) + bytes.fromhex(event["salt"])
        leaf = hashlib.sha256(b"\0" + content + event["canonical"].encode()).digest()
    else:
        leaf = bytes.fromhex(event["hash"])
    path = [bytes.fromhex(each) for each in event["path"]]
    if root_from_path(leaf, index, header["size"], path).hex() != header["root"]:
        raise Wrong("it is not the row that was sealed")
    return whole


def verify(path, key_text=None, held=()):
    """What is to be said of a pack: {"proven", "unproven", "problems", "keys"}. Raises one of UNREADABLE."""
    said = {"proven": 0, "unproven": [], "problems": [], "keys": []}
    try:
        with zipfile.ZipFile(path) as pack:
            check_files(pack)
            keys = read_keys(key_text or pack.read("public_key.pem").decode())
            said["keys"] = sorted(keys)
            anchors = dict([open_note(pack.read("checkpoint.txt").decode(), keys)])
            for note in held:
                number, digest = open_note(note, keys)
                if anchors.setdefault(number, digest) != digest:
                    raise Wrong("The checkpoint of block %d is not the one that you hold." % number)
            blocks = read_blocks(pack, keys, anchors)
            seen = set()
            with pack.open("events.ndjson") as file:
                for line in file:
                    check_line(json.loads(line), blocks, seen, said)
    except Wrong as wrong:
        said["problems"].append(str(wrong))
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        said["problems"].append(
            "The pack is not in the form of an evidence pack: %s %s" % (type(error).__name__, error)
        )
    return said


def check_line(event, blocks, seen, said):
    row = "%s %d" % (event["source"], event["row_id"])
    if row in seen:
        raise Wrong("%s is in the pack twice." % row)
    seen.add(row)
    try:
        if check_event(event, blocks):
            said["proven"] += 1
        else:
            said["unproven"].append(row)
    except Wrong as wrong:
        said["problems"].append("%s: %s" % (row, wrong))


def main():
    parser = argparse.ArgumentParser(description="Check an evidence pack of opsadmin, offline.")
    parser.add_argument("pack")
    parser.add_argument("--key", help="the public key that you hold, instead of the one in the pack")
    parser.add_argument("--checkpoint", action="append", default=[], help="a checkpoint that you kept")
    asked = parser.parse_args()
    try:
        held = [open(each, encoding="utf-8").read() for each in asked.checkpoint]
        said = verify(asked.pack, open(asked.key, encoding="utf-8").read() if asked.key else None, held)
    except (*UNREADABLE, UnicodeDecodeError) as error:
        print("The pack cannot be read: %s" % error)
        return 2
    for problem in said["problems"]:
        print("WRONG: %s" % problem)
    for row in said["unproven"]:
        print("not proven: %s" % row)
    print("%d rows proven, %d not proven, %d problems" % (said["proven"], len(said["unproven"]), len(said["problems"])))
    print(
        "signed by %s%s"
        % (", ".join(said["keys"]), "" if asked.key else " (from the pack: compare it with what you were told)")
    )
    return 1 if said["problems"] else 3 if said["unproven"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Merkle trees as in RFC 6962: a root for many hashes, and a short path that proves one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

# A leaf's hash begins with one byte, an inner node's with another, so that neither can pass for the other.
LEAF, NODE = b"\x00", b"\x01"


class PathDoesNotFit(Exception):
    """The path has not the length that the place in the tree asks for."""


def leaf_hash(content: bytes) -> bytes:
    return hashlib.sha256(LEAF + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root of a tree with these leaf hashes, in order. Keeps one hash for each level, however many leaves come."""
    full: list[tuple[int, bytes]] = []  # complete subtrees from the left, each lower than the one before
    for each in hashes:
        height, top = 0, each
        while full and full[-1][0] == height:
            top = node_hash(full.pop()[1], top)
            height += 1
        full.append((height, top))
    if not full:
        return hashlib.sha256(b"").digest()
    top = full.pop()[1]
    while full:
        top = node_hash(full.pop()[1], top)
    return top


class Tree:
    """A whole tree in memory, for the paths of many leaves."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        if not hashes:
            raise ValueError("A tree without leaves proves nothing.")
        self.levels = [list(hashes)]
        while len(below := self.levels[-1]) > 1:
            level = [node_hash(below[n], below[n + 1]) for n in range(0, len(below) - 1, 2)]
            # The odd one at the end goes up as it is.
            self.levels.append(level + below[len(below) & ~1 :])

    @property
    def root(self) -> bytes:
        return self.levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """The siblings from leaf `index` (from 0) up to the root. Raises IndexError."""
        if not 0 <= index < len(self.levels[0]):
            raise IndexError(index)
        siblings = []
        for level in self.levels[:-1]:
            if index ^ 1 < len(level):
                siblings.append(level[index ^ 1])
            index >>= 1
        return siblings


def root_from_path(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of the tree of `size` leaves in which `leaf` stands at `index` (from 0). Raises PathDoesNotFit."""
    if not 0 <= index < size:
        raise PathDoesNotFit(f"There is no leaf {index} among {size}.")
    siblings, top = list(path), leaf
    while size > 1:
        if index ^ 1 < size:
            if not siblings:
                raise PathDoesNotFit("The path is too short.")
            sibling = siblings.pop(0)
            top = node_hash(sibling, top) if index & 1 else node_hash(top, sibling)
        index, size = index >> 1, (size + 1) >> 1
    if siblings:
        raise PathDoesNotFit("The path is too long.")
    return top

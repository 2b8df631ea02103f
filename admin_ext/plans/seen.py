"""Which keys of a plan came before, in which row: for a million of them in 24 MB."""

from __future__ import annotations

from array import array
from collections.abc import Hashable

SMALLEST = 1 << 10


class SeenKeys:
    """Remembers the number of the row in which a key came first.

    Of a key only its hash is kept, 64 bits that differ from process to process. Two keys of a file of a million rows
    meet in one with a chance of one to thirty million; then the later row is told that it stands there twice.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._used = 0
        self._allocate(SMALLEST)

    def first(self, key: Hashable, number: int) -> int:
        """The number of the row in which the key came first: `number`, when it did not come before. Rows count from 1."""
        mark = hash(key)
        marks, numbers = self._marks, self._numbers
        most = len(numbers) - 1
        slot = mark & most
        while numbers[slot]:
            if marks[slot] == mark:
                return numbers[slot]
            slot = (slot + 1) & most
        marks[slot], numbers[slot] = mark, number
        self._used += 1
        if self._used * 2 > most:
            self._grow()
        return number

    def _slot(self, mark: int) -> int:
        """Where the hash stands, or the free place where it would."""
        marks, numbers, most = self._marks, self._numbers, len(self._numbers) - 1
        slot = mark & most
        while numbers[slot] and marks[slot] != mark:
            slot = (slot + 1) & most
        return slot

    def _grow(self) -> None:
        marks, numbers = self._marks, self._numbers
        self._allocate(len(numbers) * 2)
        for mark, number in zip(marks, numbers, strict=True):
            if number:
                slot = self._slot(mark)
                self._marks[slot], self._numbers[slot] = mark, number

    def _allocate(self, size: int) -> None:
        self._marks = array("q", bytes(8 * size))
        self._numbers = array("I", bytes(4 * size))

"""Work that goes on while its caller is at the next piece: in a thread and a database connection of its own."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from django.db import connection


class Behind:
    """Does what it is given in order, one piece at a time; whoever gives the next waits until the last is done.

    What a piece raises is raised from the next `do` or from the end of the block; pieces after it are not begun. Inside
    somebody's transaction, of which another connection sees nothing, each piece is done at once.
    """

    def __enter__(self) -> Self:
        self._hand = None if connection.in_atomic_block else ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._last: Future[None] | None = None
        return self

    def do(self, work: Callable[[], None]) -> None:
        self._wait()
        if self._hand is None:
            work()
        else:
            self._last = self._hand.submit(contextvars.copy_context().run, work)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hand is None:
            return
        self._hand.submit(lambda: connection.close())  # its own: named here, it would be the caller's
        self._hand.shutdown()
        if error is None:
            self._wait()

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()

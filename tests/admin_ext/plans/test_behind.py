"""Work that goes on behind its caller: in order, over a connection of its own, and nothing of it lost without a word."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection

from admin_ext.plans.behind import Behind


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
class TestBehind:
    def test_the_caller_goes_on_meanwhile_and_pieces_keep_their_order(self) -> None:
        done: list[Any] = []
        may_end = threading.Event()

        def first() -> None:
            may_end.wait(5)
            done.append(("first", backend()))

        with Behind() as behind:
            behind.do(first)
            done.append("the caller went on")
            may_end.set()
            behind.do(lambda: done.append(("second", backend())))
        assert done[0] == "the caller went on"
        assert [name for name, _ in done[1:]] == ["first", "second"]
        assert len({pid for _, pid in done[1:]} | {backend()}) == 2

    @pytest.mark.parametrize("more", [0, 2])
    def test_what_a_piece_raises_reaches_the_caller_and_nothing_after_it_is_begun(self, more: int) -> None:
        done: list[int] = []

        def fails() -> None:
            raise ValueError("of the piece")

        with pytest.raises(ValueError, match="of the piece"), Behind() as behind:
            behind.do(fails)
            for each in range(more):
                behind.do(lambda each=each: done.append(each))
        assert not done

    def test_what_the_caller_raises_waits_for_the_piece_and_is_not_hidden_by_it(self) -> None:
        done: list[str] = []

        def piece() -> None:
            time.sleep(0.1)
            done.append("done")
            raise ValueError("of the piece")

        with pytest.raises(KeyError, match="of the caller"), Behind() as behind:
            behind.do(piece)
            raise KeyError("of the caller")
        assert done == ["done"]

    def test_its_connection_is_closed(self) -> None:
        pids: list[int] = []
        with Behind() as behind:
            behind.do(lambda: pids.append(backend()))
        with connection.cursor() as cursor:
            for _ in range(50):
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pids)
                if cursor.fetchone() == (0,):
                    return
                time.sleep(0.1)
        pytest.fail("The connection is still there.")


@pytest.mark.django_db
def test_inside_a_transaction_a_piece_is_done_at_once_by_the_caller() -> None:
    pids: list[int] = []
    with Behind() as behind:
        behind.do(lambda: pids.append(backend()))
        assert pids == [backend()]

"""Rows out of the database as bytes, in batches: `COPY (query) TO STDOUT`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from psycopg import errors, pq

BATCH = 1000
_SIGNATURE = 19  # bytes in front of the first row of a binary copy: the signature, flags, and no extension
_LENGTHS = 6  # bytes in front of a row of one column: how many columns, how many bytes


def copied_lines(query: str, parameters: Sequence[Any], options: str) -> Iterator[list[Any]]:
    """The rows of a query as the database writes them in CSV, each with its line feed."""
    with connection.cursor() as cursor, _copy(cursor, query, parameters, options) as copy:
        yield from _batches(copy)


def copied_texts(query: str, parameters: Sequence[Any]) -> Iterator[list[Any]]:
    """The rows of a query of one column of text, each as its UTF-8, exactly."""
    with connection.cursor() as cursor, _copy(cursor, query, parameters, "FORMAT binary") as copy:
        # The server sends the signature with the first row, and the end, which is shorter than any row, by itself.
        first = copy.read()[_SIGNATURE:]
        if len(first) > _LENGTHS:
            yield [first[_LENGTHS:]]
        for blocks in _batches(copy):
            if texts := [block[_LENGTHS:] for block in blocks if len(block) >= _LENGTHS]:
                yield texts


def _copy(cursor: Any, query: str, parameters: Sequence[Any], options: str) -> Any:
    """`COPY` takes no parameters, so the driver writes them into the statement, quoted, as it does for every other one."""
    return cursor.copy(cursor.mogrify(f"COPY ({query}) TO STDOUT ({options})", parameters).encode())


def _batches(copy: Any) -> Iterator[list[Any]]:
    """What the server sends, one row at a time.

    A row that is here already is taken from libpq itself; the driver is asked only where one has to be waited for. It
    would take longer over asking than the database over making the row.
    """
    here, wait = copy.connection.pgconn.get_copy_data, copy.read
    batch: list[Any] = []
    ended = False
    while not ended:
        size, block = here(1)
        if size == 0:
            block = wait()
            ended = not block
        elif size < 0:
            ended = True
            _end(copy.connection.pgconn)
        if not ended:
            batch.append(block)
        if batch and (ended or len(batch) == BATCH):
            yield batch
            batch = []


def _end(pgconn: Any) -> None:
    """Take what the server says of the whole at its end, as the driver would. Raises what went wrong there."""
    failed = None
    while (result := pgconn.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            failed = failed or errors.error_from_result(result)
    if failed:
        raise failed

"""Questions that are worth asking only if the answer comes soon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import OperationalError, connection, models, transaction


class TookTooLong(Exception):
    """The database did not answer in the time that it was given."""


@contextlib.contextmanager
def within(milliseconds: int) -> Iterator[None]:
    """No statement in the block takes longer than that. Raises TookTooLong."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            (usual,) = cursor.fetchone()
            cursor.execute(f"SET LOCAL statement_timeout = {milliseconds:d}")
            yield
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [usual])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":  # query_canceled
            raise
        raise TookTooLong(f"There was no answer within {milliseconds:,} ms.") from error


def capped_count(rows: models.QuerySet, cap: int) -> int:
    """How many rows there are; `cap + 1` for more than `cap`, which reads no further."""
    return rows.order_by()[: cap + 1].count()


def told_count(count: int, cap: int) -> str:
    """A capped count in words: «1,000+»."""
    return f"{cap:,}+" if count > cap else f"{count:,}"

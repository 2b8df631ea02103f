"""Where the seals stand: verified on the product's settings, and how far the sealer is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from admin_ext.audit.seals.checkpoints import Checkpoint
from admin_ext.audit.seals.findings import Report
from admin_ext.audit.seals.keys import read_public
from admin_ext.audit.seals.publishing import Published
from admin_ext.audit.seals.sealing import read_last
from admin_ext.audit.seals.sources import Source, connect, numbered_sources
from admin_ext.audit.seals.verifying import verify


def public_keys() -> dict[str, Any]:
    """The keys that sign, by id. Raises NoKey."""
    return read_public([Path(settings.AUDIT_SEALING_PUBLIC_KEY_FILE)])


def published() -> Published | None:
    """The copy outside the database, where this process can see it."""
    directory = Path(settings.AUDIT_CHECKPOINT_DIR)
    return Published(directory, public_keys()) if directory.is_dir() else None


def verify_record(
    *,
    since: datetime | None = None,
    held: Iterable[Checkpoint] = (),
    outside: Published | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Report:
    """Verify the product's record as it is now. Raises NoKey, NotACheckpoint, BadSignature, psycopg.Error."""
    with connect() as own:
        return verify(own, keys=public_keys(), published=outside or published(), held=held, since=since, tick=tick)


def newest_checkpoint() -> str:
    """The checkpoint of the newest block as it is published, to be kept; '' while nothing is sealed."""
    with connection.cursor() as cursor:
        newest = read_last(cursor)
        if newest is None:
            return ""
        cursor.execute("SELECT key_id, signature FROM public.audit_block WHERE number = %s", [newest.number])
        key_id, signature = cursor.fetchone()
    return newest.checkpoint().note(key_id=key_id, signature=bytes(signature))


def seal_lag() -> float:
    """The age in seconds of the oldest row of the record that is not sealed; 0 where all are."""
    return _unsealed('extract(epoch FROM clock_timestamp() - min(r."{at}"))', "max")


def count_unsealed() -> float:
    """Rows of the record that wait to be sealed."""
    return _unsealed("count(*)", "sum")


def count_blocks() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.audit_block")
        return float(cursor.fetchone()[0])


def _unsealed(figure: str, together: str) -> float:
    """A figure over the rows that are younger than the last block and have no leaf."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT horizon FROM public.audit_block ORDER BY number DESC LIMIT 1")
        (horizon,) = cursor.fetchone() or (0,)
        figures = " UNION ALL ".join(
            f"SELECT {figure.format(at=source.at)} AS figure FROM {source.table} r "
            f"WHERE r.xid >= {horizon} AND {source.complete} AND NOT EXISTS "
            f'(SELECT FROM public.audit_leaf l WHERE l.source_id = {number} AND l.row_id = r."{source.key}")'
            for number, source in numbered_sources(cursor).items()
            if isinstance(source, Source)
        )
        if not figures:
            return 0.0
        cursor.execute(f"SELECT greatest({together}(figure), 0) FROM ({figures}) f")
        return float(cursor.fetchone()[0] or 0)

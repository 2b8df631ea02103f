"""Cells as a plan keeps them: JSON from which the very cell comes back, a day as a day and an error as an error."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from admin_ext.transfers.reading import CellError

_KINDS: dict[str, Any] = {
    "error": CellError,
    "number": Decimal,
    "instant": datetime.fromisoformat,
    "day": date.fromisoformat,
    "time": time.fromisoformat,
}


def as_kept(cell: Any) -> Any:
    """JSON for a cell. What JSON has no kind for says which kind it was; of a span of time only its text is kept."""
    if cell is None or isinstance(cell, str | int | bool):
        return cell
    for kind, is_of in (
        ("error", CellError),
        ("number", Decimal),
        ("instant", datetime),
        ("day", date),
        ("time", time),
    ):
        if isinstance(cell, is_of):
            return {kind: cell.isoformat() if isinstance(cell, date | time) else str(cell)}
    return str(cell)


def from_kept(kept: Any) -> Any:
    """The cell again that `as_kept` kept."""
    if isinstance(kept, dict):
        ((kind, text),) = kept.items()
        return _KINDS[kind](text)
    return kept


def as_shown(kept: Any) -> str:
    """A kept cell as text for people, and for them to correct."""
    cell = from_kept(kept)
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return str(cell)

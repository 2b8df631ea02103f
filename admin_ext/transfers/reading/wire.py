"""How a table crosses the pipe from the process that reads to the one that asked: JSON in frames.

JSON, because the reading process is not believed: whatever it says can only become lists, texts and
numbers here, and the seven kinds of cell named below; pickle or marshal would let it say more.
"""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from .table import Cell, CellError, EmptyFile, FileNotReadable, NoRows, Row

LENGTH = 4  # bytes in front of each frame, big-endian
MOST_FRAME = 64 << 20  # bytes

_FACTS: dict[str, type[FileNotReadable]] = {fact.__name__: fact for fact in (FileNotReadable, EmptyFile, NoRows)}


def pack(message: dict[str, Any]) -> bytes:
    """Give the bytes of one message, its length in front. Raises FileNotReadable when it is too long to be sent."""
    body = json.dumps(message, default=_tagged, separators=(",", ":")).encode("ascii")
    if len(body) > MOST_FRAME:
        raise FileNotReadable(
            f"A row of the sheet holds more than {MOST_FRAME >> 20} MB of text",
            advice="Save the data as CSV and send that.",
        )
    return len(body).to_bytes(LENGTH, "big") + body


def unpack(body: bytes) -> dict[str, Any]:
    """Give the message back; rows in it are Rows again. Raises ValueError over anything that `pack` does not write."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not a message")
    if "rows" in message:
        message["rows"] = [_row(*row) for row in message["rows"]]
    return message


def fact_to_json(fact: FileNotReadable) -> dict[str, Any]:
    """Give a refusal as plain JSON values."""
    return {
        "fact": type(fact).__name__,
        "message": fact.message,
        "line": fact.line,
        "column": fact.column,
        "sheet": fact.sheet,
        "advice": fact.advice,
    }


def fact_from_json(told: dict[str, Any]) -> FileNotReadable:
    """Take back what `fact_to_json` gave."""
    places = {name: told.get(name) for name in ("line", "column", "sheet")}
    kind = _FACTS.get(str(told.get("fact")), FileNotReadable)
    return kind(str(told["message"]), advice=str(told.get("advice", "")), **places)


def _row(number: int, line: int, cells: list[Any], problem: str | None) -> Row:
    return Row(number, line, [_cell(cell) if type(cell) is list else cell for cell in cells], problem)


def _tagged(cell: Any) -> list[Any]:
    if isinstance(cell, Decimal):
        return ["number", str(cell)]
    if isinstance(cell, datetime):  # before date, of which it is one
        return ["datetime", cell.isoformat()]
    if isinstance(cell, date):
        return ["date", cell.isoformat()]
    if isinstance(cell, time):
        return ["time", cell.isoformat()]
    if isinstance(cell, timedelta):
        return ["duration", [cell.days, cell.seconds, cell.microseconds]]
    if isinstance(cell, CellError):
        return ["error", cell.text]
    raise TypeError(f"no cell: {type(cell).__name__}")


def _cell(tagged: list[Any]) -> Cell:
    kind, value = tagged
    match kind:
        case "number":
            return Decimal(value)
        case "datetime":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
        case "time":
            return time.fromisoformat(value)
        case "duration":
            return timedelta(*value)
        case "error":
            return CellError(str(value))
    raise ValueError(f"no cell: {kind}")

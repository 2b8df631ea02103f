"""Plan rows on their way into the table: by `COPY`, a batch at a time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from admin_ext.access.fields import fields

COLUMNS = (
    "plan_id",
    "number",
    "line",
    "key",
    "action",
    "model",
    "target_id",
    "version",
    "before",
    "after",
    "errors",
    "raw",
    "corrections",
    "outcome",
)
NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_other = DjangoJSONEncoder().default


def _default(value: Any) -> Any:
    return str(value) if type(value) is Decimal else _other(value)


def as_json(value: Any) -> str:
    """JSON as the database takes it: decimals as text, days and instants in ISO 8601."""
    return orjson.dumps(value, default=_default).decode()


def plain(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same values as they come back from the database."""
    return None if values is None else orjson.loads(as_json(values))


@dataclasses.dataclass(slots=True)
class DraftRow:
    """A plan row before it is written."""

    number: int
    action: str
    line: int | None = None
    key: str = ""
    target_id: int | None = None
    version: int | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    errors: list[dict[str, str]] | None = None
    raw: list[Any] | None = None
    model: str = ""
    corrections: dict[str, Any] | None = None


def problem(message: str, *, column: str = "", value: Any = "", advice: str = "", field: str = "") -> dict[str, str]:
    """An error of a row, for people: what, where, and what to do. `field` is the model's name for the column."""
    said = {"column": column, "value": str(value)[:200], "message": message, "advice": advice}
    return {**said, "field": field} if field else said


def told_errors(errors: list[dict[str, str]] | None, model: Any, reader: Any) -> list[dict[str, str]]:
    """The errors of a row without what `reader` may not read; a column that is hidden is not even named."""
    told = []
    for error in errors or ():
        rights = fields(reader, "view", apps.get_model(error["model"]) if "model" in error else model)
        if (name := error.get("field", "")) not in rights.unread:
            told.append(error)
        else:
            column = error["column"] if name in rights.masked else ""
            told.append(problem("Something is wrong with a value that you may not read.", column=column))
    return told


def write_rows(plan_id: int, rows: Iterable[DraftRow]) -> Counter[str]:
    """Write a batch; returns how many of each action."""
    rows = list(rows)
    written = "".join(map(partial(_line, plan_id), rows))
    with connection.cursor() as cursor, cursor.copy(f"COPY plans_planrow ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        copy.write(written)
    return Counter(row.action for row in rows)


def _line(plan_id: int, row: DraftRow) -> str:
    """A row in the text format of COPY, in the order of COLUMNS."""
    line, target_id, version = row.line, row.target_id, row.version
    return (
        f"{plan_id}\t{row.number}\t{NULL if line is None else line}\t{row.key.translate(_ESCAPES)}\t{row.action}\t"
        f"{row.model}\t{NULL if target_id is None else target_id}\t{NULL if version is None else version}\t"
        f"{_document(row.before)}\t{_document(row.after)}\t{_document(row.errors or None)}\t{_document(row.raw)}\t{_document(row.corrections)}\t\n"
    )


def _document(value: Any) -> str:
    """JSON escapes control characters itself; only its backslashes mean something to COPY."""
    if value is None:
        return NULL
    text = orjson.dumps(value, default=_default).decode()
    return text.replace("\\", "\\\\") if "\\" in text else text

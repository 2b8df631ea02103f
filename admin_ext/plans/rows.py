"""Plan rows on their way into the table: by `COPY`, a batch at a time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson
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
    "outcome",
)
_default = DjangoJSONEncoder().default


def as_json(value: Any) -> str:
    """JSON as the database takes it: decimals as text, days and instants in ISO 8601."""
    return orjson.dumps(value, default=_default).decode()


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


def problem(message: str, *, column: str = "", value: Any = "", advice: str = "", field: str = "") -> dict[str, str]:
    """An error of a row, for people: what, where, and what to do. `field` is the model's name for the column."""
    said = {"column": column, "value": str(value)[:200], "message": message, "advice": advice}
    return {**said, "field": field} if field else said


def told_errors(errors: list[dict[str, str]] | None, model: Any, reader: Any) -> list[dict[str, str]]:
    """The errors of a row without what `reader` may not read; a column that is hidden is not even named."""
    rights = fields(reader, "view", model)
    told = []
    for error in errors or ():
        if (name := error.get("field", "")) not in rights.unread:
            told.append(error)
        else:
            column = error["column"] if name in rights.masked else ""
            told.append(problem("Something is wrong with a value that you may not read.", column=column))
    return told


def write_rows(plan_id: int, rows: Iterable[DraftRow]) -> Counter[str]:
    """Write a batch; returns how many of each action."""
    counts: Counter[str] = Counter()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY plans_planrow ({', '.join(COLUMNS)}) FROM STDIN") as copy,
    ):
        for row in rows:
            counts[row.action] += 1
            copy.write_row(
                (
                    plan_id,
                    row.number,
                    row.line,
                    row.key,
                    row.action,
                    row.model,
                    row.target_id,
                    row.version,
                    None if row.before is None else as_json(row.before),
                    None if row.after is None else as_json(row.after),
                    None if not row.errors else as_json(row.errors),
                    None if row.raw is None else as_json(row.raw),
                    "",
                )
            )
    return counts

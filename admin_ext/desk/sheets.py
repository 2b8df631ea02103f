"""Rows of the record in the two forms that programs read: CSV for spreadsheets, JSON lines for the rest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Self, TextIO

from django.db import models

from admin_ext.access.fields import fields
from admin_ext.desk.records import Recorded
from admin_ext.desk.telling import KINDS
from admin_ext.transfers.writing import CsvWriter

ABOUT = ["history_id", "change_set", "kind", "at", "actor", "db_user", "changed"]
# Columns of a history table that say when and how it was written, and nothing of the record.
TECHNICAL = frozenset(
    {
        "history_id", "history_date", "history_type", "history_user_id", "change_set_id", "xid", "db_user", "changed",
    }
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of a history table that a person may read; `complete` if these are all that there are."""

    names: list[str]
    complete: bool


def visible_columns(model: type[models.Model], user: Any) -> Columns:
    """What `user` may read of the rows of `model`'s history. A column whose field is gone is nobody's to see; dots
    prove nothing.
    """
    allowed = fields(user, "view", model).readable
    mine = {str(field.column) for field in model._meta.concrete_fields if field.name in allowed}
    kept = [str(field.column) for field in model.history.model._meta.concrete_fields]
    kept = [name for name in kept if name not in TECHNICAL]
    names = [name for name in kept if name in mine]
    return Columns(names, names == kept)


class RowSheets:
    """Writes rows of one model to a sheet of its own and to the lines that all models share."""

    def __init__(self, path: Path, lines: TextIO, model: type[models.Model], columns: Columns) -> None:
        self.model, self.columns, self.lines = model, columns.names, lines
        self.sheet = CsvWriter(path, [*ABOUT, *columns.names])

    @property
    def rows(self) -> int:
        return self.sheet.rows

    def write(self, row: Recorded) -> None:
        changed = None if row.changed is None else [name for name in row.changed if name in self.columns]
        after = {name: row.after.get(name) for name in self.columns}
        before = None if row.before is None else {name: row.before.get(name) for name in self.columns}
        about: list[Any] = [
            row.history_id, row.change_set_id, KINDS[row.kind], row.at, row.actor_id, row.db_user,
        ]  # fmt: skip
        self.sheet.write([*about, " ".join(changed or ()), *(_cell(value) for value in after.values())])
        said = {
            "model": self.model._meta.label,
            "table": self.model.history.model._meta.db_table,
            **dict(zip(ABOUT, about, strict=False)),
            "changed": changed,
            "before": before,
            "after": after,
        }
        self.lines.write(json.dumps(said, ensure_ascii=False, default=str) + "\n")

    def __enter__(self) -> Self:
        self.sheet.__enter__()
        return self

    def __exit__(self, *stopped: Any) -> None:
        self.sheet.__exit__(*stopped)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value

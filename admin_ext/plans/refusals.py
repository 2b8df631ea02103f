"""What the database refused, in words: our own triggers say it themselves, constraints are sentences."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError, ProgrammingError, models

# A trigger that refuses an operation altogether says "insufficient privilege", which Django takes for a programming fault.
DatabaseRefused = (IntegrityError, ProgrammingError)
FOREIGN_KEY, UNIQUE = "23503", "23505"
PRIVILEGE = "42501"


def told(error: Exception, model: type[models.Model]) -> str:
    """The rule that a write to `model` would break. Raises `error` again when it is no refusal but a fault."""
    if not isinstance(error, DatabaseRefused):
        return str(error)
    said: Any = getattr(error.__cause__, "diag", None)
    if isinstance(error, ProgrammingError) and getattr(said, "sqlstate", "") != PRIVILEGE:
        raise error
    if said is None:
        return "It would break a rule of the database."
    if said.sqlstate == FOREIGN_KEY:
        return _lost_relation(said, model)
    if said.sqlstate == UNIQUE and (taken := _columns(said, model)):
        return f"Another {model._meta.verbose_name} has this {' and '.join(taken)}. Change that one first."
    if not said.table_name and said.message_primary:
        return " ".join(part for part in (said.message_primary, said.message_hint) if part)
    return f"It would break a rule: {(said.constraint_name or 'a rule of the database').replace('_', ' ')}."


def _lost_relation(said: Any, model: type[models.Model]) -> str:
    """The constraint is asked, not the detail: that names the other table's column where a deletion is what failed."""
    if said.table_name != model._meta.db_table:
        return "Another row refers to it."
    keys = [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]
    named = next((field for field in keys if f"_{field.column}_" in (said.constraint_name or "")), None)
    return f"The {named.verbose_name if named else 'row'} that it names does not exist."


def _columns(said: Any, model: type[models.Model]) -> list[str]:
    """The columns of `model` that the database complains of, by what people call them; none when it means others."""
    found = re.match(r"Key \(([\w, ]+)\)=", said.message_detail or "")
    if not found or said.table_name != model._meta.db_table:
        return []
    fields = {field.column: str(field.verbose_name) for field in model._meta.concrete_fields}
    return [fields[name] for name in found[1].split(", ") if name in fields]

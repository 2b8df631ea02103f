"""What a bulk edit may do to a column, by its kind, and what a value becomes by it."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import models

OPERATIONS = {
    "set": "Set to",
    "clear": "Clear",
    "percent": "Change by percent",
    "amount": "Change by amount",
    "days": "Move by days",
    "replace": "Replace text",
}


def operations_for(field: models.Field) -> list[str]:
    """The operations that make sense for a column."""
    operations = ["set"]
    if field.null or (field.blank and isinstance(field, models.CharField | models.TextField)):
        operations.append("clear")
    if isinstance(field, models.DecimalField | models.IntegerField) and not field.choices:
        operations += ["percent", "amount"]
    if isinstance(field, models.DateField):
        operations.append("days")
    if isinstance(field, models.CharField | models.TextField) and not field.choices:
        operations.append("replace")
    return operations


def edited(current: Any, change: dict[str, Any], field: Any) -> Any:
    """What a value becomes; numbers are rounded half up to the decimals that the field keeps."""
    operation, operand = change["operation"], change.get("value")
    if operation == "set":
        return operand
    if operation == "clear" or current is None:
        return None if operation == "clear" else current
    if operation == "replace":
        return str(current).replace(change["find"], operand or "")
    if operation == "days":
        return current + timedelta(days=int(operand or 0))
    number = Decimal(str(operand))
    result = current * (1 + number / 100) if operation == "percent" else current + number
    decimals = getattr(field, "decimal_places", 0)
    return Decimal(result).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)

"""Raw cells into values of a field, with errors for people; the same cell is cleaned once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from admin_ext.access.hidden import NOT_VISIBLE

# As many distinct cells of one column are remembered.
REMEMBERED = 10_000
LONGEST = 1 << 30
TRUE = {"true", "t", "yes", "y", "1", "wahr", "vrai", "x"}
FALSE = {"false", "f", "no", "n", "0", "falsch", "faux"}
Problem = tuple[str, str]


class Reference(str):
    """The natural key of a related row, as it came; `References` finds the row."""

    __slots__ = ()


class RowKey(int):
    """The primary key of a related row, as the record holds it; `References` asks whether the row may be used."""


class Wrong:
    """Stands in a column where a value could not be taken: `told` is what is wrong, and what to do."""

    __slots__ = ("told",)

    def __init__(self, told: Problem) -> None:
        self.told = told


# Stands in a column where nothing is proposed.
ABSENT: Any = object()


class StoredCleaner:
    """Takes values as the record holds them: nothing is read into them, but they must be allowed today."""

    def __init__(self, field: models.Field) -> None:
        self.field = field
        self.remembered: dict[tuple[type, Any], Any] = {}

    def column(self, stored: list[Any]) -> tuple[list[Any], bool]:
        """The values of a column, and whether every one of them is there and right; else they are ABSENT or Wrong."""
        if isinstance(self.field, models.ForeignKey):
            return stored, ABSENT not in stored
        found = [self._clean(value) for value in stored]
        return found, not any(value is ABSENT or type(value) is Wrong for value in found)

    def _clean(self, stored: Any) -> Any:
        if stored is ABSENT:
            return ABSENT
        try:
            known = self.remembered.get((type(stored), stored))
        except TypeError:
            return self._allowed(stored)
        if known is None:
            known = self._allowed(stored)
            if len(self.remembered) < REMEMBERED:
                self.remembered[type(stored), stored] = known
        return known

    def _allowed(self, stored: Any) -> Any:
        try:
            return self.field.clean(stored, None)
        except ValidationError as error:
            return Wrong((" ".join(error.messages), "It was allowed then and is not any more."))


class _Remembered(dict[str, Any]):
    """The values of the cells seen so far; a new one is cleaned, and remembered while there is room."""

    def __init__(self, clean: Callable[[Any], Any]) -> None:
        self.clean = clean
        self.has_wrong = False

    def __missing__(self, raw: str) -> Any:
        value = self.clean(raw)
        self.has_wrong = self.has_wrong or type(value) is Wrong or value is ABSENT
        if len(self) < REMEMBERED:
            self[raw] = value
        return value


class Cleaner:
    """Turns raw cells into values of one model field."""

    def __init__(self, field: models.Field) -> None:
        self.field = field
        self.convert = _converter(field)
        self.choices = {str(value): value for value, _ in field.flatchoices}
        self.labels = {str(label).casefold(): value for value, label in field.flatchoices}
        self.validators = [validator for validator in field.validators if not isinstance(field, models.ForeignKey)]
        self.remembered = _Remembered(self._outcome)
        self.is_plain_text = (
            isinstance(field, models.CharField)
            and not self.choices
            and all(_is_its_length(validator, field) for validator in self.validators)
        )

    def column(self, raws: list[Any]) -> tuple[list[Any], bool]:
        """The values of a column of cells, and whether every one of them is there and right; else they are ABSENT or
        Wrong."""
        if set(map(type, raws)) == {str}:
            if self.is_plain_text and (texts := self._texts(raws)) is not None:
                return texts, True
            found = list(map(self.remembered.__getitem__, raws))
            return found, not self.remembered.has_wrong or not any(
                type(value) is Wrong or value is ABSENT for value in found
            )
        # True, 1 and 1.0 are one key of a dictionary.
        found = [self._each(raw) for raw in raws]
        return found, not any(value is ABSENT or type(value) is Wrong for value in found)

    def _texts(self, raws: list[str]) -> list[Any] | None:
        """A whole column of texts that fit; None when one of them does not."""
        texts = list(map(str.strip, raws))
        if max(map(len, texts)) > (self.field.max_length or LONGEST) or "\x00" in "".join(texts):
            return None
        return [text or None for text in texts] if self.field.null else texts

    def _each(self, raw: Any) -> Any:
        if raw is ABSENT:
            return ABSENT
        return self.remembered[raw] if type(raw) is str else self._outcome(raw)

    def _outcome(self, raw: Any) -> Any:
        if raw == NOT_VISIBLE and isinstance(self.field, models.ForeignKey):
            # It came out of an export by somebody who may not see the related row: that stays whatever it is.
            return ABSENT
        value, wrong = self._clean(raw)
        return Wrong(wrong) if wrong else value

    def _clean(self, raw: Any) -> tuple[Any, Problem | None]:
        if raw is None or (isinstance(raw, str) and not raw.strip() and not isinstance(raw, Reference)):
            if isinstance(self.field, models.CharField | models.TextField) and not self.field.null:
                return "", None
            return None, None
        if self.choices and isinstance(raw, str) and not isinstance(raw, Reference):
            # By its label a value may be longer than the column.
            return self._chosen(raw)
        try:
            value = self.convert(raw)
        except _NotUnderstood as error:
            return None, error.problem
        if self.choices and not isinstance(value, Reference):
            return self._chosen(value)
        try:
            for validator in self.validators:
                if not isinstance(value, Reference):
                    validator(value)
        except ValidationError as error:
            return None, (" ".join(error.messages), "Correct the value.")
        return value, None

    def _chosen(self, value: Any) -> tuple[Any, Problem | None]:
        text = str(value).strip()
        if text in self.choices:
            return self.choices[text], None
        if text.casefold() in self.labels:
            return self.labels[text.casefold()], None
        known = [str(label) for _, label in self.field.flatchoices]
        shown = ", ".join(known[:6]) + (" …" if len(known) > 6 else "")
        return None, ("It is not one of the values there are.", f"Use one of: {shown}")


def _is_its_length(validator: Any, field: models.Field) -> bool:
    return type(validator) is MaxLengthValidator and validator.limit_value == field.max_length


class _NotUnderstood(Exception):
    def __init__(self, message: str, advice: str) -> None:
        self.problem = (message, advice)


def _converter(field: models.Field) -> Any:
    for kind, convert in _CONVERTERS:
        if isinstance(field, kind):
            return lambda raw, convert=convert: convert(raw, field)
    return lambda raw: _by_field(raw, field)


def _text(raw: Any, field: models.Field) -> str:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    text = str(raw).strip() if not isinstance(field, models.TextField) else str(raw)
    if "\x00" in text:
        raise _NotUnderstood("It has a NUL character in it.", "Take the character out.")
    if field.max_length and len(text) > field.max_length:
        raise _NotUnderstood(
            f"It is {len(text)} characters long; at most {field.max_length} fit.", "Shorten it, or map another column."
        )
    return text


def _whole(raw: Any, field: models.Field) -> int:
    if isinstance(raw, bool):
        raise _NotUnderstood("It is not a whole number.", "Write digits, e.g. 12.")
    if isinstance(raw, int):
        return raw
    number = _number(raw)
    if number != number.to_integral_value():
        raise _NotUnderstood("It is not a whole number.", "Write digits without decimals, e.g. 12.")
    return int(number)


def _decimal(raw: Any, field: Any) -> Decimal:
    number = _number(raw)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > field.decimal_places:
        rounded = number.quantize(Decimal(1).scaleb(-field.decimal_places))
        if rounded != number:
            raise _NotUnderstood(
                f"It has more than {field.decimal_places} decimals.", f"Round it to {field.decimal_places} decimals."
            )
        number = rounded
    return number


def _number(raw: Any) -> Decimal:
    if isinstance(raw, Decimal):
        return raw
    try:
        # repr of a float is the shortest text that means it: 0.1 and not 0.1000000000000000055.
        number = Decimal(repr(raw) if isinstance(raw, float) else str(raw).strip())
    except InvalidOperation:
        raise _NotUnderstood("It is not a number.", "Write digits with a point, e.g. 1234.50.") from None
    if not number.is_finite():
        raise _NotUnderstood("It is not a number.", "Write digits with a point, e.g. 1234.50.")
    return number


def _boolean(raw: Any, field: models.Field) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().casefold().removesuffix(".0")
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise _NotUnderstood("It is neither yes nor no.", "Write yes or no.")


def _day(raw: Any, field: models.Field) -> date:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    text = str(raw).strip()
    try:
        found = parse_date(text) or (parse_datetime(text) or _Nothing).date()
    except (ValueError, AttributeError):
        found = None
    if found is None:
        raise _NotUnderstood(
            "It is not a date.", "Write year-month-day, e.g. 2026-03-31, or say the date format in the mapping."
        )
    return found


def _instant(raw: Any, field: models.Field) -> datetime:
    if isinstance(raw, str):
        try:
            raw = parse_datetime(raw.strip()) or parse_date(raw.strip())
        except ValueError:
            raw = None
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime(raw.year, raw.month, raw.day)
    if not isinstance(raw, datetime):
        raise _NotUnderstood("It is not a time.", "Write e.g. 2026-03-31 14:05.")
    # In UTC, as the database gives it: two zones' names of an hour that comes twice are never equal to Python.
    return (raw if timezone.is_aware(raw) else timezone.make_aware(raw)).astimezone(UTC)


def _reference(raw: Any, field: models.Field) -> Reference:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    return Reference(re.sub(r"\s+", " ", str(raw)).strip())


def _by_field(raw: Any, field: models.Field) -> Any:
    try:
        return field.to_python(raw)
    except ValidationError as error:
        raise _NotUnderstood(" ".join(error.messages), "Correct the value.") from None


_Nothing: Any = None
_CONVERTERS: list[tuple[Any, Any]] = [
    (models.ForeignKey, _reference),
    (models.CharField, _text),
    (models.TextField, _text),
    (models.BooleanField, _boolean),
    (models.DecimalField, _decimal),
    (models.IntegerField, _whole),
    (models.DateTimeField, _instant),
    (models.DateField, _day),
]
